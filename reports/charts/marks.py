"""What every chart over time shows behind its lines: phases, partial seconds, incidents, limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from loadtests.header import PhaseSpan
from reports.charts.frame import Label, say, size_px
from reports.figures import clock, nines, plain
from reports.incident import Incident
from reports.palette import LIGHT
from reports.subject import Limit
from reports.timeline import Timeline

__all__ = ["CHARACTER_PX", "draw_limits", "draw_line", "draw_marks", "marks_caption", "worded_phases"]

CHARACTER_PX: Final = 8.5
"""Width of a character as large as a phone shows it."""
_MOST_MARKS: Final = 9


def draw_marks(axes: Axes, timeline: Timeline, incidents: Sequence[Incident] = ()) -> None:
    """Shade what is not judged, name the phases, and mark partial seconds and incidents."""
    width, height = size_px(axes)
    scale = width / max(timeline.end_s, 1.0)
    for phase in timeline.phases:
        if phase.kind != "steady":
            axes.axvspan(phase.start_s, phase.end_s, color=LIGHT["band"], linewidth=0, zorder=-3)
        elif phase.start_s > 0:
            axes.axvline(phase.start_s, color=LIGHT["hairline"], linewidth=1, zorder=-2)
    if settling := timeline.settling:
        axes.axvspan(*settling, color=LIGHT["band"], alpha=0.55, linewidth=0, zorder=-3)
    for start_s, words in worded_phases(timeline.phases, scale):
        say(axes, start_s * scale + 2, height + 4, words, va="bottom")
    for second in timeline.partial:
        axes.axvspan(second, timeline.end_s, color=LIGHT["warning"], alpha=0.35, linewidth=0, zorder=-1)
    last_px = -100.0
    for incident in incidents[:_MOST_MARKS]:
        if 0 <= incident.at_s <= timeline.end_s:
            axes.axvline(incident.at_s, color=LIGHT["warning"], linewidth=1.25, linestyle=(0, (2, 3)), zorder=1)
            at_px = incident.at_s * scale
            if at_px - last_px >= 2 * CHARACTER_PX + 4:
                say(axes, at_px + 3, height - 3, str(incident.number), "warning", va="top", fontweight="bold")
                last_px = at_px


def worded_phases(phases: Sequence[PhaseSpan], px_per_s: float) -> Iterator[tuple[float, str]]:
    """Where each phase's name goes, and as much of it as has room; nothing where hardly a word has."""
    for phase in phases:
        room = int((phase.end_s - phase.start_s) * px_per_s / CHARACTER_PX)
        name = phase.name or phase.kind
        wordings = (f"{name}, {phase.load}" if phase.load else name, name, phase.kind)
        words = next((words for words in wordings if len(words) <= room), "")
        if words:
            yield phase.start_s, words


def marks_caption(timeline: Timeline, incidents: Sequence[Incident] = ()) -> str:
    """How to read the marks, said only of those that are there."""
    parts = []
    if any(phase.kind != "steady" for phase in timeline.phases):
        parts.append("Shaded: not judged.")
    if timeline.settling:
        parts.append(
            f"Lightly shaded: judged, but not yet steady by its own signals, to {clock(timeline.settling[1])}."
        )
    if timeline.partial:
        parts.append(f"The second at {clock(timeline.partial[0])} was cut short; it is marked and not drawn.")
    if incidents:
        more = f" (the first {_MOST_MARKS} of {len(incidents)})" if len(incidents) > _MOST_MARKS else ""
        parts.append(f"Numbered dashes: what happened{more}, listed below.")
    return " ".join(parts)


def draw_line(
    axes: Axes, x: Sequence[float], y: Sequence[float | None], role: str, width: float = 1.6, dash: str = ""
) -> None:
    """A line that stops where a value is missing; a value between two gaps is a short dash."""
    values: NDArray[np.float64] = np.array([np.nan if value is None else value for value in y], dtype=float)
    times = np.asarray(x, dtype=float)
    style = {"": "solid", "-": (0, (5, 3)), ".": (0, (1.5, 2.5))}[dash]
    axes.plot(
        times, values, color=LIGHT[role], linewidth=width, linestyle=style, clip_on=False, solid_joinstyle="round"
    )
    known = np.isfinite(values)
    alone = known & ~np.roll(known, 1) & ~np.roll(known, -1) if len(values) > 2 else known & (known.sum() == 1)
    half = (times[1] - times[0]) / 3 if len(times) > 1 else 0.5
    for at, value in zip(times[alone], values[alone], strict=True):
        axes.plot([at - half, at + half], [value, value], color=LIGHT[role], linewidth=width, clip_on=False)


def draw_limits(axes: Axes, limits: Iterable[Limit]) -> list[Label]:
    """The objectives' lines, and the labels that name them."""
    labels = []
    for limit in limits:
        axes.axhline(limit.limit_ns, color=LIGHT["failure"], linewidth=1.25, linestyle=(0, (6, 3)), zorder=2)
        labels.append(Label(limit.limit_ns, f"{nines(limit.percentile)} < {plain(limit.limit_ns)}", "failure"))
    return labels
