"""Where samples land: the hot path appends, a vectorised fold once a second turns them into Intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadtests.duration import NS_PER_S
from loadtests.histogram import Histogram
from loadtests.interval import Interval
from loadtests.sample import Outcome, Sample

__all__ = ["OTHER_SERIES", "Recorder"]

OTHER_SERIES: Final = "(other)"
"""Where samples go once a run has more series than :class:`Recorder` admits."""

_NO_LIMITS: Final[tuple[int, ...]] = ()
_WIDTH: Final = 5
_pack = Struct(f"{_WIDTH}q").pack  # 40 bytes, whatever Python's integers weigh; a time that is no integer fails here
_FIRST_NEVER_STARTED: Final = int(Outcome.DROPPED)


class Recorder:
    """Turns samples into per-second Intervals; memory is bounded by what arrives between two folds.

    Args:
        t0_ns: CLOCK_MONOTONIC of the run's second 0.
        limits_ns: latency limits to count against, given a series; asked once when a series first appears. Bad
            requests are counted here by comparing integers, not read out of a bucket later.
        max_series: how many series to keep apart; a name with an identifier in it would otherwise make one per
            request. What comes after is pooled as ``(other)``, and its name noted in ``overflowing``.

    """

    def __init__(
        self,
        t0_ns: int,
        limits_ns: Callable[[str], Sequence[int]] = lambda _series: _NO_LIMITS,
        max_series: int = 200,
    ) -> None:
        self.t0_ns = t0_ns
        self.overflowing: set[str] = set()
        self._limits_ns = limits_ns
        self._max_series = max_series
        self._rows: dict[str, list[bytes]] = {}
        self._limits: dict[str, Sequence[int]] = {}
        self._errors: Counter[tuple[str, int, str]] = Counter()

    def add(self, sample: Sample, error: str = "") -> None:
        """Record one Sample; ``error`` names the kind when its outcome is ERROR."""
        self.record(*sample, error)

    def record(
        self,
        series: str,
        intended_ns: int,
        started_ns: int,
        ended_ns: int,
        outcome: int = 0,
        size_bytes: int = 0,
        error: str = "",
    ) -> None:
        """Record the fields of one Sample; the hot path: one lookup and one append."""
        try:
            rows = self._rows[series]
        except KeyError:
            series, rows = self._open(series)
        rows.append(_pack(intended_ns, started_ns, ended_ns, outcome, size_bytes))
        if outcome == 1:
            self._errors[series, (intended_ns - self.t0_ns) // NS_PER_S, error or "error"] += 1

    def _open(self, series: str) -> tuple[str, list[bytes]]:
        if len(self._rows) >= self._max_series:
            if len(self.overflowing) < 20:
                self.overflowing.add(series)
            series = OTHER_SERIES
        rows = self._rows.setdefault(series, [])
        self._limits.setdefault(series, tuple(self._limits_ns(series)))
        return series, rows

    def fold(self) -> list[Interval]:
        """Everything recorded since the last fold, as Intervals; late samples go to their own, earlier second."""
        folded: dict[tuple[str, int], Interval] = {}
        for series, rows in self._rows.items():
            if rows:
                self._rows[series] = []
                table = np.frombuffer(b"".join(rows), np.int64).reshape(-1, _WIDTH)
                self._fold_series(series, np.ascontiguousarray(table.T), folded)
        errors, self._errors = self._errors, Counter()
        for (series, second, kind), n in errors.items():
            kinds = folded[series, second].errors
            kinds[kind] = kinds.get(kind, 0) + n
        return list(folded.values())

    def _fold_series(self, series: str, table: NDArray[np.int64], folded: dict[tuple[str, int], Interval]) -> None:
        """Add a table's Intervals; its rows (5, n): intended, started, ended, outcome, bytes."""

        def at(second: int) -> Interval:
            key = series, second
            return folded.get(key) or folded.setdefault(key, Interval(*key))

        intended, started, ended, outcome, _ = table
        intended_s, tally = self._seconds(intended)
        for second, n in tally:
            part = table if n == intended.size else table[:, intended_s == second]
            _count(at(second), part, self._limits[series])
        for second, n in self._seconds(started[outcome < _FIRST_NEVER_STARTED])[1]:
            at(second).started = n
        for second, n in self._seconds(ended[outcome == 0])[1]:
            at(second).completed = n

    def _seconds(self, at_ns: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
        """Second of each moment, and how many moments each second has."""
        seconds = (at_ns - self.t0_ns) // NS_PER_S
        if seconds.size and seconds[0] == seconds.min() == seconds.max():  # the usual case, without a sort
            return seconds, [(int(seconds[0]), seconds.size)]
        found, counts = np.unique(seconds, return_counts=True)
        return seconds, list(zip(found.tolist(), counts.tolist(), strict=True))


def _count(interval: Interval, table: NDArray[np.int64], limits_ns: Sequence[int]) -> None:
    """Fill one Interval from the rows of its second."""
    intended, started, ended, outcome, size = table
    by_outcome = np.bincount(outcome, minlength=len(Outcome)).tolist()
    interval.count = intended.size
    interval.ok, _, interval.timeouts, interval.lost, interval.dropped, interval.unsent = by_outcome
    interval.size_bytes = int(size.sum())
    response, service = ended - intended, ended - started
    ok = outcome == 0
    answered = outcome <= int(Outcome.TIMEOUT)
    for limit in limits_ns:
        late = int((ok & (response > limit)).sum()), int((ok & (service > limit)).sum())
        failed = interval.count - interval.ok
        interval.bad[limit] = late[0] + failed, late[1] + failed - interval.dropped - interval.unsent
    everything_ok = interval.ok == interval.count
    interval.response = _in_us(response if everything_ok else response[ok])
    interval.service = _in_us(service if everything_ok else service[ok])
    if not everything_ok:
        interval.failed_response = _in_us(response[answered & ~ok])
        interval.failed_service = _in_us(service[answered & ~ok])
    interval.lateness = _in_us((started - intended)[outcome < _FIRST_NEVER_STARTED])


def _in_us(values_ns: NDArray[np.int64]) -> Histogram:
    """Count nanoseconds in microseconds, rounded up: an error is on the side of slower."""
    return Histogram.of(-(-values_ns // 1000))
