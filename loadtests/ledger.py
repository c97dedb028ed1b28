"""Who should have received what: the swarm's account of every delivery.

Pure bookkeeping with time as a parameter. A *stream* is what one publisher sends on one channel, numbered from 0
without gaps. A subscriber is *eligible* for a message when its subscription was acknowledged at least ``guard`` before
the message was sent and still held ``guard`` after. Messages are settled once they are older than ``drain``: every
eligible subscriber has it, or it is lost. What is settled is forgotten, so memory does not grow with the run.

Identities, exact once the ledger is closed: expected = delivered + lost, and received = delivered + outside +
duplicated + late + foreign. Until then, what was received and is not settled yet is missing on the right.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

__all__ = ["Counts", "Ledger", "Lost", "Message"]

_OPEN = 2**63
"""The end of a window that has not ended."""


class Message(NamedTuple):
    """A published message, times in ns of CLOCK_MONOTONIC."""

    intended_ns: int
    sent_ns: int


class Lost(NamedTuple):
    """A delivery that was due and did not come."""

    subscriber: int
    stream: str
    sequence: int
    message: Message


@dataclass
class Counts:
    """The ledger's totals."""

    expected: int = 0
    delivered: int = 0
    lost: int = 0
    duplicated: int = 0
    """Came once more."""
    reordered: int = 0
    """Came, not being late, after a higher number of its stream; not a class of its own in the identities."""
    late: int = 0
    """Came after the message was settled: as lost, which it stays, or as not due."""
    outside: int = 0
    """Came in time to a subscriber that was not (yet, or any more) eligible."""
    foreign: int = 0
    """Bears our mark, but nobody published it."""
    received: int = 0

    def to_json(self) -> dict[str, int]:
        """Plain values."""
        return asdict(self)


@dataclass
class _Stream:
    channel: str
    settled: int = 0
    waiting: deque[Message] = field(default_factory=deque)


@dataclass
class _Receipts:
    unsettled: set[int] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)
    missed: set[int] = field(default_factory=set)
    """Not due, being sent close to the subscriber's coming or going, and not come either; some may still."""
    highest: int = -1


class Ledger:
    """Accounts for the deliveries of the subscribers in this process, whoever published."""

    def __init__(self, guard_ns: int, drain_ns: int) -> None:
        if drain_ns < guard_ns:
            raise ValueError("a message must not be settled before its subscribers' windows are known")
        self.counts = Counts()
        self._guard_ns = guard_ns
        self._drain_ns = drain_ns
        self._streams: dict[str, _Stream] = {}
        self._windows: dict[str, dict[int, list[list[int]]]] = {}
        self._receipts: dict[str, dict[int, _Receipts]] = defaultdict(lambda: defaultdict(_Receipts))

    def published(self, stream: str, channel: str, first: int, messages: Iterable[Message]) -> None:
        """A publisher's log: consecutive messages of a stream, the first numbered ``first``.

        Raises:
            ValueError: when the log has a gap.

        """
        known = self._streams.setdefault(stream, _Stream(channel))
        if first != known.settled + len(known.waiting):
            raise ValueError(f"the log of {stream} goes on at {first}, not at {known.settled + len(known.waiting)}")
        known.waiting.extend(messages)

    def subscribed(self, subscriber: int, channel: str, at_ns: int) -> None:
        """A subscription was acknowledged."""
        self._windows.setdefault(channel, {}).setdefault(subscriber, []).append([at_ns, _OPEN])

    def unsubscribed(self, subscriber: int, at_ns: int) -> None:
        """All of a subscriber's subscriptions ended: it left, or its connection closed."""
        for by_subscriber in self._windows.values():
            for window in by_subscriber.get(subscriber, ()):
                window[1] = min(window[1], at_ns)

    def received(self, subscriber: int, stream: str, sequence: int) -> bool:
        """A delivery came; False when it was there already, or was given up as lost."""
        self.counts.received += 1
        receipts = self._receipts[stream][subscriber]
        known = self._streams.get(stream)
        if sequence in receipts.unsettled:
            self.counts.duplicated += 1
            return False
        if known is not None and 0 <= sequence < known.settled:
            first = sequence in receipts.lost or sequence in receipts.missed
            receipts.lost.discard(sequence)
            receipts.missed.discard(sequence)
            self.counts.late += first
            self.counts.duplicated += not first
            return False
        if sequence < receipts.highest:
            self.counts.reordered += 1
        else:
            receipts.highest = sequence
        receipts.unsettled.add(sequence)
        return True

    def settle(self, now_ns: int) -> Iterator[Lost]:
        """Settle every message sent at least ``drain`` ago; yields what was lost."""
        for name, stream in self._streams.items():
            windows, receipts = self._windows.get(stream.channel, {}), self._receipts[name]
            subscribers = windows.keys() | receipts.keys()
            while stream.waiting and stream.waiting[0].sent_ns <= now_ns - self._drain_ns:
                message, sequence = stream.waiting.popleft(), stream.settled
                stream.settled += 1
                for subscriber in subscribers:
                    receipt = receipts[subscriber]
                    came = sequence in receipt.unsettled
                    receipt.unsettled.discard(sequence)
                    if not _held(windows.get(subscriber, ()), message.sent_ns, self._guard_ns):
                        self.counts.outside += came
                        if not came and _held(windows.get(subscriber, ()), message.sent_ns, -2 * self._guard_ns):
                            receipt.missed.add(sequence)
                        continue
                    self.counts.expected += 1
                    if came:
                        self.counts.delivered += 1
                    else:
                        self.counts.lost += 1
                        receipt.lost.add(sequence)
                        yield Lost(subscriber, name, sequence, message)

    def close(self) -> None:
        """After the last settlement: what is still unaccounted for was never published by anyone."""
        for receipts in self._receipts.values():
            for receipt in receipts.values():
                self.counts.foreign += len(receipt.unsettled)
                receipt.unsettled.clear()


def _held(windows: Iterable[Sequence[int]], sent_ns: int, guard_ns: int) -> bool:
    """Whether a subscription was held from ``guard`` before a message was sent until ``guard`` after."""
    for start, end in windows:  # noqa: SIM110 -- any() of a generator takes three times as long
        if start + guard_ns <= sent_ns <= end - guard_ns:
            return True
    return False
