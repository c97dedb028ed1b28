"""What one publisher sends on one channel, as far as it is not settled and forgotten."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

import numpy as np

from loadtests.subscriptions import Subscriptions

__all__ = ["DOUBTED", "MOST_AHEAD", "Arrivals", "Left", "Message", "Settled", "Stream"]

DOUBTED = -1
MOST_AHEAD = 3000
"""A number further above the highest is in doubt until the numbers go on from it (RFC 3550, A.1: MAX_DROPOUT)."""
_HIGHEST = 2**63 - 1 - MOST_AHEAD
"""No higher one orders what comes after it: a number of 64 bits may mean that there is none."""


class Message(NamedTuple):
    """A published message, times in ns of CLOCK_MONOTONIC.

    ``until_ns``: where nobody knows when it was sent, the latest that it can have been; or whether, DOUBTED; else 0.
    """

    intended_ns: int
    sent_ns: int
    until_ns: int = 0


class Arrivals:
    """Of one message that is not settled, from the first of them on."""

    __slots__ = ("came", "duplicated", "live_ns", "reordered", "since_ns")

    def __init__(self, places: int, since_ns: int) -> None:
        self.since_ns = since_ns
        self.came = bytearray(places)
        self.live_ns = array("q")
        self.duplicated = self.reordered = 0


class Left:
    """Of one message that is settled: who may still get it, and who ``had`` it though it was not due to them.

    So many of those who were ``away`` when it was sent still lack it.
    """

    __slots__ = ("away", "given_up", "had", "message")

    def __init__(self, message: Message, given_up: set[int], had: set[int], away: int = 0) -> None:
        self.message = message
        self.given_up = given_up
        self.had = had
        self.away = away


class Settled(NamedTuple):
    """What became of one message among the subscribers of this process.

    ``arrived_ns`` holds the first, the middle and the last live arrival, None where nobody got it; ``reached`` how many
    did. Who lost it is behind them all: the middle is the lower of two, and the last where more lost it than got it.
    So many deliveries of it came once more, or after a later one, until now.
    """

    stream: str
    sequence: int
    message: Message
    lost: list[int]
    reached: int
    arrived_ns: tuple[int, int, int] | None
    duplicated: int = 0
    reordered: int = 0


class Stream:
    """What its publisher's log says of it, and what came of what is not settled yet."""

    __slots__ = ("_highest", "_leapt", "channel", "forgotten", "missing", "settled", "unsettled", "waiting")

    def __init__(self) -> None:
        self.channel = Subscriptions()  # until its publisher's log says which
        self.settled = 0
        self.waiting: deque[Message] = deque()
        self._highest = array("q")  # by place, -1 before the first
        self._leapt: dict[int, int] = {}  # likewise: a number far above the highest, which may be garbled
        self.unsettled: dict[int, Arrivals] = {}
        self.missing: dict[int, Left] = {}  # by number, of those that somebody lacked
        self.forgotten = -1

    def is_on(self, channel: Subscriptions) -> None:
        """Its publisher's log says on which channel it is; what came before that takes its places there."""
        if channel is self.channel:
            return
        places = [channel.place(subscriber) for subscriber in self.channel.subscribers]
        for arrivals in self.unsettled.values():
            before, arrivals.came = arrivals.came, bytearray(len(channel.held))
            for place, came in zip(places, before, strict=False):
                arrivals.came[place] = came
        highest, self._highest = self._highest, array("q", [-1] * len(channel.held))
        for before_at, number in enumerate(highest):
            self._highest[places[before_at]] = number
        self._leapt = {places[before_at]: number for before_at, number in self._leapt.items()}
        self.channel = channel

    def doubt(self, sequence: int) -> None:
        """Perhaps one that its publisher's log tells of was never published."""
        if 0 <= (at := sequence - self.settled) < len(self.waiting):
            self.waiting[at] = self.waiting[at]._replace(until_ns=DOUBTED)

    def behind(self, place: int, sequence: int) -> int:
        """By how much a number is below the highest that a subscriber had; 0 where it is the highest now."""
        self._highest.extend([-1] * (place + 1 - len(self._highest)))
        highest = self._highest[place]
        if sequence <= highest + MOST_AHEAD or self._goes_on_at(place, sequence):
            self._highest[place] = min(max(highest, int(sequence)), _HIGHEST)
        return max(0, highest - sequence)

    def _goes_on_at(self, place: int, sequence: int) -> bool:
        """Whether a number far above the highest that a subscriber had is its first, or follows another such one."""
        leapt, self._leapt[place] = self._leapt.get(place, -1), sequence
        return self._highest[place] < 0 or 0 <= leapt < sequence <= leapt + MOST_AHEAD

    def takes_for_all(self, subscribers: Sequence[int], sequence: int, at_ns: Sequence[int]) -> bool:
        """Enter a message that is the first copy, and none behind or far ahead, for all of some; else nothing."""
        arrivals, beyond = self.unsettled.get(sequence), len(self._highest)
        if arrivals is None:
            if 0 <= sequence < self.settled:
                return False
            arrivals = Arrivals(len(self.channel.held), at_ns[0])
        places = [self.channel.places.get(one, beyond) for one in subscribers]
        at, came = np.array(places), np.frombuffer(arrivals.came, np.uint8)
        if at.max() >= min(len(came), beyond) or len(set(places)) < len(places) or came[at].any():
            return False
        highest = np.frombuffer(self._highest, np.int64)
        theirs = highest[at]
        if not theirs.max() <= sequence <= theirs.min() + MOST_AHEAD:
            return False
        came[at], highest[at] = 1, sequence
        self.unsettled[sequence] = arrivals
        arrivals.live_ns.extend(at_ns)
        return True

    def known(self) -> range:
        """The numbers that its publisher's log tells of, and that are not settled."""
        return range(self.settled, self.settled + len(self.waiting))

    def take_foreign(self, since_ns: int) -> list[int]:
        """To whom deliveries came before then of numbers that no log has told of; they are forgotten."""
        known = self.known()
        early = takewhile(lambda one: one[1].since_ns < since_ns, self.unsettled.items())
        foreign = [sequence for sequence, _ in early if sequence not in known]
        came = [self.unsettled.pop(sequence).came for sequence in foreign]
        return [self.channel.subscribers[place] for one in came for place, has_it in enumerate(one) if has_it]
