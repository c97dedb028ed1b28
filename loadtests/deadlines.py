"""When requests are given up: looked at every so often, for nearly all of them end in time.

A timer of the loop's own costs as much as a third of what else there is to do for a request.
"""

from __future__ import annotations

import asyncio
import time
from typing import ClassVar, Protocol
from weakref import WeakKeyDictionary

__all__ = ["Deadlines"]

LOOKED_S = 0.02
SHORTEST_S = 1.0
"""Shorter ones have a timer of their own: 20 ms would be too much of them."""


class Waiting(Protocol):
    """What can run out of time."""

    def time_up(self) -> None:
        """It did."""


class Deadlines:
    """Of one event loop; :meth:`of` finds those of the running one."""

    _of_loops: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, Deadlines]] = WeakKeyDictionary()

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due_s: dict[Waiting, float] = {}
        self._timers: dict[Waiting, asyncio.TimerHandle] = {}
        self._looking: asyncio.TimerHandle | None = None

    @classmethod
    def of(cls) -> Deadlines:
        """Those of the running loop."""
        loop = asyncio.get_running_loop()
        found = cls._of_loops.get(loop)
        if found is None:
            found = cls._of_loops[loop] = cls(loop)
        return found

    def begin(self, waiting: Waiting, due_s: float) -> None:
        """Tell it when that time of ``time.monotonic`` has come, unless it ends before; late by 2 % at most."""
        left_s = due_s - time.monotonic()
        if left_s < SHORTEST_S:
            self._timers[waiting] = self._loop.call_later(max(0.0, left_s), waiting.time_up)
            return
        self._due_s[waiting] = due_s
        if self._looking is None:
            self._looking = self._loop.call_later(LOOKED_S, self._look)

    def end(self, waiting: Waiting) -> None:
        """It has ended."""
        if self._due_s.pop(waiting, None) is None and (timer := self._timers.pop(waiting, None)):
            timer.cancel()

    def _look(self) -> None:
        now_s = time.monotonic()
        for waiting in [waiting for waiting, due_s in self._due_s.items() if due_s <= now_s]:
            del self._due_s[waiting]
            waiting.time_up()
        self._looking = self._loop.call_later(LOOKED_S, self._look) if self._due_s else None
