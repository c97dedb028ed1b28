"""Which log a broadcast belongs to: one for each source, and a new one where the server began its numbers again.

A server that counts in memory begins again when it is started again, and every connection is lost then. So while
somebody listens a number can only be a later one, or one kept or sent twice. After a *silence*, with nobody left that
listens, the next number of each source tells: above the highest heard the numbering goes on; at or below it, either
the server had kept the message or the number is new. A stamp says which, being from before the silence or after.
Without one a number is new when it lies below the middle of those heard: hardly a server keeps so many.

What another process has heard, this one should have heard too. It counts for as long as the drain as on its way.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from loadtests.duration import NS_PER_S
from loadtests.heardlog import HeardLog
from loadtests.ledger import Message

__all__ = ["EVERY_CHANNEL", "Heard", "HeardLogs", "stream_name"]

EVERY_CHANNEL = ""
"""What those are subscribed to who hear broadcasts whatever their channel."""
EVERYBODY = "*"
"""Stands for the publisher of what they hear."""

SAME_NS = NS_PER_S
"""A number sent this much later is another message: two processes place what they heard of another machine's clock less
far apart, and no server that starts again has counted as far so soon."""

Source = tuple[bool, str, str]
"""Whether it is heard by those who subscribed to its channel by name, or by those who hear all; channel; publisher."""


class Heard(NamedTuple):
    """A number of a source; ``sent_ns``, if not stamped, is when it came."""

    sent_ns: int
    source: Source
    number: int
    stamped: bool


def stream_name(publisher: str, channel: str) -> str:
    """The ledger's name of what one publisher sends on one channel."""
    return f"{publisher}\t{channel}"


class HeardLogs:
    """Of one process."""

    def __init__(self) -> None:
        self.restarts: list[str] = []
        """What is to be told: where the server began its numbers again, once for each silence."""
        self._current: dict[Source, HeardLog] = {}
        self._resting: dict[Source, HeardLog] = {}
        self._lives: dict[Source, list[tuple[int, HeardLog]]] = {}  # with when each began
        self._by_stream: dict[str, HeardLog] = {}
        self._silent_ns = 0
        self._told = False
        self._rose: dict[str, int] = {}
        self._elsewhere: list[Heard] = []

    def of(self, stream: str) -> HeardLog | None:
        """The log of a stream of the ledger; None where its publisher keeps one."""
        return self._by_stream.get(stream)

    def silence(self, now_ns: int) -> None:
        """Nobody listens any more: whether numbers go on afterwards is open."""
        self._resting.update(self._current)
        self._current.clear()
        self._silent_ns, self._told = now_ns, False

    def on(self, source: Source, number: int, sent_ns: int, *, stamped: bool) -> HeardLog:
        """The log that a number belongs to; ``sent_ns``, if not stamped, is when it came."""
        return self._current.get(source) or self._decided(source, number, sent_ns, stamped)

    def news(self) -> list[Heard]:
        """The highest number of each log that has risen since the last call."""
        risen = []
        for source, lives in self._lives.items():
            for _, log in lives:
                if log.highest > self._rose.get(log.stream, -1):
                    self._rose[log.stream] = log.highest
                    risen.append(Heard(log.highest_ns, source, log.highest, log.stamped))
        return risen

    def learn(self, rows: Iterable[Sequence[Any]]) -> None:
        """The news of another process, each a :class:`Heard`'s fields."""
        for sent_ns, source, number, stamped in rows:
            by_channel, channel, publisher = source
            heapq.heappush(self._elsewhere, Heard(sent_ns, (by_channel, channel, publisher), number, stamped))

    def taken(self, until_ns: int) -> Iterator[tuple[HeardLog, int, list[Message]]]:
        """What each log takes (:meth:`HeardLog.take`); of what others heard that which was sent until then counts."""
        while self._elsewhere and self._elsewhere[0].sent_ns <= until_ns:
            self._catch_up(heapq.heappop(self._elsewhere))
        for log in self._by_stream.values():
            yield log, *log.take()

    def _catch_up(self, heard: Heard) -> None:
        """Also in a log of before, where the server has begun again since; nothing from before the first heard here."""
        sent_ns, source, number, stamped = heard
        lives = self._lives.get(source, [])
        begun = [log for begun_ns, log in lives if begun_ns <= sent_ns]
        if len(begun) == len(lives):
            begun.append(self.on(source, number, sent_ns, stamped=stamped))
        if begun:
            begun[-1].heard(number, sent_ns, stamped=stamped)

    def _decided(self, source: Source, number: int, sent_ns: int, stamped: bool) -> HeardLog:
        """After a silence, or of a source that nobody has heard yet."""
        rested = self._resting.get(source)
        if rested is None:
            return self._begin(source, number, sent_ns)
        goes_on, begins = number > rested.highest, stamped or 2 * number < rested.first + rested.highest
        the_same = number == rested.highest and sent_ns < rested.highest_ns + SAME_NS
        if sent_ns <= self._silent_ns or the_same or not (goes_on or begins):
            return rested  # kept; what is not, is still to come
        del self._resting[source]
        if goes_on:
            self._current[source] = rested
            return rested
        if not self._told:
            self._told = True
            where = f' of "{source[1]}"' if source[1] else ""
            text = f"the server began its numbers{where} again at {number:,}, after {rested.highest:,}"
            self.restarts.append(f"{text}; what it numbered while nobody was connected was due to nobody")
        return self._begin(source, number, sent_ns)

    def _begin(self, source: Source, number: int, sent_ns: int) -> HeardLog:
        by_channel, channel, publisher = source
        lives = self._lives.setdefault(source, [])
        whose = ("" if by_channel else EVERYBODY) + (f"/{publisher}" if publisher else "")
        stream = stream_name(whose, channel) + (f"\t{len(lives)}" if lives else "")
        log = HeardLog(stream, number, channel if by_channel else EVERY_CHANNEL)
        self._current[source] = self._by_stream[stream] = log
        lives.append((sent_ns, log))
        return log
