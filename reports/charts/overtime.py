"""Percentiles of response time over the run, one value per bin, gaps where the sample is too small."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from reports.charts.canvas import Chart, inline_svg
from reports.charts.frame import Label, Room, duration_axis, end_labels, frame, time_axis
from reports.charts.marks import draw_limits, draw_line, draw_marks, marks_caption
from reports.figures import clock, duration, nines, plain, span
from reports.incident import Incident
from reports.sampling import percentile_ns
from reports.subject import Limit, Subject
from reports.timeline import Bin, Timeline

__all__ = ["over_time", "over_time_message"]

_DRAWN = ((50.0, "muted", 1.4), (95.0, "accent", 2.2), (99.0, "ink", 1.2))
_SPIKE = 2.0


def over_time(
    subject: Subject, timeline: Timeline, incidents: Sequence[Incident], name: str, word: str = "response time"
) -> Chart | None:
    """Percentiles of one subject over the run; None when no bin has enough for any."""
    bins = timeline.bins(subject.series)
    lines = {p: [percentile_ns(one.interval.response, p) for one in bins] for p, _, _ in _DRAWN}
    drawn = [(p, role, width) for p, role, width in _DRAWN if sum(v is not None for v in lines[p]) * 2 > len(bins)]
    if not drawn:
        return None
    limits = subject.limits
    figure, axes = frame()
    values = [value for p, _, _ in drawn for value in lines[p] if value is not None]
    duration_axis(axes, Room.of(values, [limit.limit_ns for limit in limits]), word.capitalize())
    time_axis(axes, timeline.end_s)
    draw_marks(axes, timeline, incidents)
    labels = draw_limits(axes, limits)
    for p, role, width in drawn:
        draw_line(axes, [one.middle_s for one in bins], lines[p], role, width)
        last = next(value for value in reversed(lines[p]) if value is not None)
        labels.append(Label(last, nines(p), role, bold=p == 95))
    end_labels(axes, labels)
    judged = _judged(drawn, limits)
    steady = {one.start_s for one in timeline.judged(bins)}
    known = [(one, value) for one, value in zip(bins, lines[judged], strict=True) if value is not None]
    title = over_time_message([pair for pair in known if pair[0].start_s in steady] or known, judged, limits)
    if limits and judged not in [limit.percentile for limit in limits]:
        title += f" (too few requests per bin for {nines(limits[0].percentile)})"
    width_s = bins[0].width_s
    caption = f"One value per {span(width_s) if width_s > 1 else 'second'} of intended start, successes only."
    desc = f"{subject.label}: {word} percentiles over {span(timeline.end_s)}. {title}."
    svg = inline_svg(figure, name, title, desc)
    return Chart(title, desc, svg, " ".join(filter(None, [caption, marks_caption(timeline, incidents)])))


def over_time_message(known: Sequence[tuple[Bin, float]], p: float, limits: Sequence[Limit]) -> str:
    """What the line shows: ``p95 stayed under 74 ms; one spike to 310 ms at 00:41``."""
    ordered = sorted(value for _, value in known)
    usual = ordered[(len(ordered) - 1) // 2]
    spikes = [(one, value) for one, value in known if value > _SPIKE * usual and value - usual > 1e6]
    limit = next((limit for limit in limits if limit.percentile == p), None)
    over = [one for one, value in known if limit and value > limit.limit_ns]
    if limit and len(over) > max(1, len(known) // 10):
        when = "from the start" if over[0] is known[0][0] else f"first at {clock(over[0].start_s)}"
        share = "in every bin" if len(over) == len(known) else f"in {len(over)} of {len(known)} bins"
        return f"{nines(p)} was over its {plain(limit.limit_ns)} limit {share}, {when}"
    if len(spikes) * 4 > len(known):
        return f"{nines(p)} was unsteady: {duration(ordered[0])} to {duration(ordered[-1])}"
    spiky = {one.start_s for one, _ in spikes}
    calm = max((value for one, value in known if one.start_s not in spiky), default=usual)
    words = f"{nines(p)} stayed under {_rounded_up(calm)}"
    if spikes:
        worst, value = max(spikes, key=lambda pair: pair[1])
        number = "one spike" if len(spikes) == 1 else f"{len(spikes)} spikes, the worst"
        words += f"; {number} to {duration(value)} at {clock(worst.start_s)}"
    return words


def _judged(drawn: Sequence[tuple[float, str, float]], limits: Sequence[Limit]) -> float:
    shown = [p for p, _, _ in drawn]
    return next(
        (limit.percentile for limit in limits if limit.percentile in shown), 95.0 if 95.0 in shown else shown[-1]
    )


def _rounded_up(value_ns: float) -> str:
    """A round duration that the value is truly under."""
    scale = 10 ** max(0, len(str(int(value_ns))) - 2)
    return duration((ceil(value_ns / scale + 1e-9)) * scale, 2)
