"""The members of ``loadtests swarm``: they listen to whatever a server broadcasts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtests.adapter import parse_adapter
from loadtests.feed import Feed
from loadtests.member import Read, Unread
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
        """By the adapter; what is no broadcast, such as a greeting, means nothing."""
        return self._read(frame)

    def read_bytes(self, frame: bytes) -> Read:
        """Likewise."""
        return self._read(frame)

    def _read(self, frame: str | bytes) -> Read:
        try:
            return self._adapt(frame) or Unread(f"the adapter {self.settings['adapter']} finds no number")
        except (ValueError, TypeError, KeyError) as error:
            return Unread(f"the adapter {self.settings['adapter']} finds no number ({error})")
