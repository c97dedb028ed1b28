"""What one connection of the swarm receives: each message read, and entered in the books."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from loadtests.books import Books, stream_name
from loadtests.duration import NS_PER_S
from loadtests.ledger import Ledger
from loadtests.member import Acknowledged, Answer, Broadcast, Delivery, Ended, Member, Subscribed
from loadtests.series import DELIVER, MEANWHILE, RECOVER
from loadtests.websocket import WebSocket

__all__ = ["Listening", "Reception"]

UNTIL_SUBSCRIBED = 2**63


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
        timed: whether their times count, which those of members that are slow on purpose do not.
        member: reads frames.
        number: of the connection.
        mark: what the publishers of this run begin with; others' messages mean nothing.
        listening: see :class:`Listening`.

    Attributes:
        by_channel: whether it subscribes to channels by name, so that it hears no others' broadcasts.
        live_from_ns: what was sent before had been kept for it.
        struck: in which trouble it was hit itself, so that it is none of those spared.

    """

    __slots__ = (
        "_books",
        "_broken",
        "_listening",
        "_mark",
        "_member",
        "_number",
        "_place",
        "_record",
        "_timed",
        "_waits",
        "by_channel",
        "ledger",
        "live_from_ns",
        "struck",
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
        self.by_channel = False
        self.live_from_ns = 0
        self.struck = -1
        self.ledger = ledger
        self._books = books
        self._record = books.recorder.record
        self._member = member
        self._number = number
        self._mark = mark
        self._listening = listening
        self._timed = timed
        self._broken = False
        self._waits = books.waits
        self._place = books.waits.place()

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

    def received(self, frames: list[str | bytes], now_ns: int) -> None:
        """All that one read brought; runs in the transport's callback, so what the author's code raises ends here."""
        if self._broken:
            return
        try:
            for frame in frames:
                self._read(frame, now_ns)
        except Exception as error:
            self._broken = True
            self._listening.broke(error)

    def _read(self, frame: str | bytes, now_ns: int) -> None:
        if isinstance(frame, bytes):
            meaning = self._member.read_bytes(frame)
        else:
            if self._books.frames is not None:
                self._books.frames.offer(frame, now_ns)
            meaning = self._member.read(frame)
        if isinstance(meaning, Answer):
            self._listening.act(partial(WebSocket.say, texts=meaning.messages))
            meaning = meaning.meaning
        if isinstance(meaning, Delivery):
            publisher, channel, sequence, intended_ns, sent_ns = meaning
            if publisher.startswith(self._mark):
                self._enter(stream_name(publisher, channel), sequence, intended_ns, sent_ns, now_ns, len(frame))
        elif isinstance(meaning, Broadcast):
            self._hear(meaning, now_ns, len(frame))
        elif isinstance(meaning, Acknowledged):
            self._listening.acknowledged(meaning.channel, meaning.sequence, now_ns)
        elif isinstance(meaning, Subscribed):
            self._listening.subscribed(meaning.channels, now_ns)
        elif isinstance(meaning, Ended):
            self._listening.act(partial(WebSocket.fail, why=meaning.why))

    def _hear(self, broadcast: Broadcast, now_ns: int, size_bytes: int) -> None:
        """What the server itself published; of what comes before the first that anybody heard nobody is accused."""
        stamp_ns, log = self._books.stamp_ns(broadcast), self._books.heard_on(broadcast, self.by_channel)
        sent_ns = now_ns if stamp_ns is None else stamp_ns
        place = log.heard(broadcast.sequence, sent_ns, stamped=stamp_ns is not None)
        if place >= 0:
            self._enter(log.stream, place, sent_ns, sent_ns, now_ns, size_bytes, timed=stamp_ns is not None)

    def _enter(
        self, stream: str, sequence: int, intended_ns: int, sent_ns: int, now_ns: int, size: int, *, timed: bool = True
    ) -> None:
        """A delivery; only the first copy of one that came live is timed with the others."""
        live = sent_ns >= self.live_from_ns
        if not self.ledger.received(self._number, stream, sequence, now_ns, live=live) or not self._timed:
            return
        if not timed:
            self._books.untimed[now_ns // NS_PER_S] += 1
            return
        if not live:
            self._record(RECOVER, intended_ns, sent_ns, now_ns, 0, size)
            return
        self._record(DELIVER, intended_ns, sent_ns, now_ns, 0, size)
        if now_ns < self._books.trouble_until_ns and self.struck != self._books.trouble:
            self._record(MEANWHILE, intended_ns, sent_ns, now_ns, 0, size)
        self._waits.enter(self._place, now_ns - intended_ns)
