"""Fan-out: what a message took to its first, middle and last subscriber, and what was lost, by how many there were."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadtests.run import Run
from reports.charts.canvas import Chart, inline_svg
from reports.charts.frame import (
    Label,
    Room,
    duration_axis,
    end_labels,
    even_places,
    frame,
    linear_axis,
    name_below,
    share_axis,
)
from reports.charts.marks import draw_line
from reports.figures import count, duration, percent
from reports.palette import LIGHT

__all__ = ["Reach", "fan_out_curve", "fan_out_losses", "reaches", "slope_us"]

_BINS = 40


@dataclass(frozen=True)
class Reach:
    """Messages to about so many subscribers: of those that reached all, the means of what they took, in µs.

    ``lost`` of the ``due`` deliveries were lost, all of them of the ``incomplete`` messages, which the others are
    without.
    """

    subscribers: float
    messages: int
    first_us: float
    median_us: float
    last_us: float
    incomplete: int = 0
    lost: int = 0
    due: int = 0

    @property
    def lost_share(self) -> float:
        """The lost fraction of the deliveries."""
        return self.lost / self.due if self.due else 0.0


def reaches(rows: Sequence[Mapping[str, int]]) -> list[Reach]:
    """A run's messages by number of subscribers, in at most 40 steps; ``rows`` are its ``fan_outs``."""
    most = max((row["subscribers"] for row in rows), default=0)
    width = max(1, -(-most // _BINS))
    sums: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for row in rows:
        step = sums[(row["subscribers"] - 1) // width]
        step["due"] += row["subscribers"] * (row.get("messages", 0) + row.get("incomplete", 0))
        for name in ("messages", "first_us", "median_us", "last_us", "incomplete", "lost"):
            step[name] += row.get(name, 0)
    found = []
    for _, step in sorted(sums.items()):
        n, incomplete, due = step["messages"], step["incomplete"], step["due"]
        first_us, median_us, last_us = (step[name] / max(n, 1) for name in ("first_us", "median_us", "last_us"))
        found.append(Reach(due / (n + incomplete), n, first_us, median_us, last_us, incomplete, step["lost"], due))
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
    found = [one for one in reaches(run.fan_outs) if one.messages]
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


def fan_out_losses(run: Run, name: str) -> Chart | None:
    """What was lost by number of subscribers; None where nothing was, or where all messages had as many."""
    found = reaches(run.fan_outs)
    worst = max(found, key=lambda one: one.lost_share, default=None)
    if worst is None or not worst.lost or len(found) < 2:
        return None
    figure, axes = frame()
    linear_axis(axes, worst.lost_share, "Share of the deliveries that was lost", " %", 0.01)
    most = found[-1].subscribers
    places = [place for place in even_places(most) if place == round(place)]
    share_axis(axes, places, [count(place) for place in places], 0, most * 1.02)
    name_below(axes, "subscribers of a message")
    wide = 0.7 * max(1.0, most / _BINS)
    at = [one.subscribers for one in found]
    axes.bar(at, [one.lost_share for one in found], wide, color=LIGHT["failure"], linewidth=0)
    lost, due = sum(one.lost for one in found), sum(one.due for one in found)
    title = f"Messages to {count(round(worst.subscribers))} subscribers lost most: {percent(worst.lost_share)}"
    incomplete, messages = sum(one.incomplete for one in found), sum(one.messages for one in found)
    caption = (
        f"{count(lost)} of {count(due)} deliveries over the whole run; {count(incomplete)} of "
        f"{count(incomplete + messages)} messages did not reach everybody."
    )
    desc = f"Share of the deliveries that was lost, by number of subscribers. {title}."
    return Chart(title, desc, inline_svg(figure, name, title, desc), caption)
