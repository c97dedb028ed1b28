"""How lost connections came back: the share of them that was there again, by the time since they were lost."""

from __future__ import annotations

import numpy as np

from loadtests.histogram import bucket_lowest_us
from loadtests.interval import Interval, merge
from loadtests.run import Run
from loadtests.series import CONNECT, MEANWHILE, RESTORE
from reports.charts.canvas import Chart, inline_svg
from reports.charts.frame import Label, end_labels, even_places, frame, linear_axis, name_below, share_axis
from reports.charts.marks import draw_line
from reports.figures import count, duration

__all__ = ["recovery_curve"]


def recovery_curve(run: Run, name: str) -> Chart | None:
    """None where no connection was lost."""
    lost = _whole(run, RESTORE)
    if not lost.count:
        return None
    figure, axes = frame()
    seconds = bucket_lowest_us(lost.response.index + 1) / 1e6
    back = np.cumsum(lost.response.counts) / lost.count
    end_s = max(float(seconds[-1]) if seconds.size else 1.0, 0.1)
    linear_axis(axes, 1.0, "Share of the lost connections that was back", " %", 0.01)
    places = even_places(end_s)
    share_axis(axes, places, [f"{place:g} s" for place in places], 0, end_s)
    name_below(axes, "time since it was lost")
    at = [0.0, *np.repeat(seconds, 2).tolist()]
    draw_line(axes, at, [0.0, 0.0, *np.repeat(back, 2).tolist()][: len(at)], "accent", 2.2)
    end_labels(axes, [Label(float(back[-1]) if back.size else 0.0, "back", "accent", bold=True)])
    title, desc = _message(lost), f"Share of {count(lost.count)} lost connections that was back, by time. "
    desc += f"{title}."
    return Chart(title, desc, inline_svg(figure, name, title, desc), _caption(run, lost))


def _whole(run: Run, series: str) -> Interval:
    return merge(run.intervals.get(series, {}).values(), series=series)


def _message(lost: Interval) -> str:
    """``Half were back after 452 ms, 95 % after 8.78 s, all after 10.2 s``."""
    if not lost.ok:
        return f"None of {count(lost.count)} lost connections came back"
    parts = []
    for word, share in (("half", 0.5), ("95 %", 0.95), ("all", 1.0)):
        if share * lost.count <= lost.ok:
            rank = min(100.0, 100 * share * lost.count / lost.ok)
            parts.append(f"{word} after {duration((lost.response.percentile_us(rank) or 0) * 1000)}")
    if not parts:
        return f"{count(lost.ok)} of {count(lost.count)} came back"
    if lost.failed:
        parts.append(f"{count(lost.failed)} of {count(lost.count)} never")
    return "Back were " + ", ".join(parts)


def _caption(run: Run, lost: Interval) -> str:
    """What it took the server: the rush of connections, and what those felt that were spared."""
    said = [f"{count(lost.count)} connections were lost, by whomever, and back when they were subscribed again."]
    connects = run.intervals.get(CONNECT, {})
    first = next((second for second, interval in run.intervals[RESTORE].items() if interval.count), 0)
    rush = max((interval.count for second, interval in connects.items() if second >= first), default=0)
    if rush:
        said.append(f"At most {count(rush)} tried to connect in a second.")
    spared = _whole(run, MEANWHILE)
    p95 = spared.response.percentile_us(95)
    if p95 is not None:
        said.append(f"Meanwhile those that were spared had their messages at p95 after {duration(p95 * 1000)}.")
    return " ".join(said)
