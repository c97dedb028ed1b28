"""Live connections on a channel that no change of an agent speaks on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from loadtests.member import Acknowledged, Delivery, Subscribed
from scenarios.portal.members import AgentPublisher, Watcher

CHANNEL = "agent.0"
"""There is no such agent, and anyone may speak of it."""
_listening: set[int] = set()
_all_listen = asyncio.Event()


class Listener(Watcher):
    """Hears everything that is said there."""

    def channels(self) -> Sequence[str]:
        """The one channel."""
        return [CHANNEL]

    def read(self, frame: str) -> Delivery | Subscribed | Acknowledged | None:
        """Whatever it means; when all listen, the speaker may begin."""
        meaning = super().read(frame)
        if isinstance(meaning, Subscribed):
            _listening.add(self.index)
            if len(_listening) == self.settings["listeners"]:
                _all_listen.set()
        return meaning


class Speaker(AgentPublisher):
    """The only one who speaks there; everyone hears it from its first word on."""

    async def prepare(self, http: Any) -> None:
        """Wait for the listeners, and until the ledger holds them to be there (``swarm.guard``)."""
        await super().prepare(http)
        await _all_listen.wait()
        await asyncio.sleep(2 * self.settings["guard_s"])

    def publish_channel(self) -> str:
        """The one channel."""
        return CHANNEL
