"""The verdict in one sentence that a director can repeat."""

from __future__ import annotations

from loadtests.duration import format_ns
from loadtests.run import Run
from loadtests.verdict import RunVerdict, Status, Verdict

__all__ = ["run_sentence"]


def run_sentence(run: Run, verdict: RunVerdict) -> str:
    """``PASS: 120 users and 60 live connections for 60 s; every objective held; the closest is ...``."""
    return f"{verdict.status.value}: {_load(run)}; {_finding(run, verdict)}"


def _load(run: Run) -> str:
    header = run.header
    who = [f"{header.users:,} users"] if header.users else []
    if header.connections:
        who.append(f"{header.connections:,} live connections")
    seconds = len(header.steady_seconds())
    return f"{' and '.join(who) or 'no load'} for {_span(seconds)}"


def _span(seconds: int) -> str:
    return (
        f"{seconds} s" if seconds < 120 else f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"
    )


def _finding(run: Run, verdict: RunVerdict) -> str:
    partial = f" (the run ended early: {verdict.partial})" if verdict.partial else ""
    if verdict.status is Status.PASS:
        closest = max(verdict.verdicts, key=_nearness)
        if _nearness(closest) <= 0:
            return "every objective held, with nothing of any budget spent"
        return f"every objective held; the closest is {_what(closest)} at {_nearness(closest):.0%} of its limit"
    same = [v for v in verdict.verdicts if v.status is verdict.status]
    of = f"{len(same)} of {len(verdict.verdicts)} objectives"
    if verdict.status is Status.FAIL:
        if not same:
            return f"the target failed{partial}"
        return f"{_what(same[0])}: {same[0].reason.split(';')[0]}; {of} failed{partial}"
    if verdict.status is Status.INVALID:
        broken = [c for c in verdict.checks if not c.ok and (c.fatal or c.name == "plan")]
        if broken:
            return f"the harness cannot vouch for this run: {broken[0].title.lower()}? No: {broken[0].value}{partial}"
        if same:
            return f"the harness cannot vouch for {_what(same[0])}: {same[0].reason.split(';')[-1].strip()}{partial}"
        return f"the harness cannot vouch for this run{partial}"
    if not verdict.verdicts:
        return f"no objective was asked for, so nothing was judged{partial}"
    if not same:
        return f"every objective held as far as it went{partial}"
    return f"{of} could not be decided; first, {_what(same[0])}: {same[0].reason.split(';')[-1].strip()}{partial}"


def _what(verdict: Verdict) -> str:
    metric = verdict.objective.split("<")[0].split(">")[0].split("=")[0].strip()
    return f"{metric} of {verdict.series}"


def _nearness(verdict: Verdict) -> float:
    """How much of the limit is used: the observed percentile over its limit, or the budget spent."""
    if verdict.kind == "latency" and verdict.observed is not None:
        return verdict.observed / verdict.limit
    if verdict.kind == "throughput" and verdict.observed:
        return verdict.limit / verdict.observed
    return verdict.budget_spent or 0.0


def describe_limit(verdict: Verdict) -> str:
    """The limit with its unit, for tables."""
    if verdict.unit == "ns":
        return format_ns(verdict.limit)
    if verdict.unit == "fraction":
        return f"{verdict.limit * 100:.3g} %"
    return f"{verdict.limit:.3g}/s" if verdict.unit == "per_s" else f"{verdict.limit:.0f}"
