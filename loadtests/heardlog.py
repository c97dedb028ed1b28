"""What a server published, as far as it can be told from what its subscribers heard.

A server that numbers its messages keeps no log for us. But a number that anybody heard was published, and so was every
number between two that were; when, is known of those that were heard, and between their neighbours of the others.

One number far above all others may be garbled, and would make losses of all between. As with RTP (RFC 3550, A.1) it is
in doubt until the numbers go on from there; if they do not, nobody published it. And if they do, although in that time
no server has published as many, they are no numbers of messages.
"""

from __future__ import annotations

from collections.abc import Iterator

from loadtests.errors import LoadtestsError
from loadtests.ledger import Message
from loadtests.stream import MOST_AHEAD

__all__ = ["HeardLog"]

MOST_BEHIND = 100
"""So far behind the highest a number is not just late (RFC 3550's MAX_MISORDER)."""
MOST_DOUBTS = 3
"""In a row, none of which the numbers went on from, are no numbers of messages."""
TIMES_ITS_PACE = 10
"""Faster than until then, on average, no server publishes what nobody hears."""


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
        self._next = self._top = 0
        self._first_ns = self._top_ns = 0
        self._latest_ns = 0
        self._doubted: tuple[int, Message] | None = None
        self._doubts = 0

    def heard(
        self,
        number: int,
        sent_ns: int,
        *,
        stamped: bool = True,
        intended_ns: int | None = None,
        elsewhere: bool = False,
    ) -> int:
        """Somebody heard it: its place from the first on, negative where it has none; ``sent_ns`` by its first hearer.

        None has a number before the first; nor a 0 or 1 that is sent after so many others that it is no copy: then the
        numbers begin again before somebody who stayed, or there are two numberings, and nobody knows what was lost.

        Without a stamp that is when it first came: by then, nobody knows for how long, it had been sent. It was to be
        sent then, or at ``intended_ns``. What was heard ``elsewhere`` was in no doubt there.

        Raises:
            LoadtestsError: when the numbers jump again and again, so that they cannot be those of messages.

        """
        self.stamped = stamped
        place = number - self.first
        if number <= 1 and stamped and place <= self._top - MOST_BEHIND and sent_ns > self._top_ns:
            return -1
        if place >= self._next and place not in self._sent:
            due_ns = sent_ns if intended_ns is None else intended_ns
            message = Message(due_ns, sent_ns, 0 if stamped else sent_ns)
            if place <= self._top + MOST_AHEAD or elsewhere or self._goes_on_at(place):
                self._enter(place, message)
            elif self._doubted is None or self._doubted[0] != place:
                self._doubt(place, message)
        return place

    def _goes_on_at(self, place: int) -> bool:
        """Whether numbers go on after the one that was in doubt, which is a message then."""
        if self._doubted is None or not 0 < place - self._doubted[0] <= MOST_AHEAD:
            return False
        doubted, message = self._doubted
        since_ns = max(0, message.sent_ns - self._top_ns)
        likely = TIMES_ITS_PACE * self._top * since_ns / max(1, self._top_ns - self._first_ns)
        if doubted - self._top > MOST_AHEAD + likely:
            raise self._jump_to(doubted)
        self._enter(doubted, message)
        return True

    def _enter(self, place: int, message: Message) -> None:
        """It was published, and so were all numbers up to it."""
        if not self._sent and not self._next:
            self._first_ns = message.sent_ns
        self._sent[place] = message
        if place >= self._top:
            self._top, self._top_ns = place, message.sent_ns
        self._doubts, self._doubted = 0, None

    def _doubt(self, place: int, message: Message) -> None:
        self._doubted, self._doubts = (place, message), self._doubts + 1
        if self._doubts == MOST_DOUBTS:
            raise self._jump_to(place)

    def _jump_to(self, place: int) -> LoadtestsError:
        return LoadtestsError(
            f"the server's numbers jump from about {self.first + self._top:,} to {self.first + place:,}: expected one "
            "more for each message of a channel; name the right field, or the channel's, with --adapter"
        )

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
