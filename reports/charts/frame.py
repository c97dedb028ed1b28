"""The empty chart: one frame, one kind of axis each for latency, time and shares, labels that never collide."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.charts.canvas import printable
from reports.figures import clock, plain
from reports.palette import LIGHT

__all__ = [
    "Label",
    "Room",
    "duration_axis",
    "end_labels",
    "even_places",
    "frame",
    "linear_axis",
    "name_below",
    "say",
    "time_axis",
]

WIDTH, HEIGHT = 560, 280
LEFT, RIGHT, TOP, BOTTOM = 70, 118, 38, 48
_GAP_PX: Final = 17
_STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)


@dataclass(frozen=True)
class Label:
    """A word at the right end of a line, beside its last value."""

    y: float
    text: str
    role: str = "ink"
    bold: bool = False


@dataclass(frozen=True)
class Room:
    """Range of a latency axis in ns."""

    low: float
    high: float
    log: bool

    @classmethod
    def of(cls, values_ns: Sequence[float], limits_ns: Sequence[float] = (), least_ns: float = math.inf) -> Room:
        """From 0 and linear, unless a limit or a tail would squash the rest: then logarithmic, from ``least_ns``."""
        values = [value for value in values_ns if value > 0] or [1e6]
        top = max([*values, *limits_ns])
        if max(values) * 6 > top and min(values) * 40 > top:
            return cls(0.0, top * 1.18, log=False)
        low = min([*values, *limits_ns, max(least_ns, top / 1e4)])
        return cls(10 ** (math.floor(math.log10(low) * 3) / 3), top * 1.8, log=True)


def frame(*, height: int = HEIGHT, right: int = RIGHT, top: int = TOP) -> tuple[Figure, Axes]:
    """An empty chart whose user units are pixels."""
    figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
    figure.patch.set_visible(False)
    axes = figure.add_axes(
        (LEFT / WIDTH, BOTTOM / height, (WIDTH - LEFT - right) / WIDTH, (height - BOTTOM - top) / height)
    )
    axes.patch.set_visible(False)
    axes.set_axisbelow(True)
    for name, spine in axes.spines.items():
        spine.set_visible(name == "bottom")
        spine.set_color(LIGHT["muted"])
        spine.set_linewidth(1)
    axes.tick_params(which="both", length=0, pad=7, labelsize=12, labelcolor=LIGHT["muted"], left=False, bottom=False)
    axes.minorticks_off()
    return figure, axes


def say(axes: Axes, x: float, y: float, text: str, role: str = "muted", **more: object) -> None:
    """Write text at pixels from the frame's left and bottom, never read as a formula."""
    height = _figure(axes).get_figheight() * 72
    place = ((x + LEFT) / WIDTH, axes.get_position().y0 + y / height)
    _figure(axes).text(*place, printable(text), fontsize=12, color=LIGHT[role], parse_math=False, **more)  # type: ignore[arg-type]


def _figure(axes: Axes) -> Figure:
    figure = axes.get_figure(root=True)
    assert figure is not None, "a frame is always in a figure"  # noqa: S101 - for the type checker
    return figure


def size_px(axes: Axes) -> tuple[float, float]:
    """Width and height of the frame in pixels."""
    box, figure = axes.get_position(), _figure(axes)
    return box.width * figure.get_figwidth() * 72, box.height * figure.get_figheight() * 72


def _ticks(axes: Axes, horizontal: bool, places: Sequence[float], words: Sequence[str]) -> None:
    axis = axes.xaxis if horizontal else axes.yaxis
    axis.set_ticks(list(places), labels=list(words))
    axis.set_ticks([], minor=True)
    for label in axis.get_ticklabels():
        label.set_parse_math(False)
    if not horizontal:
        for place in places:
            axes.axhline(place, color=LIGHT["hairline"], linewidth=1, zorder=0, clip_on=False)


def duration_axis(axes: Axes, room: Room, title: str) -> None:
    """A vertical axis of durations, its unit on every tick."""
    if room.log:
        axes.set_yscale("log")
    axes.set_ylim(room.low, room.high)
    places = _log_ticks(room.low, room.high) if room.log else even_places(room.high)
    _ticks(axes, False, places, ["0" if place == 0 else plain(place) for place in places])
    _name(axes, f"{title}{', log scale' if room.log else ''}")


