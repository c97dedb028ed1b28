"""What it means for a verdict that a run never settled, and how a reader is told whether it did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from loadtests.changepoint import Shape
from loadtests.run import Run
from loadtests.steadystate import SteadyState, steady_state
from loadtests.verdict import Check, Status, Verdict

__all__ = ["check_settled", "unsettled"]


def check_settled(run: Run) -> Iterator[Check]:
    """Whether response times settled; nothing where that cannot be asked."""
    if state := steady_state(run):
        title, limit = "The target settled", "no drift of over 10 % that lasts through the steady state"
        if state.drift is None:
            yield Check("settled", title, f"{_from(state)}; {_course(state)}", limit, ok=True)
        else:
            moved = f"p{state.drift.percentile} went on {_way(state.drift.factor)}"
            text = f"it never settled: {moved}, to {state.drift.factor:.2g} times its beginning; {_course(state)}"
            yield Check("settled", title, text, limit, ok=False)


def unsettled(run: Run, verdicts: Iterable[Verdict]) -> Iterator[Verdict]:
    """Take back what a drift makes worthless.

    While a target gets slower, a latency objective that holds will not go on to; while it gets quicker, one that is
    missed may be missed by its warm-up alone. The other two are the stronger for the drift, and stand.
    """
    state = steady_state(run)
    drift = state.drift if state else None
    doubtful = None if drift is None else Status.PASS if drift.factor > 1 else Status.FAIL
    for verdict in verdicts:
        if drift is None or verdict.kind != "latency" or verdict.status is not doubtful:
            yield verdict
            continue
        told = f"it never settled, p{drift.percentile} went on {_way(drift.factor)}"
        mend = "a longer run" if drift.factor > 1 else "a longer warm-up, or a longer run"
        reason = f"{verdict.reason}; {told}: it takes {mend}"
        yield replace(verdict, status=Status.INCONCLUSIVE, reason=reason)


def _way(factor: float) -> str:
    return "growing" if factor > 1 else "falling"


def _from(state: SteadyState) -> str:
    if not state.cut_s:
        return f"steady from its first second on ({state.start_s} s)"
    return f"steady from {state.settled_s} s on, {state.cut_s} s into the steady phase (by {state.signal})"


def _course(state: SteadyState) -> str:
    found = state.course
    if found.shape is Shape.FLAT:
        return "no step in p50"
    before = next(s for s in reversed(found.segments) if s.end <= found.segments[-1].start)
    at_s = state.start_s + found.settled_from
    return (
        f"p50 has a step at {at_s} s, from {before.mean:.3g} to {found.segments[-1].mean:.3g} ms ({found.shape.value})"
    )
