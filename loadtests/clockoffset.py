"""How far another machine's clock is from ours, by exchanges of time stamps (RFC 5905, sections 8 and 10).

One exchange: asked at t0, received there at t1, answered at t2, back at t3. Its offset is ((t1 - t0) + (t2 - t3)) / 2,
and is wrong by at most half its delay (t3 - t0) - (t2 - t1), whatever part of the way was the slow one. Before and
after it is wrong by as much more as the clocks may have drifted apart meanwhile. So a slow exchange is worth less than
a quick one of some seconds ago: as in NTP's clock filter each is kept that tells more than those before it still do.
"""

from __future__ import annotations

from bisect import bisect
from typing import NamedTuple

__all__ = ["ClockOffset", "Exchange"]

DRIFT = 100e-6
"""Two clocks drift apart no faster, each of them being wrong by 50 ppm at most; a fraction of one."""
ENOUGH = 8
"""The best of so many exchanges, NTP's clock filter, is not one that happened to be slow."""
MEMORY_NS = 600 * 1_000_000_000
"""What was sent longer ago is told by the oldest exchange that is still kept."""


class Exchange(NamedTuple):
    """Four stamps in ns: t0 and t3 of our clock, t1 and t2 of the other."""

    asked_ns: int
    received_ns: int
    answered_ns: int
    back_ns: int

    @property
    def offset_ns(self) -> float:
        """The other clock less ours."""
        return ((self.received_ns - self.asked_ns) + (self.answered_ns - self.back_ns)) / 2

    @property
    def middle_ns(self) -> float:
        """When, by our clock."""
        return (self.asked_ns + self.back_ns) / 2

    def wrong_ns(self, ours_ns: float) -> float:
        """By how much its offset may be wrong at a moment of our clock, at most."""
        delay_ns = (self.back_ns - self.asked_ns) - (self.answered_ns - self.received_ns)
        return delay_ns / 2 + DRIFT * abs(ours_ns - self.middle_ns)


class ClockOffset:
    """The offset over time, from exchanges in the order in which they were made.

    Attributes:
        uncertainty_ns: by how much a moment that was converted may be wrong, at most.

    """

    def __init__(self) -> None:
        self.uncertainty_ns = 0.0
        self._made = 0
        self._kept: list[Exchange] = []

    def add(self, exchange: Exchange) -> None:
        """Take one in, as it is back."""
        self._made += 1
        kept, now_ns = self._kept, exchange.middle_ns
        if kept:
            apart_ns, wrong_ns = abs(exchange.offset_ns - kept[-1].offset_ns), exchange.wrong_ns(now_ns)
            if apart_ns > wrong_ns + kept[-1].wrong_ns(now_ns):  # a clock was set, or runs wilder than any should
                self.uncertainty_ns = max(self.uncertainty_ns, apart_ns + wrong_ns)
                kept.clear()
            elif wrong_ns > kept[-1].wrong_ns(now_ns):
                return
        while kept and exchange.wrong_ns(kept[-1].middle_ns) <= kept[-1].wrong_ns(kept[-1].middle_ns):
            kept.pop()
        kept.append(exchange)
        while kept[0].middle_ns < now_ns - MEMORY_NS:
            del kept[0]

    @property
    def known(self) -> bool:
        """Whether there were enough exchanges."""
        return self._made >= ENOUGH

    @property
    def drift(self) -> float | None:
        """By how much faster the other clock runs, as a fraction of one; None where that is lost in the delays."""
        if not self._kept:
            return None
        first, last = self._kept[0], self._kept[-1]
        apart_ns = last.middle_ns - first.middle_ns
        lost_ns = first.wrong_ns(first.middle_ns) + last.wrong_ns(last.middle_ns)
        return (last.offset_ns - first.offset_ns) / apart_ns if lost_ns < DRIFT * apart_ns else None

    def to_json(self, now_ns: int) -> dict[str, float]:
        """Offset, its uncertainty, and drift where that is known; empty where nobody has answered often enough."""
        if not self.known:
            return {}
        best = self._best(now_ns)
        found = {"offset_ms": best.offset_ns / 1e6}
        found["uncertainty_us"] = (self.uncertainty_ns or best.wrong_ns(now_ns)) / 1000
        if self.drift is not None:
            found["drift_ppm"] = self.drift * 1e6
        return {name: round(value, 3) for name, value in found.items()}

    def ours_ns(self, theirs_ns: int) -> int:
        """A moment of the other clock by ours; there must have been an exchange."""
        near_ns = theirs_ns - self._kept[-1].offset_ns
        best = self._best(near_ns)
        self.uncertainty_ns = max(self.uncertainty_ns, best.wrong_ns(near_ns))
        return round(theirs_ns - best.offset_ns)

    def before_ns(self, theirs_ns: int, heard_ns: int) -> int:
        """The same of a message that was heard here at a moment of our clock, and so was sent before.

        Where the offset has it sent later, and may be wrong by as much, it was sent at that moment at the latest: what
        comes more quickly than any exchange took no time, rather than less than none.
        """
        ours_ns = self.ours_ns(theirs_ns)
        if ours_ns > heard_ns >= ours_ns - self._best(ours_ns).wrong_ns(ours_ns):
            return heard_ns
        return ours_ns

    def _best(self, ours_ns: float) -> Exchange:
        """What tells most of a moment: one of the two about it, for neither has another that tells more there."""
        kept = self._kept
        if kept[-1].middle_ns <= ours_ns:
            return kept[-1]
        after = bisect(kept, ours_ns, key=lambda each: each.middle_ns)
        return min(kept[max(0, after - 1) : after + 1], key=lambda each: each.wrong_ns(ours_ns))
