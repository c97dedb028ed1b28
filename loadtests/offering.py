"""The arrivals of a plan, each offered when it is due, in the callback of a kernel's timer that any loop can watch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from loadtests.duration import NS_PER_S
from loadtests.timerfd import TimerFd

__all__ = ["SPIN_NS", "Offering"]

NEVER_NS = 1 << 62
AT_ONCE = 200
"""Arrivals that are offered before the loop reads again, where many are overdue."""
EVEN_NS = 1000
"""Gaps that differ by no more are the same, and by no more is the timer early or late for them."""
SPIN_NS = 1_000_000
"""How long before an arrival its loop stays awake, where the scenario asks for that (``load.spin``)."""
SLICE_NS = 50_000
"""What is waited busily before the loop reads again: an answer that comes meanwhile is stamped no later than that."""


class Offering:
    """Call :meth:`on_due` whenever ``fd`` is readable.

    Args:
        dues: CLOCK_MONOTONIC of each arrival, ascending, in ns.
        offer: takes each.
        spin_ns: how long before an arrival the timer goes off, and the rest is waited busily.
        clock_ns: CLOCK_MONOTONIC.
        timer: the kernel's, unless another is given.

    """

    def __init__(
        self,
        dues: Iterator[int],
        offer: Callable[[int], None],
        spin_ns: int = 0,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        timer: TimerFd | None = None,
    ) -> None:
        self._dues, self._offer, self._spin_ns, self._clock_ns = dues, offer, spin_ns, clock_ns
        self._timer = timer or TimerFd()
        self.fd = self._timer.fd
        self._spun_ns, self._told_ns = 0, clock_ns()
        self._due_ns = next(dues, NEVER_NS)
        self._at_ns = self._armed_ns = self._due_ns - spin_ns
        self._gap_ns = self._every_ns = 0
        self._timer.arm(self._at_ns)

    def on_due(self) -> None:
        """Offer what is due; nothing re-bases the plan after an overrun."""
        now_ns, offer = self._clock_ns(), self._offer
        if now_ns < self._due_ns:
            now_ns = self._wait_busily(now_ns)
            if now_ns < self._due_ns:
                return  # the timer stays readable: the loop reads what has come, and is here again at once
        for _ in range(AT_ONCE):
            if self._due_ns > now_ns:
                break
            offer(self._due_ns)
            self._due_ns = next(self._dues, NEVER_NS)
        self._await_next()

    def _await_next(self) -> None:
        """Have the timer go off for the next; where arrivals come evenly it does so by itself, for a third less."""
        at_ns = self._due_ns - self._spin_ns
        gap_ns, self._at_ns = at_ns - self._at_ns, at_ns
        if self._every_ns:
            self._armed_ns += self._timer.heard() * self._every_ns
            if abs(self._armed_ns - at_ns) <= EVEN_NS:
                return
        even = gap_ns > self._spin_ns and abs(gap_ns - self._gap_ns) <= EVEN_NS
        self._every_ns = gap_ns if even else 0
        self._armed_ns, self._gap_ns = at_ns, gap_ns
        self._timer.arm(at_ns, self._every_ns)

    def _wait_busily(self, begun_ns: int) -> int:
        """A slice, or until the next is due; the time then."""
        until_ns = min(self._due_ns, begun_ns + SLICE_NS)
        while (now_ns := self._clock_ns()) < until_ns:
            pass
        self._spun_ns += until_ns - begun_ns  # what comes on top of it is a processor that was taken away
        return now_ns

    def take_spin(self) -> dict[str, float]:
        """How much of a core was spent on waiting busily since it was last asked; nothing without a spin."""
        spun_ns, before_ns, self._spun_ns, self._told_ns = self._spun_ns, self._told_ns, 0, self._clock_ns()
        return {"spin_percent": 100 * spun_ns / max(NS_PER_S, self._told_ns - before_ns)} if self._spin_ns else {}

    def finish(self) -> None:
        """Offer all that is left: at the plan's end it is due, whatever the timer has said."""
        while self._due_ns != NEVER_NS:
            self._offer(self._due_ns)
            self._due_ns = next(self._dues, NEVER_NS)

    def close(self) -> None:
        """Offer nothing more; nobody may watch any longer."""
        self._timer.close()
