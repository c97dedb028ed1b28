"""The members of ``loadtests swarm``: they listen to whatever a server broadcasts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtests.adapter import parse_adapter
from loadtests.errors import LoadtestsError
from loadtests.feed import Feed
from loadtests.member import Read
from loadtests.settingsmember import SettingsMember

__all__ = ["BroadcastMember"]


class BroadcastMember(SettingsMember):
    """Reads what comes by ``settings["adapter"]``."""

    hears_broadcasts = True
    reads_alike = True

    def __init__(
        self, index: int, feeds: Mapping[str, Feed], settings: Mapping[str, Any], secrets: Mapping[str, str]
    ) -> None:
        super().__init__(index, feeds, settings, secrets)
        self._adapt = parse_adapter(settings["adapter"])

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
