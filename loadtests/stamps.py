"""Whether the stamps of a server whose clock nobody asks are of this machine's clock.

Of the right clock none lies ahead, and what comes live is no older than a delivery may be; only what a server had kept
is. So they are believed until one comes from the future, or for as long as a delivery may take only old ones came;
and not at all where the server is seen to have another clock.
"""

from __future__ import annotations

from loadtests.duration import format_ns

__all__ = ["Stamps"]


class Stamps:
    """Of one process.

    Args:
        longest_ns: what a delivery takes at most.
        ahead_ns: by how much the server's clock is known to be ahead, as that of another time namespace is.

    """

    def __init__(self, longest_ns: int, ahead_ns: int = 0) -> None:
        self._longest_ns, self._ahead_ns = longest_ns, ahead_ns
        self._nearest_ns: int | None = None
        self._first_ns = self._last_ns = 0

    def are_ours(self, stamp_ns: int, now_ns: int) -> bool:
        """Whether this one, and so each, can be of this machine's CLOCK_MONOTONIC."""
        age_ns = now_ns - stamp_ns
        if self._nearest_ns is None:
            self._nearest_ns, self._first_ns = age_ns, now_ns
        elif age_ns < self._nearest_ns:
            self._nearest_ns = age_ns
        self._last_ns = now_ns
        return stamp_ns >= 0 and not self.found()

    def found(self) -> str:
        """What is wrong with them; empty where nothing is, or there are none."""
        nearest_ns = self._nearest_ns
        if self._ahead_ns and nearest_ns is not None:
            where = "ahead of" if self._ahead_ns > 0 else "behind"
            return f"the server runs in a time namespace of its own, {format_ns(abs(self._ahead_ns))} {where} it"
        if nearest_ns is None or 0 <= nearest_ns <= self._longest_ns:
            return ""
        if nearest_ns < 0:
            return f"one lies {format_ns(-nearest_ns)} ahead of it"
        if self._last_ns - self._first_ns <= self._longest_ns:
            return ""
        return f"the nearest lies {format_ns(nearest_ns)} behind it"
