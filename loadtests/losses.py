"""Who lost deliveries, and of whose messages: exact counts, of which the worst few are told."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from heapq import nsmallest
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loadtests.subscriptions import Subscriptions

__all__ = ["WORST", "Losers", "Loss", "Losses"]

WORST = 5
"""So many are told by name."""


class Loss(NamedTuple):
    """What one subscriber lost, or all subscribers of one stream: ``lost`` of the ``due`` deliveries."""

    name: str
    lost: int
    due: int

    @property
    def share(self) -> float:
        """The lost fraction."""
        return self.lost / self.due if self.due else 0.0


class Losers(NamedTuple):
    """How many lost something, and those that lost most, the worst first."""

    n: int = 0
    worst: Sequence[Loss] = ()

    @classmethod
    def of(cls, counted: Mapping[str, Sequence[int]]) -> Losers:
        """From ``[due, lost]`` by name."""
        losses = [Loss(name, lost, due) for name, (due, lost) in counted.items() if lost]
        return cls(len(losses), _worst(losses))

    @classmethod
    def together(cls, parts: Iterable[Sequence[Any]]) -> Losers:
        """Of several processes, each of which has its own subscribers; from lists as well."""
        found = [(n, [Loss(*loss) for loss in worst]) for n, worst in parts]
        return cls(sum(n for n, _ in found), _worst([loss for _, worst in found for loss in worst]))


class Losses:
    """Of a ledger's subscribers: how many deliveries were due to each, and how many it lost.

    A message that was due to just those who hold its channel is counted once for all of them; they are told apart
    before any of them comes or goes, or when somebody asks.
    """

    def __init__(self) -> None:
        self._due: dict[Subscriptions, array[int]] = {}  # by place
        self._lost: Counter[int] = Counter()
        self._alike: Counter[Subscriptions] = Counter()

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

    def losers(self) -> Losers:
        """How many subscribers lost something, and those that lost most."""
        worst = nsmallest(WORST, self._lost.items(), key=lambda pair: (-pair[1], pair[0]))
        return Losers(len(self._lost), [Loss(str(number), lost, self._due_to(number)) for number, lost in worst])

    def _due_to(self, number: int) -> int:
        found = [(channel, channel.places[number]) for channel in self._due if number in channel.places]
        alike = sum(n for c, n in self._alike.items() if number in c.places and c.held[c.places[number]])
        return sum(int(self._of(channel)[place]) for channel, place in found) + alike

    def _of(self, channel: Subscriptions) -> npt.NDArray[np.int64]:
        """What is counted by place, as long as there are places."""
        due = self._due.setdefault(channel, array("q"))
        due.extend([0] * (len(channel.held) - len(due)))
        return np.frombuffer(due, np.int64)


def _worst(losses: Iterable[Loss]) -> list[Loss]:
    """Where some lost as much, by name, and numbers in their order: so it is whoever's losses come first."""
    return nsmallest(WORST, losses, key=lambda loss: (-loss.lost, len(loss.name), loss.name))
