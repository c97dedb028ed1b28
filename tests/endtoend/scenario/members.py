"""Swarm members of the end-to-end tests."""

import json
import time
from typing import ClassVar

from loadtests.member import Acknowledged, Delivery, Member, Publication, Subscribed


class Talker(Member):
    """Speaks the hub's frames."""

    path = "/ws"

    def read(self, frame: str) -> Delivery | Subscribed | Acknowledged | None:
        """Every frame means something."""
        row = json.loads(frame)
        if row["type"] == "event":
            return Delivery(row["publisher"], row["channel"], row["seq"], row["intended_ns"], row["sent_ns"])
        if row["type"] == "subscribed":
            return Subscribed(row["channels"])
        return Acknowledged(row["channel"], row["seq"])


class Listener(Talker):
    """Listens to the one channel."""

    def channels(self) -> list[str]:
        """The one channel."""
        return ["news"]

    def subscribe_frame(self, channels: list[str]) -> str:
        """Subscribe."""
        return json.dumps({"type": "subscribe", "channels": channels})


class Speaker(Talker):
    """Speaks on the one channel."""

    def publish_channel(self) -> str:
        """The one channel."""
        return "news"

    def publish_frame(self, publication: Publication) -> str:
        """All numbers under short names."""
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


class Broken(Listener):
    """Raises on the first event."""

    def read(self, frame: str) -> Delivery | Subscribed | Acknowledged | None:
        """Understand acknowledgements only."""
        row = json.loads(frame)
        if row["type"] == "event":
            raise KeyError("publisher_seq")
        return super().read(frame)


class BusyListener(Listener):
    """Computes over each event for as long as the settings say."""

    def read(self, frame: str) -> Delivery | Subscribed | Acknowledged | None:
        """What it means, after a while."""
        meaning = super().read(frame)
        until_ns = time.monotonic_ns() + self.settings["burn_ms"] * 1_000_000
        while isinstance(meaning, Delivery) and time.monotonic_ns() < until_ns:
            pass
        return meaning


class Burner(Listener):
    """Computes for 300 ms over an event every two seconds, and so keeps the loop of all members from reading."""

    burnt_ns: ClassVar[int] = 0

    def read(self, frame: str) -> Delivery | Subscribed | Acknowledged | None:
        """What it means, sometimes after a while."""
        meaning, now_ns = super().read(frame), time.monotonic_ns()
        if isinstance(meaning, Delivery) and now_ns - Burner.burnt_ns > 2_000_000_000:
            Burner.burnt_ns = now_ns
            while time.monotonic_ns() - now_ns < 300_000_000:
                pass
        return meaning
