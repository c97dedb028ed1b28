"""A whole run that is ended because it is certainly failing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.endtoend.harness import loadtests, null_server, summary, verdict

pytestmark = [pytest.mark.slow, pytest.mark.timed, pytest.mark.long]


def test_a_run_that_is_certainly_failing_is_stopped(tmp_path: Path) -> None:
    """Every answer takes 50 ms where 20 may be: at the first look, after 120 of 300 s, that is certain."""
    out = tmp_path / "run"
    with null_server() as url:
        done = loadtests(
            *(
                "run",
                "--url",
                f"{url}/delay/50",
                "--rate",
                "20/s",
                "--users",
                "20",
                "--duration",
                "300s",
                "--warm-up",
                "1s",
            ),
            *("--objective", "p95 < 20ms", "--objective", "errors < 1%", "--stop-early", "--out", out),
            timeout_s=250,
        )
    assert done.returncode == 3, done.stdout + done.stderr
    told, figures = verdict(out), summary(out)
    assert [o["status"] for o in told["objectives"]] == ["FAIL", "INCONCLUSIVE"], "and nothing passes by being stopped"
    assert told["objectives"][0]["reason"].endswith("stopped early after 120 s: certainly failing")
    assert "(stopped early after 120 s: certainly failing p95 < 20ms" in told["sentence"]
    assert 120 <= figures["steady_s"] <= 130
    assert [c["ok"] for c in told["checks"] if c["name"] in ("accounting", "plan")] == [True, True]
    assert figures["stopped"]["bad"] == figures["stopped"]["n"] == 20 * 120
    assert "Stopped early" in (out / "report.html").read_text()
