"""Who was subscribed to a channel when: a window for each subscription, from its acknowledgement to its end."""

from __future__ import annotations

import numpy as np

__all__ = ["Subscriptions"]

OPEN = 2**63
"""The end of a window that has not ended."""


class _Window:
    """One subscription; ``away_until_ns`` is when it was there again after an end that nobody had planned."""

    __slots__ = ("away_until_ns", "end_ns", "start_ns")

    def __init__(self, start_ns: int) -> None:
        self.start_ns = start_ns
        self.end_ns = OPEN
        self.away_until_ns = 0


class Subscriptions:
    """Of one channel, where whoever was subscribed, or sent something, has a place, numbered from 0; times in ns.

    Attributes:
        places: by subscriber.
        subscribers: by place.
        held: 1 at the place of each that is subscribed now.
        holders: how many those are.
        away: the places of those whose connection was lost, and who are not subscribed again yet.

    """

    __slots__ = ("_changed_ns", "_windows", "away", "held", "holders", "places", "subscribers")

    def __init__(self) -> None:
        self.places: dict[int, int] = {}
        self.subscribers: list[int] = []
        self.held = bytearray()
        self.holders = 0
        self.away: set[int] = set()
        self._changed_ns: dict[int, int] = {}  # when who came or went last, in that order
        self._windows: list[list[_Window]] = []

    def place(self, subscriber: int) -> int:
        """A subscriber's place, which it has from now on."""
        place = self.places.get(subscriber)
        if place is None:
            place = self.places[subscriber] = len(self.subscribers)
            self.subscribers.append(subscriber)
            self.held.append(0)
            self._windows.append([])
        return place

    def begin(self, subscriber: int, at_ns: int, forget_ns: int) -> None:
        """A subscription was acknowledged, maybe once more; its windows of before ``forget_ns`` are forgotten."""
        place = self.place(subscriber)
        if self.held[place]:
            return
        windows = self._windows[place]
        if place in self.away:
            self.away.discard(place)
            windows[-1].away_until_ns = at_ns
        windows[:] = [window for window in windows if max(window.end_ns, window.away_until_ns) > forget_ns]
        windows.append(_Window(at_ns))
        self.holders += 1
        self.held[place] = 1
        self._change(place, at_ns)

    def end(self, subscriber: int, at_ns: int, *, away: bool) -> None:
        """A subscription that is held ended; ``away``: against its will, and it will try to come back."""
        place = self.places[subscriber]
        window = self._windows[place][-1]
        window.end_ns = at_ns
        if away:
            window.away_until_ns = OPEN
            self.away.add(place)
        self.holders -= 1
        self.held[place] = 0
        self._change(place, at_ns)

    def changed_since(self, at_ns: int) -> set[int]:
        """The places of those who came or went then or later; all others are what they were."""
        since: set[int] = set()
        for place, changed_ns in reversed(self._changed_ns.items()):
            if changed_ns < at_ns:
                break
            since.add(place)
        return since

    def differing(self, came: bytearray) -> list[int]:
        """The places of those who hold it and have no 1 in ``came``, which may be shorter, or the other way round."""
        padded = came.ljust(len(self.held), b"\0")
        unequal = np.frombuffer(padded, np.uint8) != np.frombuffer(self.held, np.uint8)
        places: list[int] = np.flatnonzero(unequal).tolist()
        return places

    def held_at(self, place: int, sent_ns: int, guard_ns: int, until_ns: int = 0) -> bool:
        """Whether a subscription was held from ``guard`` before a message was sent until ``guard`` after.

        Of one that was sent some time until ``until_ns``: all that time.
        """
        last_ns = max(sent_ns, until_ns) + guard_ns
        for window in reversed(self._windows[place]):
            if window.end_ns < last_ns:
                break  # as did those before it
            if window.start_ns + guard_ns <= sent_ns:
                return True
        return False

    def away_at(self, place: int, sent_ns: int, until_ns: int = 0) -> bool:
        """Whether its connection was lost, and not yet subscribed again, when a message was (or may have been) sent."""
        last_ns = max(sent_ns, until_ns)
        for window in reversed(self._windows[place]):
            if window.end_ns <= last_ns and sent_ns < window.away_until_ns:
                return True
            if window.start_ns <= sent_ns:
                break  # those before it were over by then
        return False

    def _change(self, place: int, at_ns: int) -> None:
        if self._changed_ns:
            at_ns = max(at_ns, next(reversed(self._changed_ns.values())))  # in order, though stamps may not be
        self._changed_ns.pop(place, None)
        self._changed_ns[place] = at_ns
