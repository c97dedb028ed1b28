"""Up to when deliveries may be settled: a clock that stands still while its process does."""

from __future__ import annotations

__all__ = ["SettleClock"]


class SettleClock:
    """Runs behind by as long as the process could not read what had come for it.

    Messages that wait in the kernel of a process that was stopped, or starved, have come; without this they were lost
    by the time it reads again. It catches up at half its speed while nothing holds the process up.

    Args:
        now_ns: CLOCK_MONOTONIC now.
        tick_ns: how often it is asked; twice as long is still no stop.

    """

    def __init__(self, now_ns: int, tick_ns: int) -> None:
        self.behind_ns = 0
        self._asked_ns = now_ns
        self._slack_ns = 2 * tick_ns

    def read_ns(self, now_ns: int) -> int:
        """What it shows, ns of CLOCK_MONOTONIC; it never goes back."""
        passed_ns, self._asked_ns = now_ns - self._asked_ns, now_ns
        stopped_ns = passed_ns - self._slack_ns
        self.behind_ns = max(0, self.behind_ns + stopped_ns if stopped_ns > 0 else self.behind_ns - passed_ns // 2)
        return now_ns - self.behind_ns
