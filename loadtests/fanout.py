"""The fan-out of each message: when the first, the middle and the last of its subscribers had it.

Each process of the swarm knows its own subscribers only. Here their shares of a message are put together, and it is
recorded once, as three series: ``ws deliver first``, ``ws deliver median`` and ``ws deliver last``, which is when the
fan-out was complete. Of several processes the first is the earliest and the last the latest; the median of all lies
between the medians of the shares, and the largest of these is taken.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from loadtests.duration import NS_PER_S
from loadtests.interval import Interval
from loadtests.ledger import Settled
from loadtests.recorder import Recorder
from loadtests.sample import Outcome
from loadtests.series import FIRST, LAST, MEDIAN

__all__ = ["FanOut", "FanOuts"]

NS_PER_US = 1000


class FanOut(NamedTuple):
    """What became of a message in one process: how many it reached, how many lost it, and when it arrived (ns)."""

    stream: str
    sequence: int
    intended_ns: int
    sent_ns: int
    reached: int
    lost: int
    first_ns: int = 0
    median_ns: int = 0
    last_ns: int = 0

    @classmethod
    def of(cls, settled: Settled, shift: int = 0) -> FanOut:
        """What the ledger settled; ``shift`` makes its number the same in every process."""
        name, number, message, lost, reached, arrived = settled
        return cls(name, number + shift, *message[:2], reached, len(lost), *(arrived or (0, 0, 0)))

    def __add__(self, other: FanOut) -> FanOut:  # type: ignore[override]
        """Both shares together."""
        if not (self.reached and other.reached):
            some = self if self.reached else other
            return some._replace(lost=self.lost + other.lost)
        return FanOut(
            *self[:4],
            self.reached + other.reached,
            self.lost + other.lost,
            min(self.first_ns, other.first_ns),
            max(self.median_ns, other.median_ns),
            max(self.last_ns, other.last_ns),
        )


class FanOuts:
    """Puts the shares together.

    Args:
        t0_ns: CLOCK_MONOTONIC of the run's second 0.
        limits_ns: latency limits that objectives set for a series.
        shards: how many processes have a share of the subscribers.

    """

    def __init__(self, t0_ns: int, limits_ns: Callable[[str], Sequence[int]], shards: int) -> None:
        self._recorder = Recorder(t0_ns, limits_ns)
        self._shards = shards
        self._partial: dict[tuple[str, int], tuple[int, FanOut]] = {}
        self._curve: defaultdict[tuple[int, int], Counter[str]] = defaultdict(Counter)

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        """One process's shares, each a :class:`FanOut`'s fields; a message is recorded with the last of them."""
        for row in rows:
            share = FanOut(*row)
            key = share.stream, share.sequence
            n, before = self._partial.pop(key, (0, None))
            whole = before + share if before else share
            if n + 1 < self._shards:
                self._partial[key] = n + 1, whole
            else:
                self._record(whole)

    def finish(self) -> None:
        """Record also what some process never told of, because it was lost, or had nobody on that channel."""
        for _, whole in self._partial.values():
            self._record(whole)
        self._partial.clear()

    def take(self) -> tuple[list[Interval], list[dict[str, int]]]:
        """What was recorded since the last call: intervals, and rows for the curve.

        A row has ``second``, ``subscribers`` (those that were due the message or got it), ``messages``, and the sums
        over them of ``first_us``, ``median_us`` and ``last_us``, those alone counting that reached everybody.
        """
        curve, self._curve = self._curve, defaultdict(Counter)
        rows = [{"second": second, "subscribers": n, **sums} for (second, n), sums in curve.items()]
        return self._recorder.fold(), rows

    def _record(self, whole: FanOut) -> None:
        if not (whole.reached or whole.lost):
            return
        _, _, intended, sent, reached, lost, *arrived = whole
        for series, at_ns in zip((FIRST, MEDIAN, LAST), arrived, strict=True):
            came = reached and not (lost and series == LAST) and not (lost >= reached and series == MEDIAN)
            self._recorder.record(
                series, intended, sent, at_ns if came else intended, int(Outcome.OK if came else Outcome.LOST)
            )
        if not lost:
            second = (intended - self._recorder.t0_ns) // NS_PER_S
            sums = self._curve[second, reached]
            sums["messages"] += 1
            for name, at_ns in zip(("first_us", "median_us", "last_us"), arrived, strict=True):
                sums[name] += (at_ns - intended) // NS_PER_US
