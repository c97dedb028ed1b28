"""A member that goes by the scenario's settings: where it connects, and what it says first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtests.feed import Feed
from loadtests.member import Member

__all__ = ["SettingsMember"]


class SettingsMember(Member):
    """Connects to ``settings["path"]`` with ``settings["headers"]`` and sends each of ``settings["send"]``."""

    def __init__(
        self, index: int, feeds: Mapping[str, Feed], settings: Mapping[str, Any], secrets: Mapping[str, str]
    ) -> None:
        super().__init__(index, feeds, settings, secrets)
        self.path = settings.get("path", self.path)
        self.compress = settings.get("compress", self.compress)

    def headers(self) -> Mapping[str, str]:
        """Of the upgrade request."""
        return dict(self.settings.get("headers", {}))

    def greetings(self) -> tuple[str | bytes, ...]:
        """What is sent once connected, such as a subscription."""
        return tuple(self.settings.get("send", ()))
