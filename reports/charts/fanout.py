"""The fan-out curve: what a message took to its first, its middle and its last subscriber, by how many there were."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadtests.run import Run
from reports.charts.canvas import Chart, inline_svg
from reports.charts.frame import Label, Room, duration_axis, end_labels, even_places, frame, name_below, share_axis
from reports.charts.marks import draw_line
from reports.figures import count, duration

__all__ = ["Reach", "fan_out_curve", "reaches", "slope_us"]

_BINS = 40


@dataclass(frozen=True)
class Reach:
    """Messages to about so many subscribers, and the means of what they took, in µs."""

    subscribers: float
    messages: int
    first_us: float
    median_us: float
    last_us: float


def reaches(rows: Sequence[Mapping[str, int]]) -> list[Reach]:
    """A run's messages by number of subscribers, in at most 40 steps; ``rows`` are its ``fan_outs``."""
    most = max((row["subscribers"] for row in rows), default=0)
    width = max(1, -(-most // _BINS))
    sums: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for row in rows:
        step = sums[(row["subscribers"] - 1) // width]
        step["reached"] += row["subscribers"] * row["messages"]
        for name in ("messages", "first_us", "median_us", "last_us"):
            step[name] += row[name]
    found = []
    for _, step in sorted(sums.items()):
        n = step["messages"]
        means = [step[name] / n for name in ("reached", "first_us", "median_us", "last_us")]
        found.append(Reach(means[0], n, *means[1:]))
    return found


def slope_us(found: list[Reach]) -> float:
    """What each further subscriber adds to the last delivery, in µs: least squares, weighted by messages."""
    n = sum(one.messages for one in found)
    x = sum(one.messages * one.subscribers for one in found) / n
    y = sum(one.messages * one.last_us for one in found) / n
    spread = sum(one.messages * (one.subscribers - x) ** 2 for one in found)
    return sum(one.messages * (one.subscribers - x) * (one.last_us - y) for one in found) / spread if spread else 0.0


def fan_out_curve(run: Run, name: str) -> Chart | None:
    """None where all messages had as many subscribers, but for two steps: that is no curve."""
    found = reaches(run.fan_outs)
    if len(found) < 3:
        return None
    figure, axes = frame()
    at = [one.subscribers for one in found]
    lines = {"first": "muted", "median": "ink", "last": "accent"}
    values = {word: [getattr(one, f"{word}_us") * 1000 for one in found] for word in lines}
    everything = [value for line in values.values() for value in line]
    duration_axis(axes, Room.of(values["last"], (), min(everything)), "Mean time to the ... subscriber")
    places = [place for place in even_places(at[-1]) if place == round(place)]
    share_axis(axes, places, [count(place) for place in places], 0, at[-1] * 1.02)
    name_below(axes, "subscribers of a message")
    for word, role in lines.items():
        draw_line(axes, at, list(values[word]), role, 2.2 if word == "last" else 1.4, "" if word == "last" else "-")
    end_labels(axes, [Label(values[word][-1], word, role, bold=word == "last") for word, role in lines.items()])
    most = found[-1]
    title = f"{count(round(most.subscribers))} subscribers all had a message after {duration(most.last_us * 1000)}"
    each = slope_us(found)
    if each > 0:
        title += f"; each further one adds {duration(each * 1000)}"
    caption = (
        f"Means over {count(sum(one.messages for one in found))} messages of the whole run that reached everybody."
    )
    desc = f"Time to the first, the middle and the last subscriber, by number of subscribers. {title}."
    return Chart(title, desc, inline_svg(figure, name, title, desc), caption)
