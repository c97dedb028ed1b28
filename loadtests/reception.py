"""What one connection of the swarm receives: each message read, and entered in the books."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import index
from struct import Struct
from struct import error as StructError  # noqa: N812 -- a class
from typing import Protocol

from loadtests.books import Books, stream_name
from loadtests.entry import Entry
from loadtests.ledger import Ledger
from loadtests.member import Acknowledged, Answer, Broadcast, Delivery, Ended, Meaning, Member, Subscribed, Unread
from loadtests.memo import Memo
from loadtests.websocket import WebSocket

__all__ = ["Listening", "Reception"]

LONGEST_KEPT = 4096
"""Longer messages are read each time, for so many of them would take gigabytes."""
UNTIL_SUBSCRIBED = 2**63
_pack = Struct("2q").pack


class Listening(Protocol):
    """Who has to know of what is no delivery."""

    def subscribed(self, channels: Sequence[str], now_ns: int) -> None:
        """The server acknowledged a subscription."""

    def acknowledged(self, channel: str, sequence: int, now_ns: int) -> None:
        """The server acknowledged a publication."""

    def act(self, on: Callable[[WebSocket], None]) -> None:
        """The member answers, or gives up a connection on which the server ended what was subscribed to."""

    def broke(self, error: Exception) -> None:
        """The author's code raised; nothing more is read."""


