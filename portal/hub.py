"""Channels, those who watch them, and the numbers by which a watcher sees that nothing is missing.

The hub knows no sockets. It runs on one event loop and never waits: `publish` either queues an event for a subscriber
or learns that the subscriber's outbox is full, which is that outbox's own affair.
"""

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from portal.history import History, Missed

REST = "rest"
"""The publisher of changes made over REST; no client may use the name."""


class Inbox(Protocol):
    """What the hub asks of a subscriber: to take a frame, or say that it cannot."""

    def put(self, frame: str) -> bool:
        """Take one frame; must not wait."""


class HubFullError(RuntimeError):
    """There are too many channels for one more."""


@dataclass(slots=True)
class _Channel:
    seq: int = 0  # of the last event
    rest_seq: int = 0  # of the next event announced by REST
    subscribers: dict[Inbox, None] = field(default_factory=dict)  # a set that keeps the order of arrival


class Hub:
    """All channels of one portal.

    A channel comes into being with its first subscriber or event. Once it has had an event it stays, for its numbers
    must go on without a gap; so their count is bounded by `max_channels`.
    """

    def __init__(self, max_channels: int = 100_000, history: History | None = None) -> None:
        self.is_connected = True
        """A portal that is the only one hears all of its events."""
        self._history = history or History()
        self._channels: dict[str, _Channel] = {}
        self._watched: dict[Inbox, set[str]] = {}
        self._max_channels = max_channels
        self.deliver = deliver
        """What hands a frame to subscribers and returns how many refused it; a laboratory puts its own here."""
        self.epoch = secrets.token_hex(8)
        """The numbers of one epoch go on without a gap; in another they begin anew."""
        self.published = 0
        """Events numbered."""
        self.dropped = 0
        """Deliveries that were refused."""

    def subscribe(self, subscriber: Inbox, channels: Iterable[str]) -> dict[str, int]:
        """Let `subscriber` have every event of `channels` from now on; return each channel's last number.

        The next event it receives on a channel has that number plus one. Subscribing twice is subscribing once.
        """
        last: dict[str, int] = {}
        watched = self._watched.setdefault(subscriber, set())
        for name in channels:
            channel = self._channel(name)
            channel.subscribers[subscriber] = None
            watched.add(name)
            last[name] = channel.seq
        return last

    def has(self, subscriber: Inbox, name: str) -> bool:
        """Whether `subscriber` has the events of a channel."""
        return name in self._watched.get(subscriber, ())

    def after(self, name: str, seq: int, epoch: str | None = None) -> Missed:
        """Return what came on a channel after number `seq`.

        A number of another epoch, or one that is still to come, says nothing: then it is all since the first.
        """
        channel = self._channels.get(name)
        last = channel.seq if channel else 0
        begun_anew = seq > last or epoch not in (None, self.epoch)
        return self._history.after(name, 0 if begun_anew else seq, last)

    def unsubscribe(self, subscriber: Inbox, channels: Iterable[str]) -> dict[str, int]:
        """Send `subscriber` no more events of `channels`; return each channel's last number."""
        last: dict[str, int] = {}
        watched = self._watched.get(subscriber, set())
        for name in channels:
            channel = self._channels.get(name)
            last[name] = channel.seq if channel else 0
            if channel is not None and name in watched:
                watched.discard(name)
                del channel.subscribers[subscriber]
                self._forget_unused(name, channel)
        return last

    def leave(self, subscriber: Inbox) -> None:
        """Forget a subscriber."""
        self.unsubscribe(subscriber, list(self._watched.get(subscriber, ())))
        self._watched.pop(subscriber, None)

    def subscribers(self, name: str) -> tuple[Inbox, ...]:
        """Return those who have the events of a channel."""
        channel = self._channels.get(name)
        return tuple(channel.subscribers) if channel else ()

    def publish(
        self, name: str, *, publisher: str, publisher_seq: int, intended_ns: int, sent_ns: int, data: dict[str, Any]
    ) -> int:
        """Number an event, hand it to every subscriber of its channel, and return the number.

        It is encoded once, however many subscribers there are. Raises ValueError for data that JSON cannot hold (NaN),
        in which case no number is used up.
        """
        channel = self._channel(name)
        seq = channel.seq + 1
        event = {
            "type": "event",
            "channel": name,
            "seq": seq,
            "publisher": publisher,
            "publisher_seq": publisher_seq,
            "intended_ns": intended_ns,
            "sent_ns": sent_ns,
            "data": data,
        }
        frame = encode(event)
        channel.seq = seq
        self._tell(name, channel, frame)
        return seq

    def announce(self, name: str, data: dict[str, Any], now_ns: int) -> int:
        """Publish a change made over REST, numbered per channel from 0 as any publisher numbers its own."""
        channel = self._channels.setdefault(name, _Channel())  # past the bound too: a change made must not fail here
        seq = self.publish(
            name, publisher=REST, publisher_seq=channel.rest_seq, intended_ns=now_ns, sent_ns=now_ns, data=data
        )
        channel.rest_seq += 1
        return seq

    def take(self, name: str, seq: int, frame: str) -> bool:
        """Deliver an event that was numbered elsewhere, or say that it is not the next of its channel."""
        channel = self._channels.setdefault(name, _Channel())
        if seq != channel.seq + 1:
            return False
        channel.seq = seq
        self._tell(name, channel, frame)
        return True

    def begin(self, epoch: str, numbers: Mapping[str, int]) -> None:
        """Start from numbers that were given elsewhere, with no history. Nobody may be subscribed."""
        self.epoch = epoch
        self._history.clear()
        for channel in self._channels.values():
            channel.seq = 0
        for name, seq in numbers.items():
            self._channels.setdefault(name, _Channel()).seq = seq

    def restore(self, name: str, seq: int, frame: str) -> None:
        """Add an event that was delivered elsewhere to the history."""
        self._channels.setdefault(name, _Channel()).seq = seq
        self._history.record(name, frame)

    def check_room(self, name: str) -> None:
        """Raise HubFullError if there cannot be a channel of this name."""
        if name not in self._channels and len(self._channels) >= self._max_channels:
            raise HubFullError(f"there are {self._max_channels} channels already")

    def _tell(self, name: str, channel: _Channel, frame: str) -> None:
        self._history.record(name, frame)
        self.published += 1
        self.dropped += self.deliver(channel.subscribers, frame)

    def _channel(self, name: str) -> _Channel:
        channel = self._channels.get(name)
        if channel is None:
            self.check_room(name)
            channel = self._channels[name] = _Channel()
        return channel

    def _forget_unused(self, name: str, channel: _Channel) -> None:
        if channel.seq == 0 and not channel.subscribers:
            del self._channels[name]


def deliver(subscribers: Iterable[Inbox], frame: str) -> int:
    """Hand a frame to each subscriber, and return how many refused it."""
    refused = 0
    for subscriber in subscribers:
        if not subscriber.put(frame):
            refused += 1
    return refused


def encode(frame: dict[str, Any]) -> str:
    """Encode a frame as compact ASCII JSON: one character is one byte, and lone surrogates cannot break a socket."""
    return json.dumps(frame, separators=(",", ":"), allow_nan=False)
