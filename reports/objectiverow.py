"""Objectives as rows: what was asked, what was seen with its bounds, and a bar with both on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from loadtests.run import Run
from loadtests.series import is_swarm
from loadtests.verdict import Verdict
from reports.figures import NOTHING, apart, count, duration, percent, plain, rate, significant
from reports.headline import StatusView, status_view
from reports.subject import closeness, parsed, spelled

__all__ = ["BAR_LIMIT_PX", "BAR_PX", "Bar", "ObjectiveRow", "objective_rows"]

BAR_PX: Final = 240
BAR_LIMIT_PX: Final = 160
"""Where the limit stands in every bar, so that the limits of all rows line up."""


_WRITE: Final = {
    "latency": duration,
    "gap": duration,
    "share": percent,
    "least": percent,
    "throughput": rate,
}


@dataclass(frozen=True)
class Bar:
    """Places on the bar in pixels; the scale goes from 0 over the limit to one and a half times the limit."""

    observed: float
    lower: float | None
    upper: float | None
    limit: float
    beyond: bool
    """The observed value or its upper bound lies off the scale."""


@dataclass(frozen=True)
class ObjectiveRow:
    """One objective on one series."""

    objective: str
    series: str
    status: StatusView
    reason: str
    observed: str
    bounds: str
    limit: str
    floor: str
    """What the harness takes of its own at this percentile, by its calibration."""
    n: str
    worth: str
    """What the requests are worth after their dependence in time."""
    lag_1: str
    """How alike the bad shares of neighbouring seconds are."""
    bad: str
    spent: str
    bar: Bar | None
    desc: str
    notes: tuple[str, ...]


def objective_rows(run: Run) -> list[ObjectiveRow]:
    """All objectives, failed and closest first."""
    return [_row(one, _floor(run, one)) for one in sorted(run.verdict.verdicts, key=closeness)] if run.verdict else []


def _floor(run: Run, verdict: Verdict) -> str:
    objective = parsed(verdict)
    if verdict.kind != "latency" or objective is None or objective.percentile is None or is_swarm(verdict.series):
        return ""
    floor_ms = run.header.floor_ms(objective.percentile)
    return "" if floor_ms is None else duration(floor_ms * 1e6)


def _row(verdict: Verdict, floor: str) -> ObjectiveRow:
    observed = _write(verdict, verdict.observed) if not _unbounded(verdict) else "unbounded"
    known = verdict.lower is not None and verdict.upper is not None
    bounds = _between(_write(verdict, verdict.lower), _write(verdict, verdict.upper)) if known else ""
    limit = plain(verdict.limit) if verdict.unit == "ns" else _write(verdict, verdict.limit)
    view = status_view(verdict.status)
    desc = f"{verdict.objective} on {verdict.series}: observed {observed}"
    desc += f", between {bounds}" if bounds else ""
    return ObjectiveRow(
        objective=verdict.objective,
        series=spelled(verdict.series),
        status=view,
        reason=verdict.reason,
        observed=observed,
        bounds=bounds,
        limit=limit,
        floor=floor,
        n=count(verdict.n),
        worth="" if verdict.n_effective is None else count(verdict.n_effective),
        lag_1="" if verdict.lag_1 is None else f"{verdict.lag_1:.2f}",
        bad=count(verdict.bad),
        spent=percent(verdict.budget_spent) if verdict.budget_spent is not None else "",
        bar=_bar(verdict),
        desc=f"{desc}, limit {limit}: {view.word}.",
        notes=verdict.notes,
    )


def _unbounded(verdict: Verdict) -> bool:
    """Whether so many failed that the percentile lies beyond every answered request."""
    return verdict.observed is None and verdict.unit == "ns" and verdict.n > 0


def _write(verdict: Verdict, value: float | None) -> str:
    if value is None:
        return NOTHING
    if verdict.kind in ("count", "displacement"):
        return count(value)
    write = _WRITE.get(verdict.kind, significant)
    return apart(write, value, verdict.limit)


def _between(low: str, high: str) -> str:
    """``70.2 to 78.9 ms``, the unit once when both have the same."""
    if low == high:
        return low
    number, _, unit = low.partition(" ")
    return f"{number if unit and high.endswith(f' {unit}') else low} to {high}"


def _bar(verdict: Verdict) -> Bar | None:
    if _unbounded(verdict):
        return Bar(BAR_PX, None, None, BAR_LIMIT_PX, beyond=True)
    if verdict.observed is None:
        return None
    if verdict.kind == "least" and verdict.budget:  # what is missing, against what may be
        ends = (verdict.bad_fraction, verdict.bad_lower, verdict.bad_upper)
        return _scaled(verdict.budget, ends)
    if not verdict.limit:
        return Bar(BAR_PX if verdict.observed > 0 else 0, None, None, 1, beyond=False)
    return _scaled(verdict.limit, (verdict.observed, verdict.lower, verdict.upper))


def _scaled(limit: float, values: Sequence[float | None]) -> Bar:
    ends = [None if value is None else value * BAR_LIMIT_PX / limit for value in values]
    observed, lower, upper = (None if end is None else round(min(max(end, 0.0), BAR_PX), 1) for end in ends)
    beyond = any(end is not None and end > BAR_PX for end in ends)
    return Bar(observed or 0.0, lower, upper, BAR_LIMIT_PX, beyond)
