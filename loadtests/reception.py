"""What one connection of the swarm receives: each message read, and entered in the books."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from loadtests.books import Books
from loadtests.ledger import Ledger
from loadtests.member import Acknowledged, Broadcast, Delivery, Member, Subscribed
from loadtests.series import DELIVER, MEANWHILE, RECOVER

__all__ = ["Listening", "Reception"]

UNTIL_SUBSCRIBED = 2**63


class Listening(Protocol):
    """Who has to know of what is no delivery."""

    def subscribed(self, channels: Sequence[str], now_ns: int) -> None:
        """The server acknowledged a subscription."""

    def acknowledged(self, channel: str, sequence: int, now_ns: int) -> None:
        """The server acknowledged a publication."""

    def broke(self, error: Exception) -> None:
        """The author's code raised; nothing more is read."""


class Reception:
    """Of one connection, through its reconnects.

    Args:
        books: where deliveries are entered.
        ledger: that accounts for them.
        timed: whether their times count, which those of members that are slow on purpose do not.
        member: reads frames.
        number: of the connection.
        mark: what the publishers of this run begin with; others' messages mean nothing.
        listening: see :class:`Listening`.

    Attributes:
        live_from_ns: what was sent before had been kept for it.
        struck: in which trouble it was hit itself, so that it is none of those spared.

    """

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
        self.live_from_ns = 0
        self.struck = -1
        self.ledger = ledger
        self._books = books
        self._member = member
        self._number = number
        self._mark = mark
        self._listening = listening
        self._timed = timed
        self._broken = False
        self._taken = 0
        self._waited_ns = 0

    def begin(self, channels: Sequence[str], now_ns: int) -> None:
        """From now on it is due what is published on these channels."""
        self.live_from_ns = min(self.live_from_ns, now_ns)
        for channel in channels:
            self.ledger.subscribed(self._number, channel, now_ns)

    def end(self, now_ns: int, *, away: bool) -> None:
        """Its connection is gone; ``away``: against its will."""
        self.ledger.unsubscribed(self._number, now_ns, away=away)
        if away:
            self.live_from_ns = UNTIL_SUBSCRIBED

    @property
    def mean_us(self) -> float | None:
        """Mean time of the deliveries that came live; None without any."""
        return self._waited_ns / self._taken / 1000 if self._taken else None

    def received(self, frames: list[str | bytes], now_ns: int) -> None:
        """All that one read brought; runs in the transport's callback, so what the author's code raises ends here."""
        for frame in () if self._broken else frames:
            try:
                self._read(frame, now_ns)
            except Exception as error:
                self._broken = True
                self._listening.broke(error)
                return

    def _read(self, frame: str | bytes, now_ns: int) -> None:
        if isinstance(frame, bytes):
            meaning = self._member.read_bytes(frame)
        else:
            if self._books.frames is not None:
                self._books.frames.offer(frame, now_ns)
            meaning = self._member.read(frame)
        if meaning is None:
            return
        if isinstance(meaning, Delivery):
            if meaning.publisher.startswith(self._mark):
                self._delivered(meaning, now_ns, len(frame))
        elif isinstance(meaning, Broadcast):
            stamp_ns = self._books.stamp_ns(meaning)
            known = self._books.numbered(meaning, now_ns if stamp_ns is None else stamp_ns)
            if known is not None:
                self._delivered(known, now_ns, len(frame), timed=stamp_ns is not None)
        elif isinstance(meaning, Acknowledged):
            self._listening.acknowledged(meaning.channel, meaning.sequence, now_ns)
        elif isinstance(meaning, Subscribed):
            self._listening.subscribed(meaning.channels, now_ns)

    def _delivered(self, delivery: Delivery, now_ns: int, size_bytes: int, *, timed: bool = True) -> None:
        publisher, channel, sequence, intended_ns, sent_ns = delivery
        books, live = self._books, sent_ns >= self.live_from_ns
        stream = f"{publisher}\t{channel}"
        if not self.ledger.received(self._number, stream, sequence, now_ns, live=live) or not (timed and self._timed):
            return
        record = books.recorder.record
        if not live:
            record(RECOVER, intended_ns, sent_ns, now_ns, 0, size_bytes)
            return
        record(DELIVER, intended_ns, sent_ns, now_ns, 0, size_bytes)
        if now_ns < books.trouble_until_ns and self.struck != books.trouble:
            record(MEANWHILE, intended_ns, sent_ns, now_ns, 0, size_bytes)
        self._taken += 1
        self._waited_ns += now_ns - intended_ns
