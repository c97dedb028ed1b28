"""What went wrong with whose deliveries, and of which stream: a ledger's own counts of each."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from heapq import nsmallest

import numpy as np
import numpy.typing as npt

from loadtests.faults import WORST, Affected, Faults
from loadtests.subscriptions import Subscriptions

__all__ = ["DUPLICATED", "FOREIGN", "LATE", "REORDERED", "FaultCounts"]

LATE, DUPLICATED, REORDERED, _DISPLACEMENT, FOREIGN = range(5)
_KINDS = LATE, DUPLICATED, REORDERED, FOREIGN


class FaultCounts:
    """Of a ledger's subscribers: how many deliveries were due to each, and what went wrong; of its streams the latter.

    A message that was due to just those who hold its channel is counted once for all of them; they are told apart
    before any of them comes or goes, or when somebody asks. A delivery without a fault is not counted here at all.
    """

    def __init__(self) -> None:
        self._due: dict[Subscriptions, array[int]] = {}  # by place
        self._alike: Counter[Subscriptions] = Counter()
        self._lost: Counter[int] = Counter()
        self._wrong: defaultdict[int, list[int]] = defaultdict(lambda: [0] * 5)  # by kind; among them the displacement
        self._streams: defaultdict[str, list[int]] = defaultdict(lambda: [0] * 5)

    def due_to_holders(self, channel: Subscriptions, but: Iterable[int]) -> None:
        """A message was due to all who hold a channel, of whom those excepted are counted with :meth:`due_to`."""
        self._alike[channel] += 1
        for place in but:
            if channel.held[place]:
                self._of(channel)[place] -= 1

    def due_to(self, channel: Subscriptions, places: Sequence[int], lost: Iterable[int]) -> None:
        """A message was due to some, by their place there, and lost to some of these, by number."""
        self._of(channel)[places] += 1
        self._lost.update(lost)

    def changes(self, channel: Subscriptions) -> None:
        """Somebody is about to come to a channel, or to go."""
        if messages := self._alike.pop(channel, 0):
            self._of(channel)[:] += messages * np.frombuffer(channel.held, np.uint8).astype(np.int64)

    def wrong(self, kind: int, subscriber: int, stream: str, displacement: int = 0) -> None:
        """A delivery of a stream came to a subscriber LATE, DUPLICATED, REORDERED by so many numbers, or is FOREIGN."""
        for counted in (self._wrong[subscriber], self._streams[stream]):
            counted[kind] += 1
            counted[_DISPLACEMENT] = max(counted[_DISPLACEMENT], displacement)

    def take_streams(self) -> dict[str, list[int]]:
        """What came wrong since the last call: by stream, how many of each kind, and the largest displacement."""
        taken = dict(self._streams)
        self._streams.clear()
        return taken

    def affected(self, most: int = WORST) -> Affected:
        """The subscribers with whose deliveries something went wrong; so many of them by name.

        Those may be all of ten thousand, once a second: :class:`Faults` are made of the worst alone.
        """
        numbers = self._lost.keys() | self._wrong.keys()
        worst = [
            Faults(str(number), self._lost.get(number, 0), self._due_to(number), *self._wrong.get(number, ()))
            for number in nsmallest(most, numbers, key=self._rank)
        ]
        had = [sum(1 for counted in self._wrong.values() if counted[kind]) for kind in _KINDS]
        return Affected(len(numbers), worst, len(self._lost), *had)

    def _rank(self, number: int) -> tuple[int, int, int]:
        lost, wrong = self._lost.get(number, 0), self._wrong.get(number)
        return -lost, -lost - (sum(map(wrong.__getitem__, _KINDS)) if wrong else 0), number

    def _due_to(self, number: int) -> int:
        found = [(channel, channel.places[number]) for channel in self._due if number in channel.places]
        alike = sum(n for c, n in self._alike.items() if number in c.places and c.held[c.places[number]])
        return sum(int(self._of(channel)[place]) for channel, place in found) + alike

    def _of(self, channel: Subscriptions) -> npt.NDArray[np.int64]:
        """What is counted by place, as long as there are places."""
        due = self._due.setdefault(channel, array("q"))
        due.extend([0] * (len(channel.held) - len(due)))
        return np.frombuffer(due, np.int64)
