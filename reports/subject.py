"""What a chart is about: a series, or a pool of them, with the latency limits that were set on it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from loadtests.errors import ObjectiveError
from loadtests.objective import Objective, parse_objective
from loadtests.run import Run
from loadtests.series import DELIVER, is_derived, is_request, is_stray, is_swarm
from loadtests.verdict import Status, Verdict

__all__ = [
    "Limit",
    "Subject",
    "closeness",
    "live",
    "offered",
    "parsed",
    "requests",
    "spelled",
    "subjects",
]

_POOL: Final = re.compile(r" \(\d+ series\)$")
"""What the judge adds to a glob that stands for several series."""

_SEVERITY = {Status.FAIL: 0, Status.INVALID: 1, Status.INCONCLUSIVE: 2, Status.PASS: 3}


@dataclass(frozen=True)
class Limit:
    """A latency limit: at most so long at this percentile."""

    percentile: float
    limit_ns: float
    text: str


@dataclass(frozen=True)
class Subject:
    """Series seen as one thing."""

    label: str
    series: tuple[str, ...]
    limits: tuple[Limit, ...] = ()
    status: Status | None = None


def requests(run: Run) -> tuple[str, ...]:
    """Every series of requests: no WebSocket operation, no arrival that never became one, no raised user code."""
    return tuple(name for name in run.intervals if is_request(name))


def offered(run: Run) -> tuple[str, ...]:
    """What the plan asked for: requests, and arrivals that were dropped before it was known what they would be."""
    return tuple(name for name in run.intervals if is_request(name) or is_stray(name))


def live(run: Run) -> tuple[str, ...]:
    """Every series of the WebSocket swarm that counts what no other counts."""
    return tuple(name for name in run.intervals if is_swarm(name) and not is_derived(name))


def derived(run: Run) -> tuple[str, ...]:
    """Series that tell once more, in another way, what others count."""
    return tuple(name for name in run.intervals if is_derived(name))


def nearness(verdict: Verdict) -> float:
    """How much of the limit is used: an observed percentile over its limit, or the budget spent."""
    observed, limit = verdict.observed, verdict.limit
    if verdict.kind in ("latency", "gap", "displacement") and observed is not None:
        return observed / limit
    if verdict.kind in ("throughput", "fairness") and observed:
        return limit / observed
    if verdict.budget_spent is None and observed and not limit:
        return float("inf")
    return verdict.budget_spent or 0.0


def closeness(verdict: Verdict) -> tuple[int, float]:
    """Sort key: failed first, then whatever is nearest to its limit or budget."""
    return _SEVERITY[verdict.status], -nearness(verdict)


def parsed(verdict: Verdict) -> Objective | None:
    """The objective's line, parsed; None when it is written in a way that this version does not know."""
    try:
        return parse_objective(verdict.objective, series=_POOL.sub("", verdict.series))
    except ObjectiveError:
        return None


def spelled(series: str) -> str:
    """A verdict's series in words: ``*`` and its pool are all series together."""
    return "All series together" if _POOL.sub("", series) == "*" else series


def subjects(run: Run) -> list[Subject]:
    """What latency charts are about, worst first: whatever has a latency objective, then what has none."""
    found: dict[tuple[str, ...], Subject] = {}
    verdicts = run.verdict.verdicts if run.verdict else ()
    for verdict in sorted(verdicts, key=closeness):
        objective = parsed(verdict)
        if verdict.kind != "latency" or objective is None or objective.percentile is None:
            continue
        bound = (name for name in run.intervals if objective.matches(name))
        series = tuple(name for name in bound if is_request(name) or is_swarm(name))
        if not series:
            continue
        limit = Limit(objective.percentile, verdict.limit, verdict.objective)
        before = found.get(series)
        label = spelled(verdict.series)
        found[series] = (
            Subject(before.label, series, (*before.limits, limit), before.status)
            if before
            else Subject(label, series, (limit,), verdict.status)
        )
    covered = {name for subject in found.values() for name in subject.series}
    rest = [
        Subject("All requests together", requests(run)) if not covered.intersection(requests(run)) else None,
        *(Subject(name, (name,)) for name in live(run) if name == DELIVER and name not in covered),
    ]
    return [*found.values(), *(subject for subject in rest if subject and subject.series)]
