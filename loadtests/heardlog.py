"""What a server published, as far as it can be told from what its subscribers heard.

A server that numbers its messages keeps no log for us. But a number that anybody heard was published, and so was every
number between two that were; when, is known of those that were heard, and between their neighbours of the others.
"""

from __future__ import annotations

from collections.abc import Iterator

from loadtests.errors import LoadtestsError
from loadtests.ledger import Message

__all__ = ["HeardLog"]

MOST_AHEAD = 1_000_000
"""More messages than this of one channel are not sent in a second."""


class HeardLog:
    """One channel of one server, in one process: the ledger's ``stream``, counted from ``first``, the first heard.

    Args:
        stream: its name.
        first: see above.
        channel: whose subscribers it is due to.

    """

    def __init__(self, stream: str, first: int, channel: str = "") -> None:
        self.stream = stream
        self.first = first
        self.channel = channel
        self.stamped = True
        """Whether the server said when it sent the last that was heard."""
        self._sent: dict[int, Message] = {}
        self._next = 0
        self._latest_ns = 0

    def heard(self, number: int, sent_ns: int, *, stamped: bool = True, intended_ns: int | None = None) -> int:
        """Somebody heard it: its place from the first on, negative for one before it; ``sent_ns`` by its first hearer.

        Without a stamp that is when it first came: by then, nobody knows for how long, it had been sent. It was to be
        sent then, or at ``intended_ns``.

        Raises:
            LoadtestsError: when the numbers jump so far that they cannot be those of messages.

        """
        self.stamped = stamped
        place = number - self.first
        if place > self._next + MOST_AHEAD:
            raise LoadtestsError(
                f"the server's numbers jump from about {self.first + self._next:,} to {number:,}: expected one more "
                "for each message of a channel; name the right field, or the channel's, with --adapter"
            )
        if place >= self._next and place not in self._sent:
            due_ns = sent_ns if intended_ns is None else intended_ns
            self._sent[place] = Message(due_ns, sent_ns, 0 if stamped else sent_ns)
        return place

    @property
    def highest(self) -> int:
        """The highest number heard."""
        return self.first + max(self._sent, default=self._next - 1)

    @property
    def highest_ns(self) -> int:
        """When that was sent."""
        return self._sent[max(self._sent)].sent_ns if self._sent else self._latest_ns

    def take(self) -> tuple[int, list[Message]]:
        """Everything published since it was last taken, up to the highest number heard, and the place of the first."""
        first, end = self._next, max(self._sent, default=self._next - 1) + 1
        messages = list(self._messages(first, end))
        self._next = end
        self._sent.clear()
        return first, messages

    def _messages(self, first: int, end: int) -> Iterator[Message]:
        heard = sorted(self._sent)
        following = 0
        for place in range(first, end):
            message = self._sent.get(place)
            if message is None:  # between the one before it and the one after it
                yield Message(self._latest_ns, self._latest_ns, self._sent[heard[following]].sent_ns)
            else:
                following, self._latest_ns = following + 1, message.sent_ns
                yield message
