"""Live connections at the portal: watchers of agents, agents that publish what they do, and those who direct them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from loadtests.member import Acknowledged, Delivery, Member, Publication, RoundTrip, Subscribed

ACCOUNTS = 10
"""Connections share this many sign-ins, so that opening them is no load on the password hash."""


class PortalMember(Member):
    """Signs in and speaks the frames of ``/ws/agents``."""

    path = "/ws/agents"
    reads_alike = True
    _tokens: dict[str, asyncio.Task[str]] = {}  # noqa: RUF012 -- shared by all members on purpose
    _used: asyncio.Task[str] | None = None

    async def prepare(self, http: Any) -> None:
        """Take the token of this member's account, signing in where nobody has, or where it was of no more use."""
        account = self.feeds["accounts"].at(self.index % ACCOUNTS)["username"]
        known = self._tokens.get(account)
        if known is None or known is self._used:
            known = self._tokens[account] = asyncio.ensure_future(self._sign_in(http, account))
        self._used = known
        self.token = await known

    async def _sign_in(self, http: Any, account: str) -> str:
        form = {"username": account, "password": self.settings["password"]}
        async with http.post("/api/v1/auth/token", data=form, raise_for_status=True) as response:
            return str((await response.json())["access_token"])

    def headers(self) -> Mapping[str, str]:
        """The token goes where no log keeps it."""
        return {"Authorization": f"Bearer {self.token}"}

    def read(self, frame: str) -> Delivery | Subscribed | Acknowledged | None:
        """Events, acknowledgements, and what matters to neither."""
        row = json.loads(frame)
        kind = row["type"]
        if kind == "event":
            return Delivery(row["publisher"], row["channel"], row["publisher_seq"], row["intended_ns"], row["sent_ns"])
        if kind == "published":
            return Acknowledged(row["channel"], int(row["id"]))
        if kind == "subscribed":
            return Subscribed(list(row["channels"]))
        raise ValueError(f"the portal answered {frame[:200]}")


class Watcher(PortalMember):
    """A dashboard: watches every agent that publishes."""

    def channels(self) -> Sequence[str]:
        """The channels of all publishing agents."""
        return [f"agent.{number + 1}" for number in range(self.settings["publishing_agents"])]

    def subscribe_frame(self, channels: Sequence[str]) -> str:
        """One frame for all channels."""
        return json.dumps({"type": "subscribe", "channels": channels})


class AgentPublisher(PortalMember):
    """An agent that tells how it gets on."""

    def publish_channel(self) -> str:
        """Its own channel."""
        return f"agent.{self.index + 1}"

    def publish_frame(self, publication: Publication) -> str:
        """An event with the numbers that the ledger needs back."""
        return json.dumps(
            {
                "type": "publish",
                "id": publication.sequence,
                "channel": publication.channel,
                "publisher": publication.publisher,
                "seq": publication.sequence,
                "intended_ns": publication.intended_ns,
                "sent_ns": publication.sent_ns,
                "data": {"status": "busy", "step": publication.sequence},
            }
        )


class Coordinator(PortalMember, RoundTrip):
    """Directs one agent over REST, and sees on its own socket when the change has come through."""

    FIRST_AGENT = 901
    """Its agents are none of those that publish."""

    def publish_channel(self) -> str:
        """The channel of its agent."""
        return f"agent.{self.FIRST_AGENT + self.index}"

    def channels(self) -> Sequence[str]:
        """The same."""
        return [self.publish_channel()]

    def subscribe_frame(self, channels: Sequence[str]) -> str:
        """One frame."""
        return json.dumps({"type": "subscribe", "channels": channels})

    async def act(self, http: Any, publication: Publication) -> None:
        """Rename the agent to what only this publication is called."""
        async with http.patch(
            f"/api/v1/agents/{self.FIRST_AGENT + self.index}",
            json={"name": f"{publication.publisher} {publication.sequence}"},
            headers=self.headers(),
            raise_for_status=True,
        ) as response:
            await response.read()

    def read(self, frame: str) -> Delivery | Subscribed | Acknowledged | None:
        """An event that carries a name of ours ends its round trip; of any other change, the name is an old one."""
        row = json.loads(frame)
        if row["type"] != "event":
            return super().read(frame)
        _, _, sequence = row["data"].get("name", "").partition(" ")
        return Acknowledged(row["channel"], int(sequence)) if sequence.isdigit() else None
