"""Who was subscribed to a channel when: a window for each subscription, from its acknowledgement to its end."""

from __future__ import annotations

from collections.abc import Set

__all__ = ["Subscriptions"]

OPEN = 2**63
"""The end of a window that has not ended."""
MEMORY_NS = 60 * 1_000_000_000
"""Nobody's log of what was published comes later than this after the drain."""


class _Window:
    """One subscription; ``away_until_ns`` is when it was there again after an end that nobody had planned."""

    __slots__ = ("away_until_ns", "end_ns", "start_ns")

    def __init__(self, start_ns: int) -> None:
        self.start_ns = start_ns
        self.end_ns = OPEN
        self.away_until_ns = 0


class Subscriptions:
    """Of one channel, by the subscribers' places, which are numbered from 0; times in ns.

    Attributes:
        held: 1 at the place of each that is subscribed now.
        holders: how many those are.
        changed_ns: when somebody last came or went.

    """

    __slots__ = ("_windows", "changed_ns", "held", "holders")

    def __init__(self) -> None:
        self.held = bytearray()
        self.holders = 0
        self.changed_ns = -OPEN
        self._windows: dict[int, list[_Window]] = {}

    def begin(self, place: int, at_ns: int, drain_ns: int) -> None:
        """A subscription was acknowledged; windows that no message can still ask for are forgotten."""
        windows = self._windows.setdefault(place, [])
        if windows and windows[-1].away_until_ns:
            windows[-1].away_until_ns = min(windows[-1].away_until_ns, at_ns)
        forget_ns = at_ns - drain_ns - MEMORY_NS
        windows[:] = [window for window in windows if max(window.end_ns, window.away_until_ns) > forget_ns]
        windows.append(_Window(at_ns))
        self.held.extend(bytes(max(0, place + 1 - len(self.held))))
        self.holders += not self.held[place]
        self.held[place] = 1
        self.changed_ns = max(self.changed_ns, at_ns)

    def end(self, place: int, at_ns: int, *, away: bool) -> None:
        """It ended, if there was one; ``away``: against its will, and it will try to come back."""
        for window in self._windows.get(place, ()):
            if window.end_ns == OPEN:
                window.end_ns = at_ns
                window.away_until_ns = OPEN if away else 0
        if place < len(self.held) and self.held[place]:
            self.held[place] = 0
            self.holders -= 1
            self.changed_ns = max(self.changed_ns, at_ns)

    def places(self) -> Set[int]:
        """Everybody who ever was subscribed."""
        return self._windows.keys()

    def held_at(self, place: int, sent_ns: int, guard_ns: int, until_ns: int = 0) -> bool:
        """Whether a subscription was held from ``guard`` before a message was sent until ``guard`` after.

        Of one that was sent some time until ``until_ns``: all that time.
        """
        last_ns = max(sent_ns, until_ns) + guard_ns
        for window in self._windows.get(place, ()):
            if window.start_ns + guard_ns <= sent_ns and last_ns <= window.end_ns:
                return True
        return False

    def away_at(self, place: int, sent_ns: int, until_ns: int = 0) -> bool:
        """Whether its connection was lost, and not yet subscribed again, when a message was (or may have been) sent."""
        last_ns = max(sent_ns, until_ns)
        return any(
            window.end_ns <= last_ns and sent_ns < window.away_until_ns for window in self._windows.get(place, ())
        )
