"""Fan-out: what a message took to its first, middle and last subscriber, and its faults, by how many there were."""

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

__all__ = ["Reach", "fan_out_curve", "fan_out_faults", "reaches", "slope_us"]

_BINS = 40
_FAULTS = {
    "lost": ("lost most", "failure"),
    "late": ("brought most too late", "accent"),
    "duplicated": ("came twice most", "ink"),
    "reordered": ("came out of order most", "muted"),
}
"""By the name of the count: what a title says of the messages that had most of it, and how it is drawn."""


@dataclass(frozen=True)
class Reach:
    """Messages to about so many subscribers: of those that reached all, the means of what they took, in µs.

    Of the ``due`` deliveries of all ``told`` messages so many had each fault; those that were lost are all of the
    ``incomplete`` ones.
    """

    subscribers: float
    messages: int
    first_us: float
    median_us: float
    last_us: float
    incomplete: int
    told: int
    due: int
    faults: Mapping[str, int]

    def share(self, fault: str) -> float:
        """The fraction that had it: lost, of the deliveries due; else, of what came, be it late or once more."""
        of = self.due
        if fault != "lost":
            of += self.faults["late"] + self.faults["duplicated"] - self.faults["lost"]
        return self.faults[fault] / of if of else 0.0


def reaches(rows: Sequence[Mapping[str, int]]) -> list[Reach]:
    """A run's messages by number of subscribers, in at most 40 steps; ``rows`` are its ``fan_outs``."""
    most = max((row["subscribers"] for row in rows), default=0)
    width = max(1, -(-most // _BINS))
    sums: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for row in rows:
        step = sums[(row["subscribers"] - 1) // width]
        told = sum(row.get(name, 0) for name in ("messages", "incomplete", "untimed"))
        step["told"] += told
        step["due"] += row["subscribers"] * told
        for name in ("messages", "first_us", "median_us", "last_us", "incomplete", *_FAULTS):
            step[name] += row.get(name, 0)
    found = []
    for _, step in sorted(sums.items()):
        n, incomplete, told, due = (step[name] for name in ("messages", "incomplete", "told", "due"))
        first_us, median_us, last_us = (step[name] / max(n, 1) for name in ("first_us", "median_us", "last_us"))
        faults = {fault: step[fault] for fault in _FAULTS}
        found.append(Reach(due / told, n, first_us, median_us, last_us, incomplete, told, due, faults))
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


def fan_out_faults(run: Run, name: str) -> Chart | None:
    """What was lost, late, twice or out of order by number of subscribers.

    None where nothing was, or where all messages had as many.
    """
    found = reaches(run.fan_outs)
    total = {fault: n for fault in _FAULTS if (n := sum(one.faults[fault] for one in found))}
    if not total or len(found) < 2:
        return None
    gravest = next(iter(total))
    worst = max(found, key=lambda one: one.share(gravest))
    figure, axes = frame()
    linear_axis(axes, max(one.share(fault) for one in found for fault in total), "Share of the deliveries", " %", 0.01)
    most = found[-1].subscribers
    places = [place for place in even_places(most) if place == round(place)]
    share_axis(axes, places, [count(place) for place in places], 0, most * 1.02)
    name_below(axes, "subscribers of a message")
    at = [one.subscribers for one in found]
    labels = []
    for fault in total:
        shares, role = [one.share(fault) for one in found], _FAULTS[fault][1]
        if fault == gravest:
            axes.bar(at, shares, 0.7 * max(1.0, most / _BINS), color=LIGHT[role], linewidth=0)
        else:
            draw_line(axes, at, shares, role, 1.4)
        labels.append(Label(shares[-1], fault, role, bold=fault == gravest))
    if len(labels) > 1:
        end_labels(axes, labels)
    title = f"Messages to {count(round(worst.subscribers))} subscribers {_FAULTS[gravest][0]}: "
    title += percent(worst.share(gravest))
    told = ", ".join(f"{count(n)} {fault}" for fault, n in total.items())
    caption = f"Of {count(sum(one.due for one in found))} deliveries over the whole run: {told}."
    if "lost" in total:
        incomplete, told_of = sum(one.incomplete for one in found), sum(one.told for one in found)
        caption += f" {count(incomplete)} of {count(told_of)} messages did not reach everybody."
    desc = f"Share of the deliveries with each fault, by number of subscribers. {title}."
    return Chart(title, desc, inline_svg(figure, name, title, desc), caption)
