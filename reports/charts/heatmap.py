"""The latency heat-map: every request of every whole second, darker where more of them lie."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from numpy.typing import NDArray

from loadtests.histogram import bucket_lowest_us
from reports.charts.canvas import Chart, inline_svg
from reports.charts.frame import Label, Room, duration_axis, end_labels, frame, time_axis
from reports.charts.marks import draw_limits, draw_marks, marks_caption
from reports.figures import clock, duration, percent, span
from reports.incident import Incident
from reports.palette import LIGHT
from reports.subject import Limit
from reports.timeline import Bin, Timeline

__all__ = ["density", "heatmap"]

_ROWS: Final = 26
_SHADES: Final = (0.10, 0.22, 0.38, 0.58, 0.80, 1.0)
_MOST_COLUMNS: Final = 72
_MOST_LIMITS: Final = 3
_BEYOND: Final = 1 / 1000
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def heatmap(
    series: Iterable[str],
    limits: Sequence[Limit],
    timeline: Timeline,
    incidents: Sequence[Incident],
    name: str,
    word: str = "response time",
) -> Chart | None:
    """The density of some series' successes over time and latency; None of no request."""
    bins = timeline.bins(series, _column_s(timeline))
    filled = [one for one in bins if one.interval.response.index.size]
    if not filled:
        return None
    shown = _shown(limits)
    low_us = min(int(bucket_lowest_us(one.interval.response.index[:1])[0]) for one in filled)
    high_us = max(one.interval.response.max_us for one in filled)
    edges = [max(1, low_us) * 1e3, max(high_us, low_us + 1) * 1e3, *(limit.limit_ns for limit in shown)]
    room = Room(min(edges) * 0.8, max(edges) * 1.8, log=True)
    figure, axes = frame()
    duration_axis(axes, room, word.capitalize())
    time_axis(axes, timeline.end_s)
    draw_marks(axes, timeline, incidents)
    grid = density(bins, room.low, room.high)
    for level, shade in enumerate(_SHADES, 1):
        boxes = list(_boxes(_levels(grid) == level, bins, room))
        if boxes:
            path = Path.make_compound_path(*boxes)
            axes.add_patch(PathPatch(path, facecolor=LIGHT["accent"], alpha=shade, linewidth=0, clip_on=False))
    labels = draw_limits(axes, shown)
    end_labels(axes, [*labels, Label(_median_ns(bins), "median", "accent")])
    title = _message(timeline.judged(filled))
    caption = f"Each column is {span(bins[0].width_s)}; darker holds more requests, in logarithmic steps."
    desc = f"Heat-map of {word} over {span(timeline.end_s)}, on a logarithmic axis. {title}."
    svg = inline_svg(figure, name, title, desc)
    return Chart(title, desc, svg, " ".join(filter(None, [caption, marks_caption(timeline, incidents)])))


def density(bins: Sequence[Bin], low_ns: float, high_ns: float) -> IntArray:
    """Requests per row (latency, equal steps of its logarithm) and column (time), shape (26, columns)."""
    grid = np.zeros((_ROWS, len(bins)), dtype=np.int64)
    scale = _ROWS / (math.log(high_ns) - math.log(low_ns))
    for column, one in enumerate(bins):
        histogram = one.interval.response
        middle_ns = (bucket_lowest_us(histogram.index) + bucket_lowest_us(histogram.index + 1) - 1) * 500.0
        rows = ((np.log(np.maximum(middle_ns, low_ns)) - math.log(low_ns)) * scale).astype(np.int64)
        np.add.at(grid[:, column], np.minimum(rows, _ROWS - 1), histogram.counts)
    return grid


def _levels(grid: IntArray) -> IntArray:
    """Shade of each cell: 0 of none, else 1 to 6 by the logarithm of its count."""
    top = max(2, int(grid.max()))
    with np.errstate(divide="ignore"):
        part = np.log(np.maximum(grid, 1)) / math.log(top)
    levels: IntArray = np.where(grid > 0, 1 + np.floor(part * (len(_SHADES) - 1e-9)), 0).astype(np.int64)
    return np.minimum(levels, len(_SHADES))


def _boxes(mask: NDArray[np.bool_], bins: Sequence[Bin], room: Room) -> Iterator[Path]:
    """One box for each run of neighbours in a row."""
    step = (math.log(room.high) - math.log(room.low)) / _ROWS
    for row in range(_ROWS):
        bottom, top = (math.exp(math.log(room.low) + k * step) for k in (row, row + 1))
        column = 0
        while column < len(bins):
            start = column
            while column < len(bins) and mask[row, column]:
                column += 1
            if column > start:
                left, right = bins[start].start_s, bins[column - 1].start_s + bins[column - 1].seconds
                yield Path([(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)], closed=True)
            else:
                column += 1


def _column_s(timeline: Timeline) -> int:
    least = max(1, math.ceil(len(timeline.whole) / _MOST_COLUMNS))
    return next((step for step in (1, 2, 5, 10, 15, 20, 30, 60) if step >= least), 60 * math.ceil(least / 60))


def _shown(limits: Sequence[Limit]) -> list[Limit]:
    """A few distinct limits, the strictest and the loosest among them."""
    distinct = sorted(
        {(limit.limit_ns, limit.percentile): limit for limit in limits}.values(), key=lambda x: x.limit_ns
    )
    return distinct if len(distinct) <= _MOST_LIMITS else [distinct[0], distinct[-1]]


def _median_ns(bins: Sequence[Bin]) -> float:
    values = sorted(v for one in bins if (v := one.interval.response.percentile_us(50)) is not None)
    return values[len(values) // 2] * 1000


def _message(known: Sequence[Bin]) -> str:
    middle = _median_ns(known)
    worst = max(known, key=lambda one: one.interval.response.max_us)
    slow = sum(one.interval.response.count_above_us(int(middle / 100)) for one in known)
    total = sum(one.interval.response.total for one in known)
    longest = duration(worst.interval.response.max_us * 1000.0)
    words = f"Half took under {duration(middle)}; the slowest, {longest}, came at {clock(worst.start_s)}"
    return words + (f"; {percent(slow / total, 2)} took ten times the median" if slow / total > _BEYOND else "")
