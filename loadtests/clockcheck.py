"""Whether times that another machine's clock began can be judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from loadtests.allowance import is_loopback
from loadtests.duration import format_ns
from loadtests.objective import Kind, Objective
from loadtests.run import Run
from loadtests.series import DELIVER, FIRST, LAST, MEANWHILE, MEDIAN, RECOVER
from loadtests.verdict import Check, Status, Verdict

__all__ = ["check_clocks", "clocked", "uncertainty_ns"]

ALLOWED = 0.05
"""Of a limit, which a clock may be wrong by."""
_STAMPED = (DELIVER, FIRST, MEDIAN, LAST, MEANWHILE, RECOVER)
_STAMP = (
    "name a field with nanoseconds of this machine's CLOCK_MONOTONIC (--adapter sent_ns=...), or none and judge no "
    "times; for a server elsewhere, let it answer for its clock (Member.clock_question)"
)
_REMEDY = "let the server answer for its clock (Member.clock_question), or run both on one machine"


def uncertainty_ns(run: Run) -> float:
    """By how much delivery times may be wrong for their clocks' sake; 0 where one clock began and ended them."""
    account = run.swarm
    if account.clock:
        return account.clock["uncertainty_us"] * 1000
    here = is_loopback(urlsplit(run.header.target).hostname or "")
    return float("inf") if account.stamped and not here else 0.0


def clocked(run: Run, objective: Objective, verdict: Verdict) -> Verdict:
    """A latency that the clocks do not tell well enough is INVALID, passed or failed; whatever is counted stands."""
    if objective.kind is not Kind.LATENCY or not any(objective.matches(name) for name in _STAMPED):
        return verdict
    if run.swarm.stamps:
        reason = f"the server's stamps are of no clock of this machine: {run.swarm.stamps}"
        return replace(verdict, status=Status.INVALID, reason=reason, remedy=_STAMP)
    wrong_ns = uncertainty_ns(run)
    if wrong_ns <= ALLOWED * objective.limit:
        return verdict
    by = f"to within {format_ns(wrong_ns)}" if wrong_ns < float("inf") else "in no known way"
    reason = f"the clocks of target and generator agree {by}, and {ALLOWED:.0%} of the limit is allowed"
    return replace(verdict, status=Status.INVALID, reason=reason, remedy=_REMEDY)


def check_clocks(run: Run) -> Iterator[Check]:
    """What is known of the target's clock, where it was asked; told only, each objective's limit decides."""
    account = run.swarm
    if account.stamps:
        text = f"{account.stamps}: deliveries are counted from when they came, and have no times"
        yield Check("stamps", "The server's stamps are of this machine's clock", text, "all", ok=False, remedy=_STAMP)
    if not account.clock:
        return
    found = f"{account.clock['offset_ms']:,.3f} ms apart, known to {format_ns(uncertainty_ns(run))}"
    if "drift_ppm" in account.clock:
        found += f", drifting {account.clock['drift_ppm']:.1f} ppm"
    yield Check("clocks", "The clocks of target and generator were compared", found, "5 % of a limit", ok=True)
