"""Offered against achieved, and failures, per second of the run."""

from __future__ import annotations

from collections.abc import Sequence

from loadtests.run import Run
from reports.charts.canvas import Chart, inline_svg
from reports.charts.frame import Label, end_labels, frame, linear_axis, time_axis
from reports.charts.marks import draw_line, draw_marks, marks_caption
from reports.figures import clock, count, percent, rate, span
from reports.incident import Incident
from reports.palette import LIGHT
from reports.timeline import Bin, Timeline

__all__ = ["failures_over_time", "offered_and_achieved"]

_BEHIND = 0.9
_CLOSE = 0.015


def offered_and_achieved(
    run: Run, series: Sequence[str], timeline: Timeline, incidents: Sequence[Incident], name: str
) -> Chart | None:
    """Requests due, started and completed per second; None of nothing due."""
    bins = timeline.bins(series)
    if not any(one.interval.count for one in bins):
        return None
    closed = run.header.model == "closed"
    figure, axes = frame()
    x = [one.middle_s for one in bins]
    due, started, done = (
        [one.per_s(getattr(one.interval, field)) for one in bins] for field in ("count", "started", "completed")
    )
    linear_axis(axes, max(*due, *started, *done), "Requests per second", "/s")
    time_axis(axes, timeline.end_s)
    draw_marks(axes, timeline, incidents)
    if not closed:
        draw_line(axes, x, due, "muted", 1.5, "-")
    draw_line(axes, x, started, "ink", 1.2)
    draw_line(axes, x, done, "accent", 2.2)
    end_labels(axes, _labels(due[-1], started[-1], done[-1], max(due), closed))
    title = _message(timeline.judged(bins), run)
    desc = f"Requests due, started and completed per second over {span(timeline.end_s)}. {title}."
    caption = (
        "Offered: due by the plan. Completed: answered rightly."
        if not closed
        else "A closed model offers nothing by plan."
    )
    svg = inline_svg(figure, name, title, desc)
    return Chart(title, desc, svg, " ".join(filter(None, [caption, marks_caption(timeline, incidents)])))


def failures_over_time(
    series: Sequence[str], timeline: Timeline, incidents: Sequence[Incident], name: str
) -> Chart | None:
    """Failures per second; None when there is none."""
    bins = timeline.bins(series)
    failed = [one.interval.failed for one in bins]
    total = sum(failed)
    if not total:
        return None
    figure, axes = frame()
    values = [one.per_s(one.interval.failed) for one in bins]
    linear_axis(axes, max(values), "Failures per second", "/s")
    time_axis(axes, timeline.end_s)
    draw_marks(axes, timeline, incidents)
    for one, value in zip(bins, values, strict=True):
        if value:
            axes.bar(
                one.middle_s, value, width=one.seconds, color=LIGHT["failure"], edgecolor=LIGHT["paper"], linewidth=0.5
            )
    worst = max(bins, key=lambda one: one.interval.failed)
    share = total / max(1, sum(one.interval.count for one in bins))
    title = f"{count(total)} of all requests failed ({percent(share)}); a third or more at {clock(worst.start_s)}"
    if worst.interval.failed * 3 < total:
        first, last = (next(one for one in order if one.interval.failed) for order in (bins, bins[::-1]))
        when = f"from {clock(first.start_s)} to {clock(last.start_s)}"
        title = f"{count(total)} requests failed ({percent(share)}), spread {when}"
    desc = f"Failures per second over {span(timeline.end_s)}. {title}."
    return Chart(title, desc, inline_svg(figure, name, title, desc), "By intended start, all kinds together.")


def _labels(due: float, started: float, done: float, top: float, closed: bool) -> list[Label]:
    """One label for lines that end as one."""
    near = _CLOSE * max(top, 1e-9)
    labels = [Label(done, "completed", "accent", bold=True)]
    if closed:
        return labels + ([] if abs(started - done) < near else [Label(started, "started", "ink")])
    if abs(due - done) < near and abs(started - done) < near:
        return [Label(done, "offered = done", "accent", bold=True)]
    if abs(due - started) < near:
        return [*labels, Label(started, "offered = started", "muted")]
    return [*labels, Label(started, "started", "ink"), Label(due, "offered", "muted")]


def _message(judged: Sequence[Bin], run: Run) -> str:
    seconds = sum(one.seconds for one in judged)
    due, started, done = (
        sum(getattr(one.interval, field) for one in judged) for field in ("count", "started", "completed")
    )
    if run.header.model == "closed":
        return f"The users completed {rate(done / seconds)} on average"
    behind = [one for one in judged if one.interval.count and one.interval.started < _BEHIND * one.interval.count]
    kept = f"{rate(started / seconds)} started of {rate(due / seconds)} due"
    if len(behind) > max(1, len(judged) // 20) and started < 0.99 * due:
        return f"The plan was not kept: {kept}, from {clock(behind[0].start_s)}"
    return f"The plan was kept: {kept}, {rate(done / seconds)} completed"
