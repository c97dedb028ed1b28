"""The arrivals of a plan, each offered when it is due, in the callback of a kernel's timer that any loop can watch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from loadtests.timerfd import TimerFd

__all__ = ["Offering"]

NEVER_NS = 1 << 62
AT_ONCE = 200
"""Arrivals that are offered before the loop reads again, where many are overdue."""


class Offering:
    """Call :meth:`on_due` whenever ``fd`` is readable.

    Args:
        dues: CLOCK_MONOTONIC of each arrival, ascending, in ns.
        offer: takes each.

    """

    def __init__(self, dues: Iterator[int], offer: Callable[[int], None]) -> None:
        self._dues, self._offer = dues, offer
        self._timer = TimerFd()
        self.fd = self._timer.fd
        self._due_ns = next(dues, NEVER_NS)
        self._timer.arm(self._due_ns)

    def on_due(self) -> None:
        """Offer what is due; nothing re-bases the plan after an overrun."""
        self._timer.clear()
        now_ns, offer = time.monotonic_ns(), self._offer
        for _ in range(AT_ONCE):
            if self._due_ns > now_ns:
                break
            offer(self._due_ns)
            self._due_ns = next(self._dues, NEVER_NS)
        self._timer.arm(self._due_ns)

    def finish(self) -> None:
        """Offer all that is left: at the plan's end it is due, whatever the timer has said."""
        while self._due_ns != NEVER_NS:
            self._offer(self._due_ns)
            self._due_ns = next(self._dues, NEVER_NS)

    def close(self) -> None:
        """Offer nothing more; nobody may watch any longer."""
        self._timer.close()
