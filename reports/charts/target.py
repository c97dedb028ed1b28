"""The target's own numbers over the run: what its cache had, and how late its event loop woke."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from loadtests.run import Run
from reports.charts.canvas import Chart, inline_svg
from reports.charts.frame import Label, end_labels, frame, linear_axis, time_axis
from reports.charts.marks import draw_line, draw_marks
from reports.figures import duration, percent, span
from reports.incident import Incident
from reports.targettable import cache_pairs, named
from reports.timeline import Timeline

__all__ = ["target_charts"]

_MOST_POINTS: Final = 120
_GAP_S: Final = 2.5
"""Between readings further apart no line is drawn."""

Step = tuple[float, float, float, float]
"""From and until, in seconds from the start; by how much the part and the whole grew."""


def target_charts(run: Run, timeline: Timeline, incidents: Sequence[Incident], name: str) -> list[Chart]:
    """Up to two charts, of what the target tells."""
    account, steady = run.target_account, set(run.header.steady_seconds())
    charts = []
    for found, missed in cache_pairs(account)[:1]:
        steps = [(a, b, had, had + had_not) for a, b, had, had_not in _steps(run, timeline, found, missed)]
        if share := _ratio([step for step in steps if _middle_s(step) // 1 in steady] or steps):
            title = f"The cache had {percent(share)} of what it was asked for"
            charts.append(
                _chart(timeline, incidents, f"{name}-cache", title, "Answers the cache had", steps, 100, " %")
            )
    total, n = named(account, "loop_lag_seconds_sum"), named(account, "loop_lag_seconds_count")
    if total is not None and n is not None:
        steps = _steps(run, timeline, total, n)
        late = _ratio([step for step in steps if _middle_s(step) // 1 in steady] or steps)
        if late is not None:
            most_s = max(_ratio([step]) or 0.0 for step in steps)
            woke = f"The event loop woke {duration(late * 1e9)} late on average"
            title = f"{woke}, {duration(most_s * 1e9)} in the worst second"
            axis = "How late the event loop woke, mean"
            charts.append(_chart(timeline, incidents, f"{name}-lag", title, axis, steps, 1000, " ms"))
    return charts


def _steps(run: Run, timeline: Timeline, part: str, whole: str) -> list[Step]:
    """What both grew by between the same readings."""
    series = run.target_account.series
    wholes = {(a_s, b_s): n for a_s, b_s, n in series[whole].increases()}
    return [
        (a_s, b_s, grown, wholes[a_s, b_s])
        for a_s, b_s, grown in series[part].increases()
        if (a_s, b_s) in wholes and a_s >= 0 and b_s <= timeline.end_s + 1
    ]


def _middle_s(step: Step) -> float:
    return (step[0] + step[1]) / 2


def _ratio(steps: Sequence[Step]) -> float | None:
    whole = sum(step[3] for step in steps)
    return sum(step[2] for step in steps) / whole if whole else None


def _chart(
    timeline: Timeline,
    incidents: Sequence[Incident],
    name: str,
    title: str,
    axis: str,
    steps: Sequence[Step],
    scale: float,
    unit: str,
) -> Chart:
    x: list[float] = []
    y: list[float] = []
    for places in np.array_split(np.arange(len(steps)), min(len(steps), _MOST_POINTS)):
        together = [steps[place] for place in places]
        value = _ratio(together)
        apart = any(b_s - a_s > _GAP_S for a_s, b_s, _, _ in together)
        x.append((together[0][0] + together[-1][1]) / 2)
        y.append(math.nan if value is None or apart else value * scale)
    known = [value for value in y if not math.isnan(value)]
    figure, axes = frame()
    linear_axis(axes, 100 if unit == " %" else max(known, default=0.0), axis, unit)
    time_axis(axes, timeline.end_s)
    draw_marks(axes, timeline, incidents)
    draw_line(axes, x, y, "accent", 2.2)
    end_labels(axes, [Label(value, "target", "accent", bold=True) for value in known[-1:]])
    desc = f"{axis} over {span(timeline.end_s)}. {title}."
    caption = "By the target's own metrics, read once a second."
    return Chart(title, desc, inline_svg(figure, name, title, desc), caption)