class Reception:
    """Of one connection, through its reconnects.

    Args:
        books: where deliveries are entered.
        ledger: that accounts for them.
        member: reads frames.
        number: of the connection.
        mark: what the publishers of this run begin with; others' messages mean nothing.
        listening: see :class:`Listening`.
        timed: whether their times count, which those of members that are slow on purpose do not.

    Attributes:
        live_from_ns: when it was subscribed; what was sent before, or while it is not, has been kept for it.
        recovers_from_ns: when it was subscribed before its connection was lost against its will.
        waits_at: where it has its place in the waits.
        struck: in which trouble it was hit itself, so that it is none of those spared.

    """

    __slots__ = (
        "_books",
        "_broken",
        "_by_channel",
        "_deliveries",
        "_due",
        "_hears_of",
        "_known",
        "_listening",
        "_listens",
        "_mark",
        "_member",
        "_shared",
        "_times",
        "ledger",
        "live_from_ns",
        "number",
        "recovers_from_ns",
        "struck",
        "timed",
        "waits_at",
    )

    def __init__(
        self,
        books: Books,
        ledger: Ledger,
        member: Member,
        number: int,
        mark: str,
        listening: Listening,
        *,
        timed: bool = True,
    ) -> None:
        self.live_from_ns = self.recovers_from_ns = UNTIL_SUBSCRIBED
        self.struck = -1
        self.ledger = ledger
        self.number = number
        self.timed = timed
        self.waits_at = books.waits.place()
        self._books = books
        self._deliveries = books.deliveries
        self._member = member
        self._mark = mark
        self._listening = listening
        self._broken = self._listens = False
        self._due = member.due
        self._hears_of: set[str] = set()
        self._times = 0
        self.hears(by_channel=False)

    def hears(self, *, by_channel: bool) -> None:
        """Whether it subscribes to channels by name, so that it hears no others' broadcasts."""
        self._by_channel = by_channel
        self._known: Memo[str | bytes, Entry] = self._books.entries(type(self._member), by_channel)
        self._shared = self._known if self.timed and self._member.reads_alike and not self._broken else None

    def begin(self, channels: Sequence[str], now_ns: int) -> None:
        """From now on it is due what is published on these channels."""
        self._deliveries.enter_all()
        if channels and not self._listens:
            self._listens = True
            self._books.listens()
        if self.live_from_ns == UNTIL_SUBSCRIBED:
            self._times += 1
        self.live_from_ns = min(self.live_from_ns, now_ns)
        for channel in channels:
            self.ledger.subscribed(self.number, channel, now_ns)

    def leave(self, now_ns: int) -> None:
        """It goes, as planned: from now on nothing is due; what is under way comes as live as before."""
        self._deliveries.enter_all()
        self.ledger.unsubscribed(self.number, now_ns)

    def end(self, now_ns: int, *, away: bool) -> None:
        """Its connection is gone; ``away``: against its will, so that what it misses from here on can be recovered."""
        self._deliveries.enter_all()
        self.ledger.unsubscribed(self.number, now_ns, away=away)
        if self._listens:
            self._listens = False
            self._books.listens_no_more(now_ns)
        self._hears_of.clear()
        self.recovers_from_ns = min(self.recovers_from_ns, self.live_from_ns) if away else UNTIL_SUBSCRIBED
        self.live_from_ns = UNTIL_SUBSCRIBED

    def received(self, frames: list[str | bytes], now_ns: int) -> None:
        """All that one read brought; runs in the transport's callback, so what the author's code raises ends here."""
        if self._deliveries.joined(self, frames, self._shared, now_ns) or self._broken:
            return
        sample, known, alike = self._books.frames, self._known, self._shared is not None
        entries: list[tuple[Entry, int]] = []
        try:
            for frame in frames:
                if sample is not None and isinstance(frame, str):
                    sample.offer(frame, now_ns)
                if (entry := known.get(frame)) is not None:
                    entries.append((entry, len(frame)))
                else:
                    self._read(frame, now_ns, entries)
                    alike = alike and frame in known
        except Exception as error:
            alike = False
            self.broke(error)
        if alike and sample is None:
            self._deliveries.came(self, now_ns, entries, frames, known)
        elif entries:
            self._deliveries.came(self, now_ns, entries)

    def broke(self, error: Exception) -> None:
        """The author's code raised, or what it gave cannot be entered; nothing more is read."""
        self._broken, self._shared = True, None
        self._listening.broke(error)

    def _read(self, frame: str | bytes, now_ns: int, entries: list[tuple[Entry, int]]) -> None:
        """Add what is to be entered of a frame, and its size; each message of several is a part of it."""
        meaning = self._member.read_bytes(frame) if isinstance(frame, bytes) else self._member.read(frame)
        several, alone = (meaning, False) if isinstance(meaning, list) else ([meaning], True)
        for each in several:
            entry = self._means(each, frame, now_ns, entries, alone=alone)
            if entry is not None:
                entries.append((entry, len(frame) // len(several)))

    def _means(
        self, meaning: Meaning, frame: str | bytes, now_ns: int, before: list[tuple[Entry, int]], *, alone: bool
    ) -> Entry | None:
        """What is to be entered for one message; of what is no delivery, whoever it concerns is told.

        What came before a subscription, in the same read, was kept for it.
        """
        if isinstance(meaning, Answer):
            self._listening.act(partial(WebSocket.say, texts=meaning.messages))
            meaning = meaning.meaning
        elif isinstance(meaning, Delivery | Broadcast) and alone and self._member.reads_alike:
            entry = self._entry(meaning, now_ns)
            if entry is not None and len(frame) <= LONGEST_KEPT:
                self._known.keep(frame, entry)
            return entry
        if isinstance(meaning, Delivery | Broadcast):
            return self._entry(meaning, now_ns)
        if isinstance(meaning, Acknowledged):
            self._listening.acknowledged(meaning.channel, meaning.sequence, now_ns)
        elif isinstance(meaning, Subscribed):
            self._deliveries.came(self, now_ns, before.copy())
            before.clear()
            self._listening.subscribed(meaning.channels, now_ns)
        elif isinstance(meaning, Ended):
            self._listening.act(partial(WebSocket.fail, why=meaning.why))
        elif isinstance(meaning, Unread):
            self._books.passed_over(frame, meaning.why)
        return None

    def _entry(self, meaning: Delivery | Broadcast, now_ns: int) -> Entry | None:
        """Of messages of other runs nobody is accused, nor of what the server sent before anybody heard it."""
        _require_numbers(meaning.sequence, meaning.intended_ns, meaning.sent_ns)
        if isinstance(meaning, Broadcast):
            if self._due != "everybody":
                meaning = self._on_its_own(meaning, now_ns)
            heard = self._books.hear(meaning, now_ns, self._by_channel or self._due != "everybody")
            if heard.sequence >= 0:
                return heard
            self._books.unplaced += heard.intended_ns > self.live_from_ns + self._books.guard_ns
            return None
        publisher, channel, sequence, intended_ns, sent_ns = meaning
        if not publisher.startswith(self._mark):
            return None
        return Entry(stream_name(publisher, channel), sequence, intended_ns, sent_ns)

    def _on_its_own(self, broadcast: Broadcast, now_ns: int) -> Broadcast:
        """On a channel to which it is subscribed as it first hears of it; of its own numbers, on one for this time."""
        if self._due == "connection":
            broadcast = broadcast._replace(channel=f"{broadcast.channel}#{self.number}.{self._times}")
        if broadcast.channel not in self._hears_of:
            self._hears_of.add(broadcast.channel)
            self.ledger.subscribed(self.number, broadcast.channel, now_ns)
        return broadcast


def _require_numbers(sequence: int, intended_ns: int | None, sent_ns: int | None) -> None:
    """TypeError where an author's member gives what is none, while it is known whose message it was."""
    try:
        index(sequence)
        _pack(0 if intended_ns is None else intended_ns, 0 if sent_ns is None else sent_ns)
    except (TypeError, StructError):
        found = f"{sequence!r}, and {intended_ns!r} and {sent_ns!r}"
        raise TypeError(
            f"a message has a whole number, and times in whole nanoseconds of 64 bits; this one has {found}"
        ) from None
