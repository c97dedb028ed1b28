"""One row per steady phase, for runs that climb in steps."""

from __future__ import annotations

from dataclasses import dataclass

from loadtests.run import Run
from reports.figures import percent, rate
from reports.seriestable import Cell, percentile_cell
from reports.subject import requests
from reports.timeline import Timeline, pooled

__all__ = ["PhaseRow", "phase_rows"]


@dataclass(frozen=True)
class PhaseRow:
    """What one steady phase was offered and achieved, over all requests."""

    name: str
    load: str
    offered: str
    achieved: str
    p95: Cell
    failed: str


def phase_rows(run: Run) -> list[PhaseRow]:
    """The steady phases in order; empty when there is only one."""
    if len(run.header.steady) < 2:
        return []
    names = requests(run) or tuple(run.intervals)
    whole = Timeline(run).whole
    rows = []
    for phase in run.header.steady:
        seconds = [second for second in range(-int(-phase.start_s // 1), int(phase.end_s)) if second in whole]
        one = pooled(run, names, seconds)
        length = max(1, len(seconds))
        rows.append(
            PhaseRow(
                phase.name or phase.kind,
                phase.load,
                rate(one.count / length),
                rate(one.completed / length),
                percentile_cell(one.response, 95.0),
                percent(one.failed / one.count if one.count else 0.0),
            )
        )
    return rows
