"""Counts beside each other: a bar, a word and a figure for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.charts.canvas import Chart, inline_svg
from reports.charts.frame import LEFT, TOP, WIDTH, frame, say, size_px
from reports.figures import count
from reports.palette import LIGHT

__all__ = ["Bar", "bars"]

_ROW_PX = 30
_BAR_PX = 14
_WORDS_PX = 210
_FIGURE_PX = 90
_LEAST_PX = 2.0


@dataclass(frozen=True)
class Bar:
    """One count; ``role`` is its colour."""

    word: str
    n: int
    role: str = "accent"


def bars(found: Sequence[Bar], name: str, title: str, desc: str, caption: str = "") -> Chart | None:
    """The bars from top to bottom, all to one scale; whatever is not 0 is seen. None of nothing."""
    if not any(bar.n for bar in found):
        return None
    figure, axes = frame(height=TOP + _ROW_PX * len(found) + 60, right=8, top=8)
    width, height = size_px(axes)
    room = width + LEFT - _WORDS_PX - _FIGURE_PX
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.set_axis_off()
    most = max(bar.n for bar in found)
    for row, bar in enumerate(found):
        middle = height - _ROW_PX * (row + 0.5)
        long = max(_LEAST_PX, room * bar.n / most) if bar.n else 0.0
        say(axes, _WORDS_PX - LEFT - 10, middle, bar.word, "ink", va="center", ha="right")
        if long:
            axes.barh(middle, long, height=_BAR_PX, left=_WORDS_PX - LEFT, color=LIGHT[bar.role], linewidth=0)
        bold = "bold" if bar.role == "failure" and bar.n else "normal"
        say(axes, _WORDS_PX - LEFT + long + 8, middle, count(bar.n), bar.role, va="center", fontweight=bold)
    assert width + LEFT <= WIDTH  # noqa: S101 -- what the numbers above are made for
    return Chart(title, desc, inline_svg(figure, name, title, desc), caption)
