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

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from loadtests.feed import Feed

__all__ = ["Acknowledged", "Delivery", "Member", "Publication", "RoundTrip", "Subscribed"]


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
    """The server acknowledged a subscription."""

    channels: Sequence[str]


class Acknowledged(NamedTuple):
    """The server acknowledged a publication of this connection."""

    channel: str
    sequence: int


Read = Delivery | Subscribed | Acknowledged | None


class Member:
    """One connection of the swarm; subclass it beside the scenario file.

    Attributes:
        index: number of this member among those of its class, from 0, over all processes.
        feeds, settings, secrets: the scenario's.

    """

    path = "/ws"
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

    async def prepare(self, http: Any) -> None:
        """Whatever must happen before connecting, such as a login; ``http`` is an aiohttp.ClientSession on the target.

        Called again before a reconnect. Not timed.
        """

    def headers(self) -> Mapping[str, str]:
        """Headers of the upgrade request."""
        return {}

    def channels(self) -> Sequence[str]:
        """Channels to subscribe to; none for a pure publisher."""
        return ()

    def subscribe_frame(self, channels: Sequence[str]) -> str:
        """The frame that subscribes."""
        raise NotImplementedError(f"{type(self).__name__} names channels and must define subscribe_frame()")

    def publish_channel(self) -> str:
        """The channel of the next publication."""
        raise NotImplementedError(f"{type(self).__name__} has a rate and must define publish_channel()")

    def publish_frame(self, publication: Publication) -> str:
        """The frame that publishes."""
        raise NotImplementedError(f"{type(self).__name__} has a rate and must define publish_frame()")

    def read(self, frame: str) -> Read:
        """What a received frame means; None when it means nothing to the ledger."""
        raise NotImplementedError(f"{type(self).__name__} must define read()")


class RoundTrip(Member):
    """A member that acts over HTTP and waits for the event that tells of it on its own connection.

    ``read`` answers ``Acknowledged(channel, sequence)`` for that event. The time between is the series ``ws round
    trip``; the ledger of deliveries has no part in it.
    """

    async def act(self, http: Any, publication: Publication) -> None:
        """Do it, so that the event can be recognised; raise where the target refuses (``raise_for_status=True``)."""
        raise NotImplementedError(f"{type(self).__name__} has a rate and must define act()")
