"""What a run knows about the series that an objective is bound to, second by second."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from loadtests.effective import own_series
from loadtests.histogram import Histogram, bucket_lowest_us
from loadtests.interval import Interval, merge
from loadtests.run import Run

__all__ = ["Evidence", "Side"]

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Side:
    """One of the two readings of a run: requests, and the bad and failed ones among them, per steady second.

    Upper: by response time, never-started ones bad. Lower: by service time, never-started ones left out. The user's
    truth lies between.
    """

    counts: IntArray
    bad: IntArray
    failed: IntArray
    histograms: tuple[Histogram, ...]

    def own(self, budget: float, from_us: float = 0.0) -> list[IntArray]:
        """The slowest requests of the side itself (see ``effective.own_series``).

        A series whose quickest request took less than ``from_us`` is left out; a failed one took for ever.
        Their edges follow from the whole run's counts alone, so no table of seconds and buckets is made: an
        eight-hour run takes little memory too.
        """
        total = Histogram.sum(self.histograms)
        if not total.index.size:
            return []
        failed = self.failed.sum(keepdims=True)
        above = failed + np.cumsum(total.counts[::-1])[::-1]  # of the edge below each bucket; strictly falling
        own = []
        for n in (int(slowest[0]) for slowest in own_series(total.counts[np.newaxis], failed, budget)):
            slow = total.index[above <= n]  # the buckets that they are in; none if all of them failed
            if not slow.size or int(bucket_lowest_us(slow[0])) >= from_us:
                own.append(self._beyond(total.index[above > n].max(initial=-1) + 1))
        return own

    def _beyond(self, bucket: int) -> IntArray:
        """Requests per second in this bucket or above it; a failed one is infinitely slow."""
        answered = _array(h.counts[np.searchsorted(h.index, bucket) :].sum() for h in self.histograms)
        slow: IntArray = np.minimum(self.failed + answered, self.counts)
        return slow


class Evidence:
    """The steady seconds of one series or of a pool.

    Args:
        run: the run.
        names: the series pooled here.
        stray: series of arrivals that never started and whose series is therefore not known; they count as bad.
        spoilt: share of the requests of a second that are not held against the target; 1 leaves it out.

    """

    def __init__(
        self, run: Run, names: Sequence[str], stray: Sequence[str] = (), spoilt: Mapping[int, float] | None = None
    ) -> None:
        spoilt = spoilt or {}
        seconds = [second for second in run.header.steady_seconds() if spoilt.get(second, 0.0) < 1]
        self.names = tuple(names)
        self._timeout_s = run.header.timeout_s
        self._seconds, self._spoilt = seconds, spoilt
        self._hold([[run.intervals[name][s] for name in (*names, *stray) if s in run.intervals[name]] for s in seconds])

    def _hold(self, parts: list[list[Interval]]) -> None:
        self._parts = parts
        self.intervals = [merge(part, series="", second=s) for s, part in zip(self._seconds, parts, strict=True)]
        self.total: Interval = merge(self.intervals, series="")
        self._forgiven = _array(math.ceil(self._spoilt.get(i.second, 0.0) * i.count) for i in self.intervals)

    def timed(self) -> Evidence:
        """The same without those whose time nobody knows: what came says nothing of how long it took."""
        known = copy(self)
        known._hold([[part.timed() for part in parts] for parts in self._parts])
        return known

    def latency_sides(self, limit_ns: int) -> tuple[Side, Side]:
        """Upper and lower side for a latency limit."""
        pairs = [[_bad(part, limit_ns) for part in parts] for parts in self._parts]
        upper, lower = ([sum(pair[side] for pair in second) for second in pairs] for side in (0, 1))
        return self._upper(upper), self._lower(lower)

    def gap_sides(self, limit_ns: int) -> tuple[Side, Side]:
        """Both sides where those are bad that left later than they may, or never; to a histogram bucket's width."""
        never = [i.never_started for i in self.intervals]
        late = [i.lateness.count_above_us(limit_ns // 1000) for i in self.intervals]
        counts, bad = _array(i.count for i in self.intervals), _array(late) + _array(never)
        side = _side(counts, bad, never, (i.lateness for i in self.intervals))
        return side, side

    def failure_sides(self) -> tuple[Side, Side]:
        """Upper and lower side where only failures are bad."""
        return (
            self._upper([i.failed for i in self.intervals]),
            self._lower([i.failed - i.never_started for i in self.intervals]),
        )

    def lost_sides(self) -> tuple[Side, Side]:
        """Both sides where only lost deliveries are bad."""
        lost = [i.lost for i in self.intervals]
        return self._upper(lost), self._lower(lost)

    def timeouts_of_a_queue(self, budget: float) -> bool:
        """Whether errors are, in part, the far tail of the response times.

        True when there are time-outs and the own (1 - 5B)-quantile is above a tenth of the time-out: then errors
        cluster as slow requests do, and the slow ones are evidence about them.
        """
        if not self.total.timeouts:
            return False
        quantile_us = self.percentile_us(100 * max(0.5, 1 - 5 * budget))
        return quantile_us is None or quantile_us / 1e6 > self._timeout_s / 10

    def percentile_us(self, percentile: float) -> float | None:
        """Percentile of the response time with failures as infinitely slow; None when it falls among those."""
        return self._percentile_us(self.total.response, percentile)

    def gap_us(self, percentile: float) -> float | None:
        """Percentile of the omission gap with those that never left as infinitely late; None among those."""
        return self._percentile_us(self.total.lateness, percentile)

    def _percentile_us(self, histogram: Histogram, percentile: float) -> float | None:
        n = self.total.count
        if not n:
            return None
        rank = max(1, math.ceil(Fraction(str(percentile)) * n / 100))  # exact: 99.9 means 99.9
        if rank > histogram.total:
            return None
        bucket = histogram.index[int(np.searchsorted(np.cumsum(histogram.counts), rank))]
        return float(min(int(bucket_lowest_us(bucket + 1)) - 1, histogram.max_us))

    def completed_per_s(self) -> NDArray[np.float64]:
        """Successes that ended in each steady second."""
        return np.array([i.completed for i in self.intervals], dtype=np.float64)

    def lateness_us(self, percentile: float) -> float:
        """Percentile of the lateness; 0 of nothing."""
        return self.total.lateness.percentile_us(percentile) or 0.0

    def _upper(self, bad: list[int]) -> Side:
        counts = _array(i.count for i in self.intervals)
        return _side(counts, self._held(bad), (i.failed for i in self.intervals), (i.response for i in self.intervals))

    def _lower(self, bad: list[int]) -> Side:
        counts = _array(i.count - i.never_started for i in self.intervals)
        failed = (i.failed - i.never_started for i in self.intervals)
        return _side(counts, self._held(bad), failed, (i.service for i in self.intervals))

    def _held(self, bad: Iterable[int]) -> IntArray:
        """The bad requests of each second, less those that are not held against the target."""
        held: IntArray = np.maximum(0, _array(bad) - self._forgiven)
        return held


def _side(counts: IntArray, bad: Iterable[int], failed: Iterable[int], histograms: Iterable[Histogram]) -> Side:
    """A side that holds together even where a record was lost on disk (which the accounting finds out)."""
    return Side(counts, np.minimum(_array(bad), counts), np.minimum(_array(failed), counts), tuple(histograms))


def _array(values: Iterable[int]) -> IntArray:
    return np.array(list(values), dtype=np.int64)


def _bad(interval: Interval, limit_ns: int) -> tuple[int, int]:
    """Bad requests of one series and second: (upper, lower).

    By the exact counts; by the histogram, to a bucket's width, where the limit was not known when the run was made.
    Series are asked one by one, because of a pool only some may have known it (arrivals that never started do not).
    """
    if limit_ns in interval.bad:
        return interval.bad[limit_ns]
    limit_us = limit_ns // 1000
    failed = interval.failed
    upper = failed + interval.response.count_above_us(limit_us)
    return upper, failed - interval.never_started + interval.service.count_above_us(limit_us)
