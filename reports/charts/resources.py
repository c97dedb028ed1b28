"""What the generator and the target used, on the run's own time axis; one chart per unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from loadtests.run import Run
from reports.charts.canvas import Chart, inline_svg
from reports.charts.frame import Label, end_labels, frame, linear_axis, time_axis
from reports.charts.marks import draw_line, draw_marks
from reports.figures import count, size, span
from reports.incident import Incident
from reports.timeline import Timeline

__all__ = ["resource_charts"]

_MOST_POINTS: Final = 120


@dataclass(frozen=True)
class _Line:
    column: str
    word: str
    role: str
    dash: str = ""
    width: float = 1.6


_CPU: Final = (
    _Line("target_cpu_percent", "target", "accent", width=2.2),
    _Line("generator_cpu_percent", "generator", "ink"),
    _Line("swarm_cpu_percent", "swarm", "ink", "."),
    _Line("machine_cpu_percent", "machine", "muted", "-"),
)
_MEMORY: Final = (
    _Line("target_rss_bytes", "target", "accent", width=2.2),
    _Line("generator_rss_bytes", "generator", "ink"),
)
_DESCRIPTORS: Final = (_Line("target_fds", "target", "accent", width=2.2),)
_CONNECTIONS: Final = _Line("connections", "connections", "ink")
_PEOPLE: Final = (
    _Line("users", "users", "accent", width=2.2),
    _CONNECTIONS,
    _Line("in_flight", "in flight", "muted"),
    _Line("waiting", "waiting", "warning", "-"),
)


def resource_charts(run: Run, timeline: Timeline, incidents: Sequence[Incident], name: str) -> list[Chart]:
    """Up to four charts, of what was read: processor, memory, descriptors, and how many were busy."""
    rows = [row for row in run.resources if 0 <= row.get("at_s", -1.0) <= timeline.end_s]
    users = any(row.get("users") for row in rows)
    people = (_PEOPLE, "Users, connections, requests") if users else ((_CONNECTIONS,), "Live connections")
    charts = []
    for key, lines, axis, unit, scale, message in (
        ("cpu", _CPU, "Processor, 100 % = one core", " %", 1.0, _cpu_message),
        ("memory", _MEMORY, "Resident memory", "", 0.0, _memory_message),
        ("descriptors", _DESCRIPTORS, "Open descriptors", "", 1.0, _descriptors_message),
        ("people", *people, "", 1.0, _people_message),
    ):
        known = [line for line in lines if any(line.column in row for row in rows)]
        if not known:
            continue
        peaks = {line.column: max(row[line.column] for row in rows if line.column in row) for line in known}
        figure, axes = frame()
        top = max(peaks.values())
        if not scale:
            scale, unit = (1e9, " GB") if top >= 1e9 else (1e6, " MB")
        linear_axis(axes, top, axis, unit, scale)
        time_axis(axes, timeline.end_s)
        draw_marks(axes, timeline, incidents)
        labels = []
        for line in known:
            x, y = _binned(rows, line.column)
            draw_line(axes, x, y, line.role, line.width, line.dash)
            labels.append(Label(y[-1], line.word, line.role, bold=line.role == "accent"))
        end_labels(axes, labels)
        title = message(peaks, rows)
        desc = f"{axis} over {span(timeline.end_s)}. {title}."
        caption = "The machine's line is the share of all its cores." if "machine_cpu_percent" in peaks else ""
        charts.append(Chart(title, desc, inline_svg(figure, f"{name}-{key}", title, desc), caption))
    return charts


def _binned(rows: Sequence[Mapping[str, float]], column: str) -> tuple[list[float], list[float]]:
    """The readings, averaged over equal numbers of rows where there are many."""
    known = [(row["at_s"], row[column]) for row in rows if column in row]
    parts = np.array_split(np.array(known), min(len(known), _MOST_POINTS))
    means = [part.mean(axis=0) for part in parts]
    return [float(mean[0]) for mean in means], [float(mean[1]) for mean in means]


def _cpu_message(peaks: Mapping[str, float], rows: Sequence[Mapping[str, float]]) -> str:
    ours = [peaks[column] for column in ("generator_cpu_percent", "swarm_cpu_percent") if column in peaks]
    parts = [f"the target at {peaks['target_cpu_percent']:.0f} %"] if "target_cpu_percent" in peaks else []
    parts += [f"the generator's busiest process at {max(ours):.0f} %"] if ours else []
    words = " and ".join(parts) or f"machine at {peaks[next(iter(peaks))]:.0f} %"
    return f"Peaks: {words} of one core"


def _memory_message(peaks: Mapping[str, float], rows: Sequence[Mapping[str, float]]) -> str:
    column = next(iter(peaks))
    before, after = _ends(rows, column)
    who = "The target's memory" if column.startswith("target") else "The generator's memory"
    if abs(after - before) < 0.03 * before:
        return f"{who} stayed at {size(after)}"
    return f"{who} {'grew' if after > before else 'fell'} from {size(before)} to {size(after)}"


def _descriptors_message(peaks: Mapping[str, float], rows: Sequence[Mapping[str, float]]) -> str:
    before, after = (round(end) for end in _ends(rows, next(iter(peaks))))
    if before == after:
        return f"The target's open descriptors stayed at {count(after)}"
    return (
        f"The target's open descriptors {'grew' if after > before else 'fell'} from {count(before)} to {count(after)}"
    )


def _ends(rows: Sequence[Mapping[str, float]], column: str) -> tuple[float, float]:
    """What the first and the last tenth of the readings were, on average."""
    values = [row[column] for row in rows if column in row]
    tenth = max(1, len(values) // 10)
    return float(np.mean(values[:tenth])), float(np.mean(values[-tenth:]))


def _people_message(peaks: Mapping[str, float], rows: Sequence[Mapping[str, float]]) -> str:
    words = {
        "users": ("user", "users"),
        "connections": ("connection", "connections"),
        "in_flight": ("request in flight", "requests in flight"),
        "waiting": ("waiting for a user", "waiting for a user"),
    }
    return "At most " + ", ".join(f"{count(peak)} {words[column][peak != 1]}" for column, peak in peaks.items())
