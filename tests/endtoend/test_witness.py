"""The witness in whole runs: users that compute make answers wait in the client, and it tells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loadtests.run import Run
from tests.endtoend.harness import loadtests, server, verdict

pytestmark = [pytest.mark.slow, pytest.mark.timed]

Make = Callable[..., Path]

KEY = "kx7-only-those-who-know-it"
DELAY_MS = 20


def measure(scenario: Make, out: Path, burn_ms: int, limit: str, steady: str) -> dict[str, Any]:
    """40 requests a second to a target that takes 20 ms, by users that compute for a while after each."""
    with server("fixed", str(DELAY_MS), KEY) as (url, _):
        path = scenario(
            url,
            user="Busy",
            steady=steady,
            objectives=f'must = ["p95 < {limit}"]',
            more=f'[secrets]\nkey = "${{KEY}}"\n[settings]\nburn_ms = {burn_ms}\n[witness]\nrate = "20/s"\n',
        )
        done = loadtests("run", path, "--out", out, KEY=KEY)
    assert "witness" not in [event["kind"] for event in Run(out).events], done.stderr
    return verdict(out)


def witness_check(judged: dict[str, Any]) -> dict[str, Any]:
    """The check, of which there is one."""
    (found,) = [check for check in judged["checks"] if check["name"] == "witness"]
    return dict(found)


def test_queueing_client_is_told(scenario: Make, tmp_path: Path) -> None:
    """At 15 ms of computing per request answers wait; an idle client, let in by the load's key, sees that they do not.

    Answers wait as in M/D/1 at 0.6: one in two for 7 ms or more. The witness asked for nothing but what the load did,
    and its key is in no file.
    """
    judged = measure(scenario, tmp_path / "run", 15, "100ms", steady="8s")
    assert not witness_check(judged)["ok"], witness_check(judged)
    account = Run(tmp_path / "run").witness
    assert account.times_us.keys() == {"GET /page"}
    assert not account.failed["GET /page"]
    assert min(min(times) for times in account.times_us["GET /page"].values() if times) >= DELAY_MS * 1000
    assert [path.name for path in (tmp_path / "run").rglob("*") if path.is_file() and KEY in path.read_text()] == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("burn_ms", "limit", "status"), [(15, "25ms", "INVALID"), (0, "1s", "PASS"), (0, "10ms", "FAIL")]
)
def test_verdict(scenario: Make, tmp_path: Path, burn_ms: int, limit: str, status: str) -> None:
    """What the client added is not held against the target; what the target took is, as the witness itself sees."""
    judged = measure(scenario, tmp_path / "run", burn_ms, limit, steady="32s")
    assert judged["objectives"][0]["status"] == status, judged
    assert witness_check(judged)["ok"] is (burn_ms == 0)


@pytest.mark.long
@pytest.mark.parametrize(("burn_ms", "limit", "status"), [(15, "25ms", "INVALID"), (0, "1s", "PASS")])
def test_deliveries(scenario: Make, tmp_path: Path, burn_ms: int, limit: str, status: str) -> None:
    """Four listeners on one loop that each compute for 15 ms over an event: the last reads it 60 ms after it came.

    The witness's listeners compute as long over each, but the kernel says when it came.
    """
    out = tmp_path / "run"
    with server("hub") as (url, _):
        path = scenario(
            url,
            user="",
            member="BusyListener",
            steady="32s",
            objectives=f'series = "ws deliver"\nmust = ["p95 < {limit}"]',
            more=f"[settings]\nburn_ms = {burn_ms}\n",
        )
        done = loadtests("run", path, "--out", out)
    judged = verdict(out)
    assert judged["objectives"][0]["status"] == status, done.stdout + done.stderr
    (check,) = [check for check in judged["checks"] if check["name"] == "witness of deliveries"]
    assert check["ok"] is (burn_ms == 0), check
    account = Run(out).witness
    assert account.times_us.keys() == {"ws deliver"}
    assert not account.failed["ws deliver"]
