"""Where samples land: the hot path appends, a vectorised fold once a second turns them into Intervals."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadtests.duration import NS_PER_S
from loadtests.histogram import Histogram
from loadtests.interval import Interval, merge
from loadtests.parts import Parts, at_once
from loadtests.sample import Outcome, Sample

__all__ = ["OTHER_SERIES", "Recorder"]

OTHER_SERIES: Final = "(other)"
"""Where samples go once a run has more series than :class:`Recorder` admits."""

Cell = tuple[str, int]
IntArray = NDArray[np.int64]

_NO_LIMITS: Final[tuple[int, ...]] = ()
_WIDTH: Final = 5
_SIZE: Final = 8 * _WIDTH
_pack = Struct(f"{_WIDTH}q").pack  # 40 bytes, whatever Python's integers weigh; a time that is no integer fails here
MUCH: Final = 10_000
"""Samples, which take a millisecond or two to fold."""
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
        self._rows: dict[str, bytearray] = {}
        self._limits: dict[str, Sequence[int]] = {}
        self._errors: Counter[tuple[str, int, str]] = Counter()
        self._parts: list[tuple[Cell, Interval]] = []
        self._notes: list[tuple[str, int, Callable[[Interval], None]]] = []

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
        rows += _pack(intended_ns, started_ns, ended_ns, outcome, size_bytes)
        if outcome == 1:
            self._errors[series, (intended_ns - self.t0_ns) // NS_PER_S, error or "error"] += 1

    def record_alike(self, n: int, series: str, intended_ns: int, started_ns: int, ended_ns: int, outcome: int) -> None:
        """Record so many samples without an error's kind that are all the same."""
        rows = self._rows[series] if series in self._rows else self._open(series)[1]
        rows += _pack(intended_ns, started_ns, ended_ns, outcome, 0) * n

    def record_all(self, series: str, intended_ns: int, started_ns: int, ended_ns: IntArray, size_bytes: int) -> None:
        """Record successes that differ by their ends alone."""
        rows = self._rows[series] if series in self._rows else self._open(series)[1]
        row = np.frombuffer(_pack(intended_ns, started_ns, 0, 0, size_bytes), np.int64)
        table = np.tile(row, (len(ended_ns), 1))
        table[:, 2] = ended_ns
        rows += table.tobytes()

    def note(self, series: str, intended_ns: int, add: Callable[[Interval], None]) -> None:
        """Let ``add`` write more into the Interval of a series at a time, whether it holds a sample or not."""
        self._notes.append((series, (intended_ns - self.t0_ns) // NS_PER_S, add))

    def pooled(self) -> list[dict[str, str]]:
        """An event that names series which are pooled, if some were since it was last asked."""
        names, self.overflowing = ", ".join(sorted(self.overflowing)[:3]), set()
        return [{"kind": "series", "text": f"too many series, pooled as (other): {names} ..."}] if names else []

    def _open(self, series: str) -> tuple[str, bytearray]:
        if len(self._rows) >= self._max_series:
            if len(self.overflowing) < 20:
                self.overflowing.add(series)
            series = OTHER_SERIES
        rows = self._rows.setdefault(series, bytearray())
        self._limits.setdefault(series, tuple(self._limits_ns(series)))
        return series, rows

    def fold_much(self) -> Parts[None]:
        """Fold what has gathered where it is so much that to fold all of a second at once would hold up the load."""
        if sum(map(len, self._rows.values())) >= MUCH * _SIZE:
            newest = yield from self._folded()
            self._parts += newest.items()

    def fold(self) -> list[Interval]:
        """Everything recorded since the last fold, as Intervals; late samples go to their own, earlier second."""
        return at_once(self.folding())

    def folding(self) -> Parts[list[Interval]]:
        """:meth:`fold` in parts, between which more may be recorded: for the next fold.

        All series are folded together, since an array operation costs microseconds even on nothing and the load waits
        meanwhile: each sample gets the number of its *cell*, a series and a second, and all counting is by cell.
        """
        parts: defaultdict[Cell, list[Interval]] = defaultdict(list)
        newest = yield from self._folded()
        for cell, part in (*self._parts, *newest.items()):
            parts[cell].append(part)
        self._parts.clear()
        folded = {
            (series, second): of[0] if len(of) == 1 else merge(of, series=series, second=second)
            for (series, second), of in parts.items()
        }
        notes, self._notes = self._notes, []
        for series, second, add in notes:
            name = series if series in self._rows else self._open(series)[0]
            add(folded.setdefault((name, second), Interval(name, second)))
        return list(folded.values())

    def _folded(self) -> Parts[dict[Cell, Interval]]:
        filled = {series: rows for series, rows in self._rows.items() if rows}
        if not filled:
            return {}
        self._rows |= {series: bytearray() for series in filled}
        errors, self._errors = self._errors, Counter()
        buffers = [np.frombuffer(rows, np.int64) for rows in filled.values()]
        table = (np.concatenate(buffers) if len(buffers) > 1 else buffers[0]).reshape(-1, _WIDTH)
        times, (outcome, size) = np.split(np.ascontiguousarray(table.T), [3])
        yield
        cells = times - self.t0_ns  # from here in place: fresh pages cost more than the arithmetic on them
        cells //= NS_PER_S
        first, last = int(cells.min()), int(cells.max())
        if last - first < 10:
            distinct = np.arange(first, last + 1)
            cells -= first
        else:
            distinct = np.unique(cells)
            cells = np.searchsorted(distinct, cells)
        if len(filled) > 1:
            series_of = np.repeat(np.arange(len(filled)), [len(rows) // _SIZE for rows in filled.values()])
            cells += series_of * distinct.size
        names = [(series, second) for series in filled for second in distinct.tolist()]
        limits = {series: self._limits[series] for series in filled}
        yield
        folded = yield from _intervals(names, limits, cells, times, outcome, size)
        for (series, second, kind), n in errors.items():
            kinds = folded[series, second].errors
            kinds[kind] = kinds.get(kind, 0) + n
        return folded


def _intervals(
    names: Sequence[Cell],
    limits_ns: Mapping[str, Sequence[int]],
    cells: IntArray,
    times: IntArray,
    outcome: IntArray,
    size: IntArray,
) -> Parts[dict[Cell, Interval]]:
    """Each cell's Interval.

    ``names`` has a row a cell; ``cells`` and ``times``, shape (3, n), are those of intended start, start and end.
    """
    cell, started_cell, ended_cell = cells
    intended, started, ended = times
    response, service, lateness = ended - intended, ended - started, started - intended
    ok, began = outcome == 0, outcome < _FIRST_NEVER_STARTED
    failed = ~ok & (outcome <= int(Outcome.TIMEOUT))

    def tally(cells: IntArray) -> list[int]:
        counts: list[int] = np.bincount(cells, minlength=len(names)).tolist()
        return counts

    by_outcome = np.bincount(cell * len(Outcome) + outcome, minlength=len(names) * len(Outcome))
    of = by_outcome.reshape(-1, len(Outcome)).tolist()
    sizes = np.bincount(cell, size, minlength=len(names)).tolist()
    everything_ok = bool(ok.all())
    left = tally(started_cell if everything_ok else started_cell[began])
    completed = tally(ended_cell if everything_ok else ended_cell[ok])
    late = {
        limit: (tally(cell[ok & (response > limit)]), tally(cell[ok & (service > limit)]))
        for limit in {limit for limits in limits_ns.values() for limit in limits}
    }
    yield
    histograms = {}
    for name, values_ns, which in (
        ("response", response, ok),
        ("service", service, ok),
        ("lateness", lateness, began),
        ("failed_response", response, failed),
        ("failed_service", service, failed),
    ):
        histograms[name] = _by_cell(values_ns, cell, which)
        yield
    folded = {}
    for i, (series, second) in enumerate(names):
        count = sum(of[i])
        if not (count or left[i] or completed[i]):
            continue
        interval = Interval(series, second, count, started=left[i], completed=completed[i], size_bytes=int(sizes[i]))
        interval.ok, _, interval.timeouts, interval.lost, interval.dropped, interval.unsent = of[i]
        for limit in limits_ns[series] if count else ():
            upper, lower = late[limit]
            interval.bad[limit] = upper[i] + interval.failed, lower[i] + interval.failed - interval.never_started
        for name, found in histograms.items():
            if i in found:
                setattr(interval, name, found[i])
        folded[series, second] = interval
    return folded


def _by_cell(values_ns: IntArray, cell: IntArray, which: NDArray[np.bool_]) -> dict[int, Histogram]:
    """Count nanoseconds in microseconds, rounded up: an error is on the side of slower."""
    if not which.all():  # a mask that keeps everything costs as much as counting
        values_ns, cell = values_ns[which], cell[which]
    values_us = -values_ns
    values_us //= 1000
    return Histogram.each(np.negative(values_us, out=values_us), cell)
