"""How far another machine's clock is from ours, by exchanges of time stamps (RFC 5905, sections 8 and 10).

One exchange: asked at t0, received there at t1, answered at t2, back at t3. Its offset is ((t1 - t0) + (t2 - t3)) / 2,
and is wrong by at most half its delay (t3 - t0) - (t2 - t1), whatever part of the way was the slow one. Of every ten
seconds the exchange with the least delay is kept, as NTP's clock filter does; between those that were kept the offset
goes in a straight line, which follows a clock that runs at another speed.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ClockOffset", "Exchange"]

WINDOW_NS = 10 * 1_000_000_000


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
    def delay_ns(self) -> int:
        """Time on the way, there and back."""
        return (self.back_ns - self.asked_ns) - (self.answered_ns - self.received_ns)

    @property
    def middle_ns(self) -> float:
        """When, by our clock."""
        return (self.asked_ns + self.back_ns) / 2


class ClockOffset:
    """The offset over time, from exchanges in the order in which they were made."""

    def __init__(self) -> None:
        self._kept: list[Exchange] = []
        self._window = -1

    def add(self, exchange: Exchange) -> None:
        """Take one in; of a window that has begun the best so far counts."""
        window = exchange.asked_ns // WINDOW_NS
        if window != self._window:
            self._window = window
            self._kept.append(exchange)
        elif exchange.delay_ns < self._kept[-1].delay_ns:
            self._kept[-1] = exchange

    @property
    def known(self) -> bool:
        """Whether there was any exchange."""
        return bool(self._kept)

    @property
    def uncertainty_ns(self) -> float:
        """By how much an offset may be wrong, at most: half the delay of the worst exchange that was kept."""
        return max(exchange.delay_ns for exchange in self._kept) / 2 if self._kept else float("inf")

    @property
    def drift(self) -> float:
        """By how much faster the other clock runs, as a fraction of one; 0 of less than two windows."""
        if len(self._kept) < 2:
            return 0.0
        first, last = self._kept[0], self._kept[-1]
        return (last.offset_ns - first.offset_ns) / (last.middle_ns - first.middle_ns)

    def to_json(self, now_ns: int) -> dict[str, float]:
        """Offset, its uncertainty, and drift; empty where nobody has answered."""
        if not self.known:
            return {}
        found = {"offset_ms": self.at_ns(now_ns) / 1e6, "uncertainty_us": self.uncertainty_ns / 1000}
        return {name: round(value, 3) for name, value in (found | {"drift_ppm": self.drift * 1e6}).items()}

    def ours_ns(self, theirs_ns: int) -> int:
        """A moment of the other clock by ours."""
        if not self._kept:
            return theirs_ns
        guess = theirs_ns - self._kept[-1].offset_ns
        return round(theirs_ns - self.at_ns(guess))

    def at_ns(self, ours_ns: float) -> float:
        """The offset at a moment of our clock, straight on before the first and after the last that is known."""
        kept = self._kept
        if len(kept) < 2:
            return kept[0].offset_ns if kept else 0.0
        after = next((i for i in range(len(kept) - 1, 0, -1) if kept[i - 1].middle_ns <= ours_ns), 1)
        one, other = kept[after - 1], kept[after]
        part = (ours_ns - one.middle_ns) / (other.middle_ns - one.middle_ns)
        return one.offset_ns + part * (other.offset_ns - one.offset_ns)
