"""Members of GraphQL APIs: subscriptions over WebSocket, by the protocol graphql-transport-ws.

https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverWebSocket.md: the client says
``connection_init``, the server ``connection_ack``, and only then may subscriptions be asked for; nobody acknowledges
those, so they count from the moment they are asked for. Either side may ``ping``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from loadtests.member import Acknowledged, Answer, Broadcast, Delivery, Ended, Member, Read, Subscribed

__all__ = ["GraphQLMember"]


class GraphQLMember(Member):
    """One operation for each of its channels; subclass it, name them, and read what they bring.

    class AgentWatcher(GraphQLMember):
        def channels(self):
            return ["7", "8"]

        def operation(self, channel):
            query = "subscription($id: ID!) { agentChanged(id: $id) { version } }"
            return {"query": query, "variables": {"id": channel}}

        def event(self, channel, data):
            return Broadcast(channel, data["agentChanged"]["version"])
    """

    path = "/graphql"
    subprotocols = ("graphql-transport-ws",)

    def init_payload(self) -> Mapping[str, Any]:
        """What ``connection_init`` brings, such as a token."""
        return {}

    def operation(self, channel: str) -> Mapping[str, Any]:
        """The subscription's payload: ``query``, and perhaps ``variables`` and ``operationName``."""
        raise NotImplementedError(f"{type(self).__name__} must define operation()")

    def event(self, channel: str, data: Any) -> Delivery | Broadcast | Acknowledged | None:
        """What a result means; numbers that are not the channel's alone need their ``Broadcast.publisher``."""
        raise NotImplementedError(f"{type(self).__name__} must define event()")

    def greetings(self) -> Sequence[str]:
        """The protocol's first word."""
        return [json.dumps({"type": "connection_init", "payload": self.init_payload()})]

    def subscribe_frame(self, channels: Sequence[str]) -> None:
        """Nothing may be asked for before the server has acknowledged the connection."""

    def read(self, frame: str) -> Read:
        """One message of the protocol."""
        row = json.loads(frame)
        kind = row["type"]
        if kind == "next":
            if row["payload"].get("errors"):
                return Ended("graphql error")
            return self.event(row["id"], row["payload"]["data"])
        if kind == "connection_ack":
            channels = list(self.channels())
            return Answer([self._subscribe(channel) for channel in channels], Subscribed(channels))
        if kind == "ping":
            return Answer([json.dumps({"type": "pong"})])
        if kind in ("error", "complete"):
            return Ended("graphql error" if kind == "error" else "subscription completed")
        return None

    def _subscribe(self, channel: str) -> str:
        return json.dumps({"id": channel, "type": "subscribe", "payload": self.operation(channel)})
