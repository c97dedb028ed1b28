"""A member that goes by the scenario's settings: where it connects, and what it says first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtests.feed import Feed
from loadtests.member import Member

__all__ = ["SettingsMember"]

HEADER = "header "


class SettingsMember(Member):
    """Connects to ``settings["path"]`` with ``settings["headers"]`` and sends each of ``settings["send"]``.

    A secret named ``header NAME`` is such a header, and one named ``send INDEX`` is sent in that one's place.
    """

    def __init__(
        self, index: int, feeds: Mapping[str, Feed], settings: Mapping[str, Any], secrets: Mapping[str, str]
    ) -> None:
        super().__init__(index, feeds, settings, secrets)
        self.path = settings.get("path", self.path)
        self.compress = settings.get("compress", self.compress)

    def headers(self) -> Mapping[str, str]:
        """Of the upgrade request."""
        kept = {name.removeprefix(HEADER): value for name, value in self.secrets.items() if name.startswith(HEADER)}
        return dict(self.settings.get("headers", {})) | kept

    def greetings(self) -> tuple[str | bytes, ...]:
        """What is sent once connected, such as a subscription."""
        given = enumerate(self.settings.get("send", ()))
        return tuple(self.secrets.get(f"send {index}", text) for index, text in given)
