"""The fan-out of each message: when the first, the middle and the last of its subscribers had it.

Each process of the swarm knows its own subscribers only. Here their shares of a message are put together, and it is
recorded once, as three series: ``ws deliver first``, ``ws deliver median`` and ``ws deliver last``, which is when the
fan-out was complete. Who lost it has it infinitely late. Of several processes the first is the earliest and the last
the latest; the median is the earliest moment by which half of all must have had it, as far as the shares tell.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile
from typing import Any, NamedTuple

from loadtests.duration import NS_PER_S
from loadtests.interval import Interval
from loadtests.recorder import Recorder
from loadtests.sample import Outcome
from loadtests.series import FIRST, LAST, MEDIAN
from loadtests.stream import Settled

__all__ = ["FanOut", "FanOuts"]

NS_PER_US = 1000
REMEMBERED = 20_000
"""Messages of which it is known how many they were due to, should more of them come late."""
PATIENCE_S = 10.0
"""Processes settle a message at the same age: who says nothing so long after the first has nobody to tell of."""


class FanOut(NamedTuple):
    """What became of a message in one process: how many it reached, how many lost it, and when it arrived (ns).

    Where more lost it than had it there is no median, and the last stands for it. So many deliveries of it came late,
    once more, or after a later one. One that is ``untimed`` has no times: nobody knows when it was sent.
    """

    stream: str
    sequence: int
    intended_ns: int
    sent_ns: int
    reached: int
    lost: int
    first_ns: int = 0
    median_ns: int = 0
    last_ns: int = 0
    late: int = 0
    duplicated: int = 0
    reordered: int = 0
    untimed: bool = False

    @classmethod
    def of(cls, settled: Settled, shift: int = 0, *, untimed: bool = False) -> FanOut:
        """What the ledger settled; ``shift`` makes its number the same in every process."""
        name, number, message, lost, reached, arrived, duplicated, reordered = settled
        times = (0, 0, 0) if arrived is None or untimed else arrived
        return cls(name, number + shift, *message[:2], reached, len(lost), *times, 0, duplicated, reordered, untimed)

    def __add__(self, other: FanOut) -> FanOut:  # type: ignore[override]
        """Both shares together."""
        shares = [share for share in (self, other) if share.reached] or [self]
        times = sorted(at_ns for share in shares for at_ns in share[6:9])
        reached, lost = self.reached + other.reached, self.lost + other.lost
        half = (reached + lost + 1) // 2
        median = next((at_ns for at_ns in times if self.had_by(at_ns) + other.had_by(at_ns) >= half), times[-1])
        wrong = (self.late + other.late, self.duplicated + other.duplicated, self.reordered + other.reordered)
        untimed = self.untimed or other.untimed
        return FanOut(*shares[0][:4], reached, lost, times[0], median, times[-1], *wrong, untimed)

    def had_by(self, at_ns: int) -> int:
        """How many had it by then, at least."""
        if at_ns >= self.last_ns:
            return self.reached
        return (self.reached + self.lost + 1) // 2 if at_ns >= self.median_ns else int(at_ns >= self.first_ns)


class FanOuts:
    """Puts the shares together.

    Args:
        t0_ns: CLOCK_MONOTONIC of the run's second 0.
        limits_ns: latency limits that objectives set for a series.
        shards: how many processes have a share of the subscribers.

    Attributes:
        late: shares of messages that were recorded without them.

    """

    def __init__(self, t0_ns: int, limits_ns: Callable[[str], Sequence[int]], shards: int) -> None:
        self._recorder = Recorder(t0_ns, limits_ns)
        self._shards = shards
        self.late = 0
        self._partial: dict[tuple[str, int], tuple[float, int, FanOut]] = {}  # since when, by how many; oldest first
        self._given_up: dict[str, int] = {}  # up to which number of a stream nobody is waited for any more
        self._curve: defaultdict[tuple[int, int], Counter[str]] = defaultdict(Counter)
        self._recorded: dict[tuple[str, int], tuple[int, int]] = {}  # second and subscribers, of the last ones

    def add(self, rows: Iterable[Sequence[Any]], now_s: float) -> None:
        """One process's shares, each a :class:`FanOut`'s fields, that came at this moment.

        A message is recorded with the last of them, or when that has not come for ``PATIENCE_S`` after the first.
        """
        for row in rows:
            share = FanOut(*row)
            key = share.stream, share.sequence
            since_s, n, before = self._partial.get(key, (now_s, 0, None))
            if before is None and share.sequence <= self._given_up.get(share.stream, share.sequence - 1):
                self.late += bool(share.reached or share.lost)
                continue
            whole = before + share if before else share
            if n + 1 < self._shards:
                self._partial[key] = since_s, n + 1, whole
            else:
                self._partial.pop(key, None)
                self._record(whole)
        ripe = takewhile(lambda kept: kept[1][0] <= now_s - PATIENCE_S, self._partial.items())
        for key, (_, _, whole) in list(ripe):
            del self._partial[key]
            self._given_up[whole.stream] = max(whole.sequence, self._given_up.get(whole.stream, whole.sequence))
            self._record(whole)

    def add_afterwards(self, rows: Iterable[Sequence[Any]]) -> None:
        """What came of messages that a process had settled: stream, number, deliveries late, and once more."""
        for stream, sequence, late, duplicated in rows:
            key = stream, sequence
            if key in self._partial:
                since_s, n, before = self._partial[key]
                both = {"late": before.late + late, "duplicated": before.duplicated + duplicated}
                self._partial[key] = since_s, n, before._replace(**both)
            elif key in self._recorded:
                self._curve[self._recorded[key]].update(late=late, duplicated=duplicated)

    def finish(self) -> None:
        """Record also what some process has not told of yet, because it was lost, or had nobody on that channel."""
        for _, _, whole in self._partial.values():
            self._record(whole)
        self._partial.clear()

    def take(self) -> tuple[list[Interval], list[dict[str, int]]]:
        """What was recorded since the last call: intervals, and rows for the curve.

        A row has ``second``, ``subscribers`` (those that were due the message or got it), ``messages``, and the sums
        over them of ``first_us``, ``median_us`` and ``last_us``, those alone counting that reached everybody; where
        others did not, how many those ``incomplete`` ones are, and the deliveries that were ``lost``; and how many that
        reached everybody are ``untimed``. Where there were
        any, those of either that came ``late``, were ``duplicated`` or ``reordered``.
        """
        curve, self._curve = self._curve, defaultdict(Counter)
        rows = [{"second": second, "subscribers": n, **sums} for (second, n), sums in curve.items()]
        return self._recorder.fold(), rows

    def _record(self, whole: FanOut) -> None:
        if not (whole.reached or whole.lost):
            return
        _, _, intended, sent, reached, lost, *arrived = whole[:9]
        for series, at_ns in () if whole.untimed else zip((FIRST, MEDIAN, LAST), arrived, strict=True):
            came = reached and not (lost and series == LAST) and not (lost > reached and series == MEDIAN)
            self._recorder.record(
                series, intended, sent, at_ns if came else intended, int(Outcome.OK if came else Outcome.LOST)
            )
        step = (intended - self._recorder.t0_ns) // NS_PER_S, reached + lost
        if len(self._recorded) >= REMEMBERED:
            del self._recorded[next(iter(self._recorded))]
        self._recorded[whole.stream, whole.sequence] = step
        sums = self._curve[step]
        sums.update({name: n for name in ("late", "duplicated", "reordered") if (n := getattr(whole, name))})
        if lost:
            sums.update(incomplete=1, lost=lost)
        elif whole.untimed:
            sums["untimed"] += 1
        else:
            sums["messages"] += 1
            for name, at_ns in zip(("first_us", "median_us", "last_us"), arrived, strict=True):
                sums[name] += (at_ns - intended) // NS_PER_US
