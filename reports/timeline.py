"""A run's time: which seconds are whole, and how they are put into bins.

Time is binned, not thinned: every request of a whole second is in exactly one bin, however long the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from loadtests.header import PhaseSpan
from loadtests.interval import Interval, merge
from loadtests.run import Run

__all__ = ["Bin", "Steady", "Timeline", "pooled"]

_WIDTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)
_MOST_BINS = 120
_FEWEST_BINS = 6
_ENOUGH = 200
"""Requests in a bin that leave ten of them beyond its p95."""


@dataclass(frozen=True)
class Bin:
    """Several whole seconds of one or more series together."""

    start_s: int
    seconds: int
    """How many whole seconds it holds."""
    width_s: int
    interval: Interval

    @property
    def middle_s(self) -> float:
        """Where a line through the bins has its point."""
        return self.start_s + self.seconds / 2

    def per_s(self, n: float) -> float:
        """A count of this bin as a rate."""
        return n / self.seconds


class Timeline:
    """The seconds of one run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._bins: dict[tuple[tuple[str, ...], int], list[Bin]] = {}

    @cached_property
    def end_s(self) -> float:
        """When the load ended: by plan, or where a partial run stopped."""
        header = self.run.header
        planned = max((phase.end_s for phase in header.phases), default=0.0)
        seen = max((max(seconds) for seconds in self.run.intervals.values() if seconds), default=-1)
        if header.state == "complete":
            return planned or seen + 1.0
        stopped = seen + 0.5
        if header.ended_wall_s is not None:
            stopped = min(seen + 1.0, max(stopped, header.ended_wall_s - header.started_wall_s))
        return max(0.0, min(planned, stopped) if planned else stopped)

    @cached_property
    def whole(self) -> range:
        """The seconds in which the load was on from beginning to end."""
        return range(int(self.end_s))

    @cached_property
    def partial(self) -> tuple[int, ...]:
        """The seconds cut by the end of the load; they are marked and never drawn through."""
        return (int(self.end_s),) if self.end_s % 1 else ()

    @cached_property
    def settling(self) -> tuple[float, float] | None:
        """The first part of the steady state, in which the run's own signals were not steady yet; None without one."""
        settled_s = self.run.verdict.settled_s if self.run.verdict else None
        steady = self.run.header.steady
        return (steady[0].start_s, settled_s) if settled_s and steady and settled_s > steady[0].start_s else None

    @cached_property
    def phases(self) -> tuple[PhaseSpan, ...]:
        """The phases as far as the run came."""
        return tuple(
            PhaseSpan(phase.name, phase.kind, phase.start_s, min(phase.end_s, self.end_s), phase.load)
            for phase in self.run.header.phases
            if phase.start_s < self.end_s
        )

    def width_s(self, per_s: float) -> int:
        """Width of a bin: at most 120 of them, with enough requests for a p95 where that leaves six."""
        least = -(-len(self.whole) // _MOST_BINS)
        wanted = _ENOUGH / per_s if per_s > 0 else 1
        most = max(1, len(self.whole) // _FEWEST_BINS)
        target = max(least, min(wanted, most))
        larger = [width for width in _WIDTHS_S if width >= target]
        narrower = [width for width in _WIDTHS_S if least <= width <= max(least, most)]
        if larger and (larger[0] <= most or not narrower):
            return larger[0]
        return narrower[-1] if narrower else _WIDTHS_S[-1]

    def bins(self, series: Iterable[str], width_s: int | None = None) -> list[Bin]:
        """The whole seconds of some series, pooled and binned; every bin is there, an empty one is empty."""
        names = tuple(series)
        rows = [self.run.intervals[name] for name in names if name in self.run.intervals]
        if width_s is None:
            n = sum(interval.ok for row in rows for second, interval in row.items() if second in self.whole)
            width_s = self.width_s(n / max(1, len(self.whole)))
        if (names, width_s) in self._bins:
            return self._bins[names, width_s]
        binned = self._bins[names, width_s] = []
        for first, end in pairwise(self._edges()):
            for start in range(first, end, width_s):
                seconds = range(start, min(start + width_s, end))
                parts = (row[second] for row in rows for second in seconds if second in row)
                binned.append(Bin(start, len(seconds), width_s, merge(parts, series="", second=start)))
        return binned

    def judged(self, bins: Sequence[Bin]) -> list[Bin]:
        """The bins of the steady state, which is what messages speak of; all of them when there is none."""
        steady = set(self.run.header.steady_seconds())
        return [one for one in bins if one.start_s in steady] or list(bins)

    def _edges(self) -> list[int]:
        """Where bins start afresh, so that none mixes two phases: 0, the start of every phase, the end."""
        starts = {-int(-phase.start_s // 1) for phase in self.phases}
        return sorted({start for start in starts if 0 < start < len(self.whole)} | {0, len(self.whole)})


class Steady:
    """What is judged: all steady seconds of every series, each merged once."""

    def __init__(self, run: Run, timeline: Timeline | None = None) -> None:
        whole = (timeline or Timeline(run)).whole
        self.seconds = [second for second in run.header.steady_seconds() if second in whole]
        """The steady seconds that the run reached and finished."""
        self._run = run
        self._merged = {name: run.steady(name) for name in run.intervals}

    def __getitem__(self, series: str) -> Interval:
        return self._merged[series]

    def __iter__(self) -> Iterator[str]:
        return iter(self._merged)

    def pool(self, series: Iterable[str]) -> Interval:
        """Several series together."""
        return merge((self._merged[name] for name in series if name in self._merged), series="")

    def throughput_per_s(self, series: Iterable[str]) -> float:
        """Successes completed per finished steady second."""
        rows = [self._run.intervals[name] for name in series if name in self._run.intervals]
        done = sum(row[second].completed for row in rows for second in self.seconds if second in row)
        return done / max(1, len(self.seconds))


def pooled(run: Run, series: Iterable[str], seconds: Iterable[int]) -> Interval:
    """Some series over some seconds as one Interval."""
    wanted = list(seconds)
    rows = (run.intervals[name] for name in series if name in run.intervals)
    return merge((row[second] for row in rows for second in wanted if second in row), series="")
