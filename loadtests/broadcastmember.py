"""The members of ``loadtests swarm``: they listen to whatever a server broadcasts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtests.adapter import parse_adapter
from loadtests.errors import LoadtestsError
from loadtests.feed import Feed
from loadtests.member import Member, Read

__all__ = ["BroadcastMember"]


class BroadcastMember(Member):
    """Connects to ``settings["path"]``, sends each of ``settings["send"]``, and reads by ``settings["adapter"]``."""

    hears_broadcasts = True

    def __init__(
        self, index: int, feeds: Mapping[str, Feed], settings: Mapping[str, Any], secrets: Mapping[str, str]
    ) -> None:
        super().__init__(index, feeds, settings, secrets)
        self.path = settings["path"]
        self.compress = settings.get("compress", False)
        self._adapt = parse_adapter(settings["adapter"])

    def headers(self) -> Mapping[str, str]:
        """As they were given."""
        return dict(self.settings["headers"])

    def greetings(self) -> tuple[str, ...]:
        """What is sent once connected, such as a subscription."""
        return tuple(self.settings["send"])

    def read(self, frame: str) -> Read:
        """By the adapter."""
        return self._read(frame)

    def read_bytes(self, frame: bytes) -> Read:
        """Likewise."""
        return self._read(frame)

    def _read(self, frame: str | bytes) -> Read:
        try:
            return self._adapt(frame)
        except (ValueError, TypeError, KeyError) as error:
            raise LoadtestsError(
                f"the adapter {self.settings['adapter']} cannot read {frame[:120]!r}: {error}"
            ) from None
