"""What each subscriber of a process waited for its deliveries, in two halves of the time."""

from __future__ import annotations

from array import array

import numpy as np

from loadtests.duration import NS_PER_S
from loadtests.fairness import Fairness

__all__ = ["Waits"]


class Waits:
    """Counts and sums by subscriber and half.

    A second belongs to the half that the Thue-Morse sequence gives it, the parity of the ones in its binary digits:
    both halves see what slowly changes alike, and no server's rhythm keeps to one of them. What was sent at one moment
    is in the same half for all its subscribers.
    """

    __slots__ = ("_taken", "_waited_ns", "from_ns")

    def __init__(self) -> None:
        self.from_ns = 0
        """What was to be sent before is warm-up."""
        self._taken = array("q")
        self._waited_ns = array("q")

    def place(self) -> int:
        """Where another subscriber's are kept."""
        place = len(self._taken)
        for kept in (self._taken, self._waited_ns):
            kept.extend((0, 0))
        return place

    def enter(self, place: int, intended_ns: int, now_ns: int) -> None:
        """A delivery that came live, timed from when it was to be sent."""
        if intended_ns >= self.from_ns:
            at = place + ((intended_ns // NS_PER_S).bit_count() & 1)
            self._taken[at] += 1
            self._waited_ns[at] += now_ns - intended_ns

    def fairness(self) -> Fairness:
        """Of the subscribers that had deliveries in both halves."""
        taken = np.array(self._taken, dtype=np.int64).reshape(-1, 2)
        heard = (taken > 0).all(axis=1)
        waited_ns = np.array(self._waited_ns, dtype=np.int64).reshape(-1, 2)
        return Fairness.of(waited_ns[heard] / taken[heard] / 1000)