def linear_axis(axes: Axes, top: float, title: str, unit: str = "", scale: float = 1.0) -> None:
    """A vertical axis from 0; values are shown divided by ``scale``, with the unit on every tick."""
    top = top if top > 0 else 1.0
    axes.set_ylim(0, top * 1.12)
    step = _nice(top * 1.12 / scale / 4)
    places = [i * step * scale for i in range(int(top * 1.12 / scale / step + 1e-9) + 1)]
    _ticks(axes, False, places, [f"{place / scale:,.10g}{unit}" for place in places])
    _name(axes, title)


def _name(axes: Axes, title: str) -> None:
    above_px = (1 - axes.get_position().y1) * _figure(axes).get_figheight() * 72
    say(axes, -LEFT + 2, size_px(axes)[1] + above_px - 16, title, va="bottom")


def name_below(axes: Axes, title: str) -> None:
    """Name the horizontal axis."""
    say(axes, size_px(axes)[0] / 2, -26, title, va="top", ha="center")


def time_axis(axes: Axes, end_s: float) -> None:
    """The run's time from its start, in minutes and seconds."""
    end_s = max(end_s, 1.0)
    axes.set_xlim(0, end_s)
    step = next((step for step in _STEPS_S if end_s / step <= 6), _STEPS_S[-1])
    places = [i * step for i in range(int(end_s // step) + 1)]
    _ticks(axes, True, places, [clock(place) for place in places])
    name_below(axes, f"time since the start, {'h:min:s' if end_s >= 3600 else 'min:s'}")


def share_axis(axes: Axes, places: Sequence[float], words: Sequence[str], low: float, high: float) -> None:
    """A horizontal axis with given ticks."""
    axes.set_xlim(low, high)
    _ticks(axes, True, places, words)


def end_labels(axes: Axes, labels: Sequence[Label], at_px: float | None = None, avoid: Sequence[float] = ()) -> None:
    """Write the labels right of the frame, each at its value's height or as near as the others allow.

    ``at_px`` is where lines end that end before the frame does, and ``avoid`` are values at which other lines go on.
    """
    width, height = size_px(axes)
    lines = [_pixel(axes, value, height) for value in avoid]
    placed = sorted(((_pixel(axes, label.y, height), label) for label in labels), key=lambda pair: pair[0])
    heights = [min(max(_off(y, lines), 0.0), height) for y, _ in placed]
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + _GAP_PX)
    top = height + 6
    for i in range(len(heights) - 1, -1, -1):
        heights[i] = min(heights[i], top)
        top = heights[i] - _GAP_PX
    for y, (_, label) in zip(heights, placed, strict=True):
        weight = "bold" if label.bold else "normal"
        say(axes, (width if at_px is None else at_px) + 8, y, label.text, label.role, va="center", fontweight=weight)


def _off(y: float, lines: Sequence[float]) -> float:
    """Half a line's height away from the nearest of the lines."""
    near = next((line for line in lines if abs(line - y) < _GAP_PX / 2), None)
    return y if near is None else near + math.copysign(_GAP_PX / 2, y - near)


def _pixel(axes: Axes, value: float, height: float) -> float:
    low, high = axes.get_ylim()
    if axes.get_yscale() == "log":
        value, low, high = math.log(max(value, 1e-9)), math.log(low), math.log(high)
    return (value - low) / (high - low) * height


def _nice(step: float) -> float:
    magnitude = 10 ** math.floor(math.log10(step))
    return float(next((m for m in (1, 2, 2.5, 5, 10) if m * magnitude >= step), 10) * magnitude)


def even_places(high: float) -> list[float]:
    """Round places from 0 up to ``high``, some four of them."""
    step = _nice(high / 4)
    return [i * step for i in range(int(high / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for parts in ((1, 2, 5), (1, 3), (1,)):
        places = [m * 10.0**decade for decade in decades for m in parts if low <= m * 10.0**decade <= high]
        if len(places) <= 7:
            return places
    return places
