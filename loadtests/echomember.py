"""Members of a plain echo server: each sends, and what comes back to it is a delivery."""

from __future__ import annotations

import json
from collections.abc import Sequence

from loadtests.member import Delivery, Publication, Read
from loadtests.settingsmember import SettingsMember

__all__ = ["EchoMember"]


class EchoMember(SettingsMember):
    """Is the only one on a channel of its own; ``settings["message_bytes"]`` is how long a message is at least.

    The server acknowledges nothing, so a publication ends as it is sent; its echo is accounted for as any delivery,
    from when it was to be sent. Subclass it where messages have to look otherwise, or where one has to sign in.
    """

    acknowledges = False

    def publish_channel(self) -> str:
        """Nobody else's."""
        return f"echo.{self.index}"

    def unasked_channels(self) -> Sequence[str]:
        """The same."""
        return [self.publish_channel()]

    def publish_frame(self, publication: Publication) -> str | bytes:
        """A JSON array, longer by blanks where it has to be."""
        return json.dumps(publication, separators=(",", ":")).ljust(self.settings.get("message_bytes", 0))

    def read(self, frame: str) -> Read:
        """An echo; whatever else the server says, such as its name at first, means nothing."""
        try:
            publisher, channel, *numbers = json.loads(frame)
            sequence, intended_ns, sent_ns = map(int, numbers)
        except (ValueError, TypeError):
            return None
        return Delivery(str(publisher), str(channel), sequence, intended_ns, sent_ns)

    def read_bytes(self, frame: bytes) -> Read:
        """Also where the server sends bytes back."""
        return self.read(frame.decode("utf-8", "replace"))
