"""What each subscriber of a process waited for its deliveries, in two halves of the time."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from loadtests.duration import NS_PER_S
from loadtests.fairness import Fairness

__all__ = ["Waits"]


class Waits:
    """Counts and sums by subscriber and half.

    A second belongs to the half that the Thue-Morse sequence gives it, the parity of the ones in its binary digits:
    both halves see what slowly changes alike, and no server's rhythm keeps to one of them.
    """

    __slots__ = ("_half", "_steady", "_taken", "_waited_ns", "from_ns")

    def __init__(self) -> None:
        self.from_ns = 0
        """What comes before is warm-up."""
        self._steady = False
        self._half = 0
        self._taken = array("q")
        self._waited_ns = array("q")

    def place(self) -> int:
        """Where another subscriber's are kept."""
        place = len(self._taken)
        for kept in (self._taken, self._waited_ns):
            kept.extend((0, 0))
        return place

    def turn(self, now_ns: int) -> None:
        """Look at the clock, several times a second: it would cost as much again for each delivery."""
        self._half = (now_ns // NS_PER_S).bit_count() & 1
        if not self._steady and now_ns >= self.from_ns:
            self._steady = True
            for kept in (self._taken, self._waited_ns):
                kept[:] = array("q", bytes(8 * len(kept)))

    def enter(self, place: int, waited_ns: int) -> None:
        """A delivery that came live, timed from when it was to be sent; the hot path."""
        at = place + self._half
        self._taken[at] += 1
        self._waited_ns[at] += waited_ns

    def enter_all(self, places: Sequence[int], waited_ns: NDArray[np.int64]) -> None:
        """One for each of some subscribers."""
        at = np.array(places) + self._half
        np.frombuffer(self._taken, np.int64)[at] += 1
        np.frombuffer(self._waited_ns, np.int64)[at] += waited_ns

    def fairness(self) -> Fairness:
        """Of the subscribers that had deliveries in both halves; of nobody before the steady state."""
        taken, waited_ns = (
            np.array(kept if self._steady else [], np.int64).reshape(-1, 2) for kept in (self._taken, self._waited_ns)
        )
        heard = (taken > 0).all(axis=1)
        return Fairness.of(waited_ns[heard] / taken[heard] / 1000)
