"""The doctor as a user calls it, and a run that cites what it found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.endtoend.harness import loadtests, null_server, verdict

pytestmark = pytest.mark.slow
NOWHERE = ("--url", "http://127.0.0.1:9/")


def test_limits_alone(tmp_path: Path) -> None:
    """No load, and nothing is kept."""
    done = loadtests("doctor", "--limits", "--calibrations", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "open files of a process: " in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_gate_without_a_calibration_is_refused(tmp_path: Path) -> None:
    """Before any load, and with what to do."""
    done = loadtests("run", *NOWHERE, "--require-calibration", "--calibrations", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("loadtests: no calibration speaks for this run: there is none in ")
    assert "loadtests doctor" in done.stderr


@pytest.mark.timed
@pytest.mark.long
def test_calibrate_and_cite(tmp_path: Path) -> None:
    """All that it measures is as it must be; the run after it says so, and a steeper one is refused."""
    kept = ("--calibrations", tmp_path / "kept")
    done = loadtests("doctor", "--rate", "100/s", *kept, timeout_s=400)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = (json.loads(path.read_text()) for path in (tmp_path / "kept").iterdir())
    assert [check["name"] for check in made["checks"]] == ["C1", "C2", *["C3"] * 3, "C4", "C5", "C6", "C6", "C8"]
    out = tmp_path / "run"
    with null_server() as url:
        load = ("run", "--url", f"{url}/delay/20", "--users", "50", "--objective", "p95 < 100ms", *kept)
        again = loadtests(*load, "--rate", "60/s", "--duration", "31s", "--require-calibration", "--out", out)
        steeper = loadtests(*load, "--rate", "101/s", "--require-calibration", "--out", tmp_path / "other")
    assert again.returncode == 0, again.stdout + again.stderr
    assert [check["ok"] for check in verdict(out)["checks"] if check["name"] == "floor"] == [True]
    assert "our floor" in (out / "report.html").read_text()
    assert steeper.returncode == 2
    assert "made at 100/s, and this plan peaks at 101/s" in steeper.stderr
