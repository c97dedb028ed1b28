"""What failed and what ended, of runs whose failures were put there."""

from __future__ import annotations

from typing import Any

import pytest

from loadtests.mishap import Mishap, failures, mishap_lines, unplanned_ends
from loadtests.run import Run
from loadtests.sample import Outcome
from loadtests.swarmaccount import SwarmAccount
from tests.runs import remember_run, sample

ENDS = {"we: end of the run": 20, "the server: closed 1013": 2, "nobody said: connection reset": 5, "we: storm": 3}
ENDS |= {"we: left as planned": 9, "the storm: closed 1012": 7, "we: no pong": 1}


def _run(*failed: tuple[str, int, int, Outcome], closes: dict[str, int] | None = None) -> Run:
    """Of each series so many, of which some failed."""
    samples: list[Any] = []
    for series, n, bad, outcome in failed:
        samples += [sample(k, series=series, outcome=outcome if k < bad else Outcome.OK) for k in range(n)]
    run: Run = remember_run(samples)
    run.swarm = SwarmAccount(closes=closes or {})
    return run


def test_failures() -> None:
    """Each kind of each series with its count, the most frequent first; warm or steady, and of the whole series."""
    run = _run(
        ("ws connect", 50, 30, Outcome.ERROR),
        ("GET /a", 40, 4, Outcome.TIMEOUT),
        ("arrival Reader", 5, 5, Outcome.DROPPED),
        ("ws deliver", 40, 6, Outcome.LOST),  # the ledger tells of these
        ("ws upgrade", 40, 6, Outcome.ERROR),  # and of these ws connect
        ("ws connection", 7, 7, Outcome.ERROR),
        ("GET /b", 9, 0, Outcome.OK),
    )
    assert failures(run) == [
        Mishap("ws connect", "http 503", 30, 50),
        Mishap("arrival Reader", "dropped", 5, 5),
        Mishap("GET /a", "timeout", 4, 40),
    ]


def test_unplanned_ends() -> None:
    """Only those that nobody had planned, by whom and why; of a run that does not say by whom, by why."""
    assert unplanned_ends(_run(closes=ENDS)) == [
        Mishap("ws connection", "nobody said: connection reset", 5),
        Mishap("ws connection", "the server: closed 1013", 2),
        Mishap("ws connection", "we: no pong", 1),
    ]
    old = _run(("ws connection", 7, 7, Outcome.ERROR))
    assert unplanned_ends(old) == [Mishap("ws connection", "http 503", 7)]


def test_lines() -> None:
    """Few of them, ends first; none where nothing went wrong."""
    assert mishap_lines(_run(("GET /a", 9, 0, Outcome.OK), closes={"we: end of the run": 3})) == ""
    assert mishap_lines(_run(("ws connect", 1500, 1200, Outcome.ERROR), closes={"the server: closed 1013": 1})) == (
        "What went wrong\n  1 connection ended (the server: closed 1013)\n  1,200 of 1,500 ws connect failed (http 503)"
    )


@pytest.mark.parametrize(("kinds", "last"), [(6, "4 of 9 GET /5 failed"), (7, "and 2 more kinds, which report.html")])
def test_most_lines(kinds: int, last: str) -> None:
    """Six at most; the sixth says how many more there would be."""
    lines = mishap_lines(_run(*((f"GET /{k}", 9, 9 - k, Outcome.ERROR) for k in range(kinds)))).splitlines()
    assert len(lines) == 7
    assert lines[-1].strip().startswith(last)
