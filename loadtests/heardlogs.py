"""Which log a broadcast belongs to: one for each source, and a new one where the server began its numbers again.

A server that counts in memory begins again when it is started again, and every connection is lost then. So while
somebody listens a number can only be a later one, or one kept or sent twice. After a *silence*, with nobody left that
listens, the next number of each source tells: above the highest heard the numbering goes on; at or below it, either
the server had kept the message or the number is new. A stamp says which, being later than all heard before, or not.
Without one a number is new when it lies below the middle of those heard: hardly a server keeps so many.

What another process has heard, this one should have heard too. It counts for as long as the drain as on its way; and
since that process may have had listeners while this one had none, it does not end this one's silence. Two processes may
place a moment of the server's clock as far apart as both of them may be wrong: what is nearer decides nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from loadtests.heardlog import HeardLog
from loadtests.ledger import Message

__all__ = ["EVERY_CHANNEL", "Heard", "HeardLogs", "stream_name"]

EVERY_CHANNEL = ""
"""What those are subscribed to who hear broadcasts whatever their channel."""
EVERYBODY = "*"
"""Stands for the publisher of what they hear."""

Source = tuple[bool, str, str]
"""Whether it is heard by those who subscribed to its channel by name, or by those who hear all; channel; publisher."""


class Heard(NamedTuple):
    """A number of a source; ``sent_ns``, if not stamped, is when it came, and may be wrong by so much."""

    sent_ns: int
    source: Source
    number: int
    stamped: bool
    wrong_ns: int


def stream_name(publisher: str, channel: str) -> str:
    """The ledger's name of what one publisher sends on one channel."""
    return f"{publisher}\t{channel}"


class HeardLogs:
    """Of one process."""

    def __init__(self) -> None:
        self.restarts: list[str] = []
        """What is to be told: where the server began its numbers again, once for each silence."""
        self.wrong_ns = 0
        """By how much moments of the server's clock may be wrong here, at most."""
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
        log = self._current.get(source)
        if log is None:
            log, ends_rest = self._decided(Heard(sent_ns, source, number, stamped, self.wrong_ns))
            if ends_rest:
                self._current[source] = self._resting.pop(source)
        return log

    def news(self) -> list[Heard]:
        """The highest number of each log that has risen since the last call."""
        risen = []
        for source, lives in self._lives.items():
            for _, log in lives:
                if log.highest > self._rose.get(log.stream, -1):
                    self._rose[log.stream] = log.highest
                    risen.append(Heard(log.highest_ns, source, log.highest, log.stamped, self.wrong_ns))
        return risen

    def learn(self, rows: Iterable[Sequence[Any]]) -> None:
        """The news of another process, each a :class:`Heard`'s fields."""
        for sent_ns, (by_channel, channel, publisher), number, stamped, wrong_ns in rows:
            heapq.heappush(self._elsewhere, Heard(sent_ns, (by_channel, channel, publisher), number, stamped, wrong_ns))

    def taken(self, until_ns: int) -> Iterator[tuple[HeardLog, int, list[Message]]]:
        """What each log takes (:meth:`HeardLog.take`); of what others heard that which was sent until then counts."""
        while self._elsewhere and self._elsewhere[0].sent_ns <= until_ns:
            self._catch_up(heapq.heappop(self._elsewhere))
        for log in self._by_stream.values():
            yield log, *log.take()

    def _catch_up(self, heard: Heard) -> None:
        """Also in a log of before, where the server has begun again since; nothing from before the first heard here."""
        sent_ns, source, number, stamped, wrong_ns = heard
        lives = self._lives.get(source, [])
        begun = [log for begun_ns, log in lives if begun_ns <= sent_ns + self.wrong_ns + wrong_ns]
        if len(begun) == len(lives):
            begun.append(self._current.get(source) or self._decided(heard)[0])
        if begun:
            begun[-1].heard(number, sent_ns, stamped=stamped, elsewhere=True)

    def _decided(self, heard: Heard) -> tuple[HeardLog, bool]:
        """The log of a number after a silence, or of a source that nobody has heard yet; whether it is certain."""
        sent_ns, source, number, stamped, wrong_ns = heard
        rested = self._resting.get(source)
        if rested is None:
            return self._begin(source, number, sent_ns), True
        apart_ns = self.wrong_ns + wrong_ns
        goes_on, begins = number > rested.highest, stamped or 2 * number < rested.first + rested.highest
        if sent_ns <= self._silent_ns + apart_ns:
            return rested, False  # kept, or too soon to tell
        if goes_on:
            return rested, True
        if not begins or sent_ns <= rested.highest_ns + apart_ns:
            return rested, False  # kept; what is not, is still to come
        if not self._told:
            self._told = True
            where = f' of "{source[1]}"' if source[1] else ""
            text = f"the server began its numbers{where} again at {number:,}, after {rested.highest:,}"
            self.restarts.append(f"{text}; what it numbered while nobody was connected was due to nobody")
        return self._begin(source, number, sent_ns), True

    def _begin(self, source: Source, number: int, sent_ns: int) -> HeardLog:
        """A log that rests until it is heard here."""
        by_channel, channel, publisher = source
        lives = self._lives.setdefault(source, [])
        whose = ("" if by_channel else EVERYBODY) + (f"/{publisher}" if publisher else "")
        stream = stream_name(whose, channel) + (f"\t{len(lives)}" if lives else "")
        log = HeardLog(stream, number, channel if by_channel else EVERY_CHANNEL)
        self._resting[source] = self._by_stream[stream] = log
        lives.append((sent_ns, log))
        return log
