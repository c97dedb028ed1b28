"""The percentile curve: response and service time on an axis that gives every further nine the same room."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadtests.histogram import Histogram, bucket_lowest_us
from loadtests.interval import Interval
from reports.charts.canvas import Chart, inline_svg
from reports.charts.frame import Label, Room, duration_axis, end_labels, frame, name_below, share_axis, size_px
from reports.charts.marks import CHARACTER_PX, draw_limits
from reports.figures import apart, count, duration, nines, percent, plain
from reports.palette import LIGHT
from reports.sampling import highest_percentile, missing, percentile_ns
from reports.subject import Limit, Subject

__all__ = ["curve", "curve_message"]

_TICKS: Final = (50.0, 90.0, 99.0, 99.9)
_TOP: Final = 99.9
_POINTS: Final = 70
_LEAST: Final = 1
"""Point of the curve, near 5 %, from which on a logarithmic axis shows it."""
_NOTABLE: Final = 0.1
"""Part of a budget that failures must take before the title speaks of them: a failure is no time on the curve."""
_VISIBLE: Final = 1.03
_LABEL_PX: Final = 14
FloatArray = NDArray[np.float64]


def curve(subject: Subject, steady: Interval, name: str, *, closed: bool = False) -> Chart | None:
    """The curve of one subject's steady state, up to p99.9 or as far as the sample carries; None of too little."""
    n = steady.response.total
    top = min(_TOP, highest_percentile(n))
    if top < 50:
        return None
    figure, axes = frame(top=24)
    at = np.linspace(0, _nines(top), _POINTS)
    response, service = _values_ns(steady.response, at), _values_ns(steady.service, at)
    judged = [limit for limit in subject.limits if limit.percentile <= _TOP]
    values = [float(response[-1]), float(np.interp(_nines(min(50.0, top)), at, response))]
    least = float(min(response[_LEAST], service[_LEAST]))
    room = Room.of(values, [limit.limit_ns for limit in judged], least)
    duration_axis(axes, room, "Service time" if closed else "Time")
    share_axis(axes, [_nines(p) for p in _TICKS], [f"{p:g} %" for p in _TICKS], 0, _nines(_TOP))
    name_below(axes, "requests that took at most so long")
    low = axes.get_ylim()[0]
    response, service = np.maximum(response, low), np.maximum(service, low)
    apart_by = float(np.max(response / np.maximum(service, 1)))
    if not closed:
        axes.fill_between(at, service, response, color=LIGHT["accent"], alpha=0.16, linewidth=0, clip_on=False)
        axes.plot(at, service, color=LIGHT["muted"], linewidth=1.5, linestyle=(0, (5, 3)), clip_on=False)
    axes.plot(at, response, color=LIGHT["accent"], linewidth=2.2, clip_on=False)
    labels = draw_limits(axes, judged)
    for limit in judged:
        x, y = _nines(limit.percentile), percentile_ns(steady.response, limit.percentile)
        axes.plot([x, x], [low, limit.limit_ns], color=LIGHT["failure"], linewidth=1, linestyle=(0, (1.5, 2.5)))
        if y is not None:
            axes.scatter([x], [y], s=34, color=LIGHT["paper"], edgecolors=LIGHT["accent"], linewidths=2, zorder=5)
    word = "service" if closed else "response" if apart_by >= _VISIBLE else "response = service"
    ends = [Label(float(response[-1]), word, "accent", bold=True)]
    if not closed and apart_by >= _VISIBLE:
        ends.append(Label(float(service[-1]), "service", "muted"))
    width_px = size_px(axes)[0]
    end_px = width_px * float(at[-1]) / _nines(_TOP)
    if end_px + CHARACTER_PX * len(word) > width_px - _LABEL_PX:
        end_labels(axes, [*labels, *ends])
    else:
        end_labels(axes, labels)
        end_labels(axes, ends, end_px, [limit.limit_ns for limit in judged])
    title = curve_message(subject.limits, steady, closed=closed)
    caption = f"{count(n)} successes of the steady state."
    if top < _TOP:
        caption += f" The curve ends at p{math.floor(top * 10) / 10:g}: beyond it lie fewer than ten requests."
    if not closed and apart_by >= _VISIBLE:
        caption += " The shaded gap is time spent waiting to be sent, which a user feels too."
    desc = f"Percentile curve of {subject.label}: {title}."
    return Chart(title, desc, inline_svg(figure, name, title, desc), caption)


def curve_message(limits: tuple[Limit, ...], steady: Interval, *, closed: bool = False) -> str:
    """What the curve shows: ``p95 is 74.1 ms, 37 % of its 200 ms limit``, and what waiting added."""
    judged = [(limit, y) for limit in limits if (y := percentile_ns(steady.response, limit.percentile)) is not None]
    if judged:
        limit, y = max(judged, key=lambda pair: pair[1] / pair[0].limit_ns)
        shown = apart(duration, y, limit.limit_ns)
        if steady.failed > _NOTABLE * steady.count * (1 - limit.percentile / 100):
            failures = f"{count(steady.failed)} failed ones count as too slow"
            return f"{nines(limit.percentile)} of the successes is {shown}; {failures}"
        share = percent(y / limit.limit_ns, 2)
        words = f"{nines(limit.percentile)} is {shown}, {share} of its {plain(limit.limit_ns)} limit"
    else:
        p = next((p for p in (99.0, 95.0, 90.0, 50.0) if percentile_ns(steady.response, p) is not None), None)
        if p is None:
            return "too few requests for a percentile"
        words = f"{nines(p)} is {duration(percentile_ns(steady.response, p))}"
    short = next(((x.percentile, n) for x in limits if (n := missing(x.percentile, steady.response.total))), None)
    if short:
        words += f"; {nines(short[0])} needs {count(short[1])} more requests"
    added = _added(steady)
    return f"{words}; {added}" if added and not closed else words


def _added(steady: Interval) -> str:
    for p in (99.0, 95.0):
        response, service = percentile_ns(steady.response, p), percentile_ns(steady.service, p)
        if response is not None and service is not None and response > 1.05 * service:
            return f"waiting adds {duration(response - service)} at {nines(p)}"
    return ""


def _nines(percentile: float) -> float:
    """Place on the axis: 0 at 0 %, 1 at 90 %, 2 at 99 %, 3 at 99.9 %."""
    return -math.log10(1 - percentile / 100)


def _values_ns(histogram: Histogram, at: FloatArray) -> FloatArray:
    """Values at places on the axis, by the rank rule of :meth:`Histogram.percentile_us`."""
    if not histogram.index.size:
        return np.zeros_like(at)
    ranks = np.clip(np.ceil(np.round((1 - 10**-at) * histogram.total, 9)), 1, histogram.total)
    buckets = histogram.index[np.searchsorted(np.cumsum(histogram.counts), ranks)]
    values: FloatArray = np.minimum(bucket_lowest_us(buckets + 1) - 1, histogram.max_us) * 1000.0
    return values
