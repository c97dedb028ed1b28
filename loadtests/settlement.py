"""What became of the messages that a process has settled, until its next batch tells of it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from loadtests.fanout import FanOut
from loadtests.stream import Settled

__all__ = ["Settlement"]


class Settlement:
    """Adds up what the ledger settles."""

    def __init__(self) -> None:
        self._fanned: list[FanOut] = []
        self._streams: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        self._afterwards: list[tuple[str, int, int, int]] = []

    def add(self, settled: Settled, due: int) -> None:
        """A message that was due to so many."""
        stream = self._streams[settled.stream]
        stream[0] += due
        stream[1] += len(settled.lost)

    def fan_out(self, settled: Settled, shift: int, *, untimed: bool) -> None:
        """How it spread; see :meth:`FanOut.of`."""
        self._fanned.append(FanOut.of(settled, shift, untimed=untimed))

    def came_afterwards(self, stream: str, number: int, late: int, again: int) -> None:
        """So many deliveries of a message that had been settled came late, and once more."""
        self._afterwards.append((stream, number, late, again))

    def take(self) -> dict[str, Any]:
        """What is new since the last call; empty where nothing is.

        ``fanned``: the messages; ``streams``: how many deliveries of each were due, and how many lost; ``afterwards``:
        rows of what :meth:`came_afterwards` was told.
        """
        new = {"fanned": self._fanned, "streams": dict(self._streams), "afterwards": self._afterwards}
        self._fanned, self._afterwards = [], []
        self._streams.clear()
        return {name: what for name, what in new.items() if what}
