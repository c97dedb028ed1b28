"""How lost connections came back: the share of them that was there again, by the time since they were lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from loadtests.histogram import bucket_lowest_us
from loadtests.interval import Interval, merge
from loadtests.run import Run
from loadtests.series import CONNECT, MEANWHILE, RESTORE
from reports.charts.canvas import Chart, inline_svg
from reports.charts.frame import Label, end_labels, even_places, frame, linear_axis, name_below, share_axis
from reports.charts.marks import draw_line
from reports.figures import clock, count, duration

__all__ = ["Wave", "recovery_curve", "waves"]

_APART_S, _LEAST, _MOST_LINES = 2, 10, 3
_STROKES = (("accent", ""), ("ink", "-"), ("muted", "."))


@dataclass(frozen=True)
class Wave:
    """Connections that were lost together, from a second of the run on."""

    at_s: int
    lost: Interval


def waves(run: Run) -> list[Wave]:
    """Those that were lost within two seconds of each other, in order of time."""
    found: list[list[Interval]] = []
    for second, interval in sorted(run.intervals.get(RESTORE, {}).items()):
        if interval.count:
            if not found or second - found[-1][-1].second > _APART_S:
                found.append([])
            found[-1].append(interval)
    return [Wave(parts[0].second, merge(parts, series=RESTORE)) for parts in found]


def recovery_curve(run: Run, name: str) -> Chart | None:
    """A line for each of the waves of ten or more, where there are two or three; else one for all, None of nothing."""
    lost = _whole(run, RESTORE)
    if not lost.count:
        return None
    apart = [wave for wave in waves(run) if wave.lost.count >= _LEAST]
    drawn = apart if 1 < len(apart) <= _MOST_LINES else [Wave(0, lost)]
    figure, axes = frame()
    end_s = max(0.1, *(wave.lost.response.max_us / 1e6 for wave in drawn))
    linear_axis(axes, 1.0, "Share of the lost connections that was back", " %", 0.01)
    places = even_places(end_s)
    share_axis(axes, places, [f"{place:g} s" for place in places], 0, end_s)
    name_below(axes, "time since it was lost")
    labels = []
    for wave, (role, dash) in zip(drawn, _STROKES, strict=False):
        at, back = _course(wave.lost, end_s)
        draw_line(axes, at, list(back), role, 2.2, dash)
        labels.append(Label(back[-1], "back" if len(drawn) == 1 else f"of {clock(wave.at_s)}", role, bold=not dash))
    end_labels(axes, labels)
    title = _message(lost) if len(drawn) == 1 else "; ".join(map(_briefly, drawn))
    title = title[0].upper() + title[1:]
    desc = f"Share of {count(lost.count)} lost connections that was back, by time. {title}."
    return Chart(title, desc, inline_svg(figure, name, title, desc), " ".join(_caption(run, lost, drawn)))


def _course(lost: Interval, end_s: float) -> tuple[list[float], list[float]]:
    """The corners of the stairs, up to the end of the axis."""
    seconds = np.repeat(bucket_lowest_us(lost.response.index + 1) / 1e6, 2)
    back = np.repeat(np.cumsum(lost.response.counts) / lost.count, 2)
    at = [0.0, *np.minimum(seconds, end_s).tolist(), end_s]
    return at, [0.0, 0.0, *back.tolist()]


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


def _briefly(wave: Wave) -> str:
    """``all 68 lost at 00:35 were back after 912 ms``."""
    lost = wave.lost
    if lost.failed:
        return f"of {count(lost.count)} lost at {clock(wave.at_s)} {count(lost.ok)} came back"
    last = duration(lost.response.max_us * 1000)
    return f"all {count(lost.count)} lost at {clock(wave.at_s)} were back after {last}"


def _caption(run: Run, lost: Interval, drawn: list[Wave]) -> Iterator[str]:
    """What it took the server: the rush of connections, and what those felt that were spared."""
    if len(drawn) > 1:
        yield from (f"{clock(wave.at_s)}: {_message(wave.lost)}." for wave in drawn)
        if others := lost.count - sum(wave.lost.count for wave in drawn):
            yield f"{count(others)} more were lost at other times, fewer than {_LEAST} together."
    else:
        yield f"{count(lost.count)} connections were lost, by whomever, and back when they were subscribed again."
    connects = run.intervals.get(CONNECT, {})
    first = next((second for second, interval in run.intervals[RESTORE].items() if interval.count), 0)
    rush = max((interval.count for second, interval in connects.items() if second >= first), default=0)
    if rush:
        yield f"At most {count(rush)} tried to connect in a second."
    spared = _whole(run, MEANWHILE)
    p95 = spared.response.percentile_us(95)
    if p95 is not None:
        yield f"Meanwhile those that were spared had their messages at p95 after {duration(p95 * 1000)}."
