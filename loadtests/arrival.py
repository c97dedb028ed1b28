"""The line in which due arrivals wait for an idle user, their clock already running.

Pure bookkeeping: no clock and no event loop in here, so every rule is tested as data. Each user class has a line of
its own, because an arrival belongs to a class from the start: were it given to whoever is idle, a slow class would be
chosen less often exactly when the target is slow.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Accounting", "ArrivalLine"]

Waiter = TypeVar("Waiter")


@dataclass
class Accounting:
    """Arrivals counted where they happen; the identities of a run are checked against these.

    offered = started + dropped + waiting + unsent, of which nothing is unsent before the end of a run and nothing
    waits after it: then planned = started + dropped + unsent + not yet due.
    """

    offered: int = 0
    started: int = 0
    finished: int = 0
    dropped: int = 0
    unsent: int = 0


class ArrivalLine(Generic[Waiter]):
    """Hands due arrivals to idle users, first come first served within a user class.

    Args:
        weights: share of the arrivals that each user class gets, by index.
        cap: arrivals in line and in service together above which a further one is dropped.
        seed: of the choice between classes, which does not depend on who is idle.
        wake: called with an idle user's token and the intended start that is now its own.
        drop: called with class index and intended start of an arrival that the cap refused.

    Attributes:
        waiting: arrivals in line.

    """

    def __init__(
        self,
        weights: Sequence[float],
        cap: int,
        seed: int,
        wake: Callable[[Waiter, int], None],
        drop: Callable[[int, int], None],
    ) -> None:
        self.accounting = Accounting()
        self._classes = range(len(weights))
        self._weights = list(weights)
        self._cap = cap
        self._random = random.Random(seed)  # noqa: S311 -- a reproducible choice, no secret
        self._wake = wake
        self._drop = drop
        self.waiting = 0
        self._waiting: list[deque[int]] = [deque() for _ in weights]
        self._idle: list[deque[Waiter]] = [deque() for _ in weights]

    @property
    def in_service(self) -> int:
        """Tasks that users are at."""
        return self.accounting.started - self.accounting.finished

    def offer(self, intended_ns: int) -> None:
        """An arrival is due: start it, let it wait, or drop it."""
        which = self._random.choices(self._classes, self._weights)[0] if len(self._weights) > 1 else 0
        self.accounting.offered += 1
        idle = self._idle[which]
        if self.waiting + self.accounting.started - self.accounting.finished >= self._cap:
            self.accounting.dropped += 1
            self._drop(which, intended_ns)
        elif idle:
            self.accounting.started += 1
            self._wake(idle.popleft(), intended_ns)
        else:
            self.waiting += 1
            self._waiting[which].append(intended_ns)

    def take(self, which: int, waiter: Waiter) -> int | None:
        """An idle user asks for its next arrival: the longest waiting one, or None when it must wait to be woken."""
        if self._waiting[which]:
            self.accounting.started += 1
            self.waiting -= 1
            return self._waiting[which].popleft()
        self._idle[which].append(waiter)
        return None

    def finish(self) -> None:
        """A user has ended its task."""
        self.accounting.finished += 1

    def leave(self, which: int, waiter: Waiter) -> None:
        """An idle user goes away and must not be woken."""
        if waiter in self._idle[which]:
            self._idle[which].remove(waiter)

    def close(self) -> list[tuple[int, int]]:
        """End of the run: class index and intended start of everything still in line, counted as unsent."""
        left = [(which, intended) for which, line in enumerate(self._waiting) for intended in line]
        for line in self._waiting:
            line.clear()
        self.waiting = 0
        self.accounting.unsent += len(left)
        return left
