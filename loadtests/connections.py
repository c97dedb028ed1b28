"""The connections of one event loop: who of them has waited long enough."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["NEVER_S", "Connections"]

NEVER_S: Final = float("inf")
LOOKED_S = 0.02
"""From one look at all of them to the next, at least."""


class Waiting(Protocol):
    """A connection."""

    due_s: float
    """Until when of ``time.monotonic`` it waits for a reply; NEVER_S while it waits for none."""

    def time_up(self) -> None:
        """That time has come."""


class Handle(Protocol):
    """A call that is to come."""

    def cancel(self) -> None:
        """It is not to."""


class Connections:
    """Nearly all requests end in time, so no timer is set for each: one look is due when the first of them would be.

    Args:
        call_later: of the loop: calls something in so many seconds.

    Attributes:
        next_s: when the next look is due; whoever begins to wait for less calls :meth:`look_at`.

    """

    def __init__(self, call_later: Callable[[float, Callable[[], None]], Handle]) -> None:
        self._call_later = call_later
        self._all: set[Waiting] = set()
        self._timer: Handle | None = None
        self.next_s = NEVER_S

    def watch(self, connection: Waiting) -> None:
        """It is open."""
        self._all.add(connection)

    def forget(self, connection: Waiting) -> None:
        """It is closed."""
        self._all.discard(connection)

    def look_at(self, due_s: float) -> None:
        """Look at that time of ``time.monotonic``."""
        if self._timer is not None:
            self._timer.cancel()
        self.next_s = due_s
        self._timer = self._call_later(max(0.0, due_s - time.monotonic()), self._look)

    def _look(self) -> None:
        now_s = time.monotonic()
        self._timer, self.next_s = None, NEVER_S
        for one in [one for one in self._all if one.due_s <= now_s]:
            one.due_s = NEVER_S
            one.time_up()
        soonest_s = min((one.due_s for one in self._all), default=NEVER_S)
        if soonest_s < self.next_s:  # what ran out of time may have begun something else, and asked for a look
            self.look_at(max(soonest_s, now_s + LOOKED_S))
