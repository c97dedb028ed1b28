"""The members of ``loadtests swarm``: they listen to whatever a server broadcasts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtests.adapter import parse_adapter
from loadtests.feed import Feed
from loadtests.member import Broadcast, Read, Unread
from loadtests.settingsmember import SettingsMember

__all__ = ["BroadcastMember"]


class BroadcastMember(SettingsMember):
    """Reads what comes by ``settings["adapter"]``; it is due as ``settings["due"]`` says."""

    hears_broadcasts = True

    def __init__(
        self, index: int, feeds: Mapping[str, Feed], settings: Mapping[str, Any], secrets: Mapping[str, str]
    ) -> None:
        super().__init__(index, feeds, settings, secrets)
        self._adapt = parse_adapter(settings["adapter"])
        self.due = settings.get("due", self.due)
        self.reads_alike = self.due == "everybody"

    def read(self, frame: str) -> Read:
        """By the adapter; what is no broadcast, such as a greeting, means nothing."""
        return self._read(frame)

    def read_bytes(self, frame: bytes) -> Read:
        """Likewise."""
        return self._read(frame)

    def _read(self, frame: str | bytes) -> Read:
        adapter = self.settings["adapter"]
        try:
            found = self._adapt(frame)
        except (ValueError, TypeError, KeyError) as error:
            return Unread(f"the adapter {adapter} finds no number ({error})")
        if not found:
            return Unread(f"the adapter {adapter} finds no number")
        for each in found if isinstance(found, list) else [found]:
            if not isinstance(each, Broadcast):
                return Unread(f"the adapter {adapter} gives a {type(each).__name__} where a Broadcast was expected")
        return [*found] if isinstance(found, list) else found
