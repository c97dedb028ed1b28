"""p95 and p99 of one series from run to run, against its objective."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from reports.charts.canvas import Chart, inline_svg
from reports.charts.frame import Label, Room, duration_axis, end_labels, frame, name_below, share_axis
from reports.charts.marks import draw_limits, draw_line
from reports.figures import count, duration, nines
from reports.palette import LIGHT
from reports.subject import Limit

__all__ = ["trendline"]

_DRAWN = ((95.0, "accent", 2.2), (99.0, "ink", 1.2))
_MOST_TICKS = 8
_MOST_DOTS = 60


def trendline(table: pd.DataFrame, series: str, limits: Sequence[Limit], name: str) -> Chart | None:
    """A small chart of one series.

    ``table`` has one row per run in order of time, with columns ``number`` (from 1), ``comparable``, ``p95`` and
    ``p99`` in ns, NaN where the sample does not carry them. Runs that are not comparable are hollow and off the line.
    """
    shown = [(p, role, width) for p, role, width in _DRAWN if table[nines(p)].notna().any()]
    if not shown:
        return None
    figure, axes = frame(height=230, top=24)
    values = [float(value) for p, *_ in shown for value in table[nines(p)].dropna()]
    duration_axis(axes, Room.of(values, [limit.limit_ns for limit in limits]), "Response time")
    numbers = table["number"].tolist()
    step = -(-len(numbers) // _MOST_TICKS)
    ticks = numbers[::step]
    margin = max(0.5, len(numbers) / 30)
    share_axis(axes, ticks, [str(tick) for tick in ticks], numbers[0] - margin, numbers[-1] + margin)
    name_below(axes, "run, oldest first")
    labels = draw_limits(axes, limits)
    for p, role, width in shown:
        column = table[nines(p)]
        judged = column.where(table["comparable"])
        draw_line(axes, numbers, [None if pd.isna(value) else float(value) for value in judged], role, width)
        if len(numbers) <= _MOST_DOTS:
            axes.scatter(numbers, judged, s=20, color=LIGHT[role], zorder=4, clip_on=False)
        other = column.where(~table["comparable"])
        axes.scatter(numbers, other, s=26, color=LIGHT["paper"], edgecolors=LIGHT["muted"], zorder=4, clip_on=False)
        labels.append(Label(float(column.dropna().iloc[-1]), nines(p), role, bold=p == 95))
    end_labels(axes, labels)
    title = _message(table, nines(shown[0][0]))
    desc = f"{series}, run by run: {title}."
    return Chart(title, desc, inline_svg(figure, name, title, desc))


def _message(table: pd.DataFrame, percentile: str) -> str:
    judged = table.loc[table["comparable"], percentile].dropna()
    if judged.empty:
        return f"{percentile} is known of no run that can be compared"
    last = duration(float(judged.iloc[-1]))
    if len(judged) == 1:
        return f"{percentile} was {last} in the one run that can be compared"
    return (
        f"{percentile} was {last} in the last run; {duration(float(judged.min()))} to "
        f"{duration(float(judged.max()))} over {count(len(judged))} runs"
    )
