"""How an event gets its number and reaches the hubs of all processes."""

from collections.abc import Awaitable
from typing import Any, Protocol


class Fanout(Protocol):
    """Where events are brought. A hub is one itself: that of the only process, which numbers at once."""

    @property
    def is_connected(self) -> bool:
        """Whether events arrive; while they do not, nobody may subscribe."""

    def publish(
        self, name: str, *, publisher: str, publisher_seq: int, intended_ns: int, sent_ns: int, data: dict[str, Any]
    ) -> int | Awaitable[int]:
        """Publish an event, and return its number, or that which gives it once the event has been delivered here."""

    def announce(self, name: str, data: dict[str, Any], now_ns: int) -> object:
        """Publish a change made over REST; must neither wait nor fail."""
