"""What an author writes for the swarm: how one WebSocket connection behaves.

    class Watcher(Member):
        path = "/ws/agents"

        async def prepare(self, http):
            self.token = await login(http, self.feeds["accounts"].at(self.index))

        def headers(self):
            return {"Authorization": f"Bearer {self.token}"}

        def channels(self):
            return ["agent.1", "agent.2"]

        def subscribe_frame(self, channels):
            return json.dumps({"type": "subscribe", "channels": channels})

        def read(self, frame):
            event = json.loads(frame)
            ...

The engine connects, times, publishes on plan, and keeps the ledger; a member only knows the API's frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from loadtests.feed import Feed

if TYPE_CHECKING:  # authors' files are read where neither asyncio nor aiohttp is
    from loadtests.asyncsession import AsyncSession
    from loadtests.websocket import WebSocket

__all__ = [
    "Acknowledged",
    "Answer",
    "Broadcast",
    "ClockAnswer",
    "Delivery",
    "Due",
    "Ended",
    "Meaning",
    "Member",
    "Publication",
    "Read",
    "RoundTrip",
    "Subscribed",
    "Unread",
]


class Publication(NamedTuple):
    """A message to be published; its numbers must come back in the Delivery."""

    publisher: str
    channel: str
    sequence: int
    intended_ns: int
    sent_ns: int


class Delivery(NamedTuple):
    """A published message as a subscriber received it."""

    publisher: str
    channel: str
    sequence: int
    intended_ns: int
    sent_ns: int


class Subscribed(NamedTuple):
    """The server acknowledged a subscription, to some or all of the channels, by the names that they were asked by."""

    channels: Sequence[str]


class Acknowledged(NamedTuple):
    """The server acknowledged a publication of this connection."""

    channel: str
    sequence: int


class Broadcast(NamedTuple):
    """A message that the server numbers itself, on a channel of its own; when it was sent, if it says so."""

    channel: str
    sequence: int
    sent_ns: int | None = None
    """CLOCK_MONOTONIC of this machine, or of one whose clock is asked (``Member.clock_question``). Without it
    nothing is known of latency, and it counts from its first arrival."""
    publisher: str = ""
    """Whose number it is, where several number their own on one channel; numbers are without gaps for each."""
    intended_ns: int | None = None
    """When it was to be sent, by the same clock, if it says that too: times count from there."""


class ClockAnswer(NamedTuple):
    """What the other machine's clock said when it was asked (ns)."""

    token: str
    received_ns: int
    answered_ns: int


class Ended(NamedTuple):
    """The server refused or ended the subscription; ``why`` is an error kind, of which there are few."""

    why: str


class Answer(NamedTuple):
    """A message that is to be answered at once, and what else it means."""

    messages: Sequence[str | bytes]
    meaning: Delivery | Broadcast | Subscribed | Acknowledged | None = None


class Unread(NamedTuple):
    """A message that nobody can make out; ``why`` is told where no other was ever read."""

    why: str


Due = Literal["everybody", "channel", "connection"]
Meaning = Delivery | Broadcast | Subscribed | Acknowledged | ClockAnswer | Answer | Ended | Unread | None
Read = Meaning | list[Meaning]
"""What a message means, or each of the several that one frame holds."""


class Member:
    """One connection of the swarm; subclass it beside the scenario file.

    Attributes:
        index: number of this member among those of its class, from 0, over all processes.
        feeds, settings, secrets: the scenario's.

    """

    path = "/ws"
    cert: ClassVar[str | tuple[str, str] | None] = None
    """The client's own certificate file, or it and its key, where the target asks for one; of ``http`` too."""
    subprotocols: Sequence[str] = ()
    """Asked for in the handshake, the preferred first."""
    compress = False
    """Whether the server may compress its messages (permessage-deflate)."""
    hears_broadcasts = False
    """Whether it hears, from the moment it is connected, what the server itself publishes: read as ``Broadcast``.
    One that names ``channels`` hears those, once it is subscribed."""
    due: Due = "everybody"
    """Whom a broadcast is due to: all who hear; from the first that came to it on its channel, whoever hears that; or
    the connection alone on which it came, each of which is numbered by itself."""
    reads_alike = False
    """Whether what a message means depends on its bytes alone, whichever member of this class reads it: then each is
    read once, however many it reaches."""
    open_http: Callable[[Member], AsyncSession]
    """Makes ``http``; the engine's."""
    ws: WebSocket | None = None
    """Its connection, while there is one."""
    intended_ns: int | None = None
    """When its next request was meant to begin, where that was before it did; the engine's."""
    acknowledges = True
    """Whether the server acknowledges publications; where it does not, one ends as it is sent."""

    def __init__(
        self,
        index: int,
        feeds: Mapping[str, Feed],
        settings: Mapping[str, Any],
        secrets: Mapping[str, str],
    ) -> None:
        self.index = index
        self.feeds = feeds
        self.settings = settings
        self.secrets = secrets

    @cached_property
    def http(self) -> AsyncSession:
        """A session of its own on the target, made when it is first used: what it asks is a sample, as of any user."""
        return self.open_http(self)

    async def prepare(self, http: Any) -> None:
        """Whatever must happen before connecting, such as a login; ``http`` is an aiohttp.ClientSession on the target.

        Called again before a reconnect. Not timed.
        """

    def headers(self) -> Mapping[str, str]:
        """Headers of the upgrade request."""
        return {}

    def greetings(self) -> Sequence[str | bytes]:
        """What is sent as soon as it is connected."""
        return ()

    def channels(self) -> Sequence[str]:
        """Channels to subscribe to; none for a pure publisher."""
        return ()

    def unasked_channels(self) -> Sequence[str]:
        """Channels that it hears from the moment it is connected, where it names none to subscribe to."""
        return ()

    def subscribe_frame(self, channels: Sequence[str]) -> str | None:
        """The frame that subscribes; None where the server must say first that it is ready: ``read`` then answers."""
        raise NotImplementedError(f"{type(self).__name__} names channels and must define subscribe_frame()")

    def clock_question(self, token: str) -> str | bytes | None:
        """A message that a server on another machine answers with its clock; read as ``ClockAnswer`` of that token.

        It is asked twice a second, on a connection for that alone. None where the server knows nothing of the kind.
        """
        return None

    def publish_channel(self) -> str:
        """The channel of the next publication."""
        raise NotImplementedError(f"{type(self).__name__} has a rate and must define publish_channel()")

    def publish_frame(self, publication: Publication) -> str | bytes:
        """The frame that publishes."""
        raise NotImplementedError(f"{type(self).__name__} has a rate and must define publish_frame()")

    def read(self, frame: str) -> Read:
        """What a received message means; None when it means nothing to the ledger."""
        raise NotImplementedError(f"{type(self).__name__} must define read()")

    def read_bytes(self, frame: bytes) -> Read:
        """The same of a binary message; they mean nothing where this is not defined."""
        return None


class RoundTrip(Member):
    """A member that acts over HTTP and waits for the event that tells of it on its own connection.

    ``read`` answers ``Acknowledged(channel, sequence)`` for that event. The time between is the series ``ws round
    trip``; the ledger of deliveries has no part in it.
    """

    async def act(self, http: Any, publication: Publication) -> None:
        """Do it, so that the event can be recognised; raise where the target refuses (``raise_for_status=True``)."""
        raise NotImplementedError(f"{type(self).__name__} has a rate and must define act()")
