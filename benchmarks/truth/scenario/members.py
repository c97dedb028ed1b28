"""Who listens on the relay's one channel, and the one who speaks there once all listen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from loadtests.member import Acknowledged, Delivery, Member, Publication, Subscribed

_listening: set[int] = set()
_all_listen = asyncio.Event()


class Listener(Member):
    """Hears everything."""

    def channels(self) -> Sequence[str]:
        """The one channel."""
        return ["news"]

    def subscribe_frame(self, channels: Sequence[str]) -> str:
        """Subscribe."""
        return json.dumps({"type": "subscribe", "channels": channels})

    def read(self, frame: str) -> Delivery | Subscribed | Acknowledged | None:
        """An event or an acknowledgement."""
        row = json.loads(frame)
        if row["type"] == "event":
            return Delivery(row["publisher"], row["channel"], row["seq"], row["intended_ns"], row["sent_ns"])
        if row["type"] == "published":
            return Acknowledged(row["channel"], row["seq"])
        _listening.add(self.index)
        if len(_listening) == self.settings["listeners"]:
            _all_listen.set()
        return Subscribed(row["channels"])


class Speaker(Listener):
    """Speaks, and does not listen."""

    async def prepare(self, http: Any) -> None:
        """Wait for the listeners, and until the ledger holds them to be there (``swarm.guard``)."""
        await _all_listen.wait()
        await asyncio.sleep(2 * self.settings["guard_s"])

    def channels(self) -> Sequence[str]:
        """None."""
        return ()

    def publish_channel(self) -> str:
        """The one channel."""
        return "news"

    def publish_frame(self, publication: Publication) -> str:
        """All its numbers."""
        return json.dumps(
            {
                "type": "publish",
                "publisher": publication.publisher,
                "channel": publication.channel,
                "seq": publication.sequence,
                "intended_ns": publication.intended_ns,
                "sent_ns": publication.sent_ns,
            }
        )
