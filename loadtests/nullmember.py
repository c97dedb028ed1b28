"""Members of a swarm on the null hub: what a calibration attaches beside its requests."""

from __future__ import annotations

import json

from loadtests.member import Acknowledged, Delivery, Member, Publication, Read, Subscribed

__all__ = ["NullListener", "NullSpeaker"]

CHANNELS = 8


class NullListener(Member):
    """Listens to one of eight channels."""

    reads_alike = True

    @property
    def path(self) -> str:  # type: ignore[override]
        """The hub, which is not where the requests go."""
        return f"{self.settings['hub']}/ws"

    def channels(self) -> list[str]:
        """By its index."""
        return [f"null.{self.index % CHANNELS}"]

    def subscribe_frame(self, channels: object) -> str:
        """Subscribe."""
        return json.dumps({"type": "subscribe", "channels": channels})

    def read(self, frame: str) -> Read:
        """Every frame means something."""
        row = json.loads(frame)
        kind = row.pop("type")
        if kind == "event":
            return Delivery(**row)
        return Subscribed(row["channels"]) if kind == "subscribed" else Acknowledged(row["channel"], row["sequence"])


class NullSpeaker(NullListener):
    """Speaks on each channel in turn."""

    _said = 0

    def channels(self) -> list[str]:
        """It listens to none."""
        return []

    def publish_channel(self) -> str:
        """The next one."""
        self._said += 1
        return f"null.{self._said % CHANNELS}"

    def publish_frame(self, publication: Publication) -> str:
        """All of it, by the names that it has here."""
        return json.dumps({"type": "publish", **publication._asdict()})
