"""Who should have received what: the swarm's account of every delivery.

Pure bookkeeping with time as a parameter. A *stream* is what one publisher sends on one channel, numbered from 0
without gaps. A subscriber is *eligible* for a message when its subscription was acknowledged at least ``guard`` before
the message was sent and still held ``guard`` after. Messages are settled once they are older than ``drain``: every
eligible subscriber has it, or it is lost. A message sent while a subscriber was *away*, its connection lost and not yet
subscribed again, is no loss; it is *recovered* if the server sends it afterwards. What is settled is forgotten, so
memory does not grow with the run: of what did not come, it is known for ``MEMORY_NS`` to whom it did not.

Identities, exact at any time: expected = delivered + lost, and received = delivered + outside + recovered +
duplicated + late + foreign + unsettled, the last being what came of messages that are still open.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from loadtests.duration import NS_PER_S
from loadtests.faultcounts import DUPLICATED, FOREIGN, LATE, REORDERED, FaultCounts
from loadtests.ledgercounts import Counts
from loadtests.missed import Missed
from loadtests.stream import DOUBTED, Arrivals, Left, Message, Settled, Stream
from loadtests.subscriptions import Subscriptions

__all__ = ["LOG_NS", "MEMORY_NS", "Ledger", "Message", "Settled"]

MEMORY_NS = 600 * NS_PER_S
"""What comes later than this after it was sent counts as late, though it may be a copy."""
LOG_NS = 60 * NS_PER_S
"""Nobody's log comes later than this after the drain: what it does not tell of by then was published by nobody."""


class Ledger:
    """Accounts for the deliveries of the subscribers in this process, whoever published."""

    def __init__(self, guard_ns: int, drain_ns: int) -> None:
        if drain_ns < guard_ns:
            raise ValueError("a message must not be settled before its subscribers' windows are known")
        self.counts = Counts()
        self.missed = Missed()
        self._afterwards: defaultdict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
        self._guard_ns = guard_ns
        self._drain_ns = drain_ns
        self._subscribed_to: defaultdict[int, set[Subscriptions]] = defaultdict(set)
        self.faults = FaultCounts()
        self._channels: dict[str, Subscriptions] = {}
        self._streams: defaultdict[str, Stream] = defaultdict(Stream)
        self._swept_ns = 0

    def published(self, stream: str, channel: str, first: int, messages: Iterable[Message]) -> None:
        """A publisher's log: consecutive messages of a stream, the first numbered ``first``.

        Raises:
            ValueError: when the log has a gap.

        """
        known = self._streams[stream]
        known.is_on(self._channel(channel))
        if first != known.known().stop:
            raise ValueError(f"the log of {stream} goes on at {first}, not at {known.known().stop}")
        known.waiting.extend(messages)

    def doubt(self, stream: str, sequence: int) -> None:
        """Perhaps it was never published: we cut its publisher off. If nobody here has it, it is due to nobody."""
        self._streams[stream].doubt(sequence)

    def subscribed(self, subscriber: int, channel: str, at_ns: int) -> None:
        """A subscription was acknowledged."""
        known = self._channel(channel)
        self.faults.changes(known)
        known.begin(subscriber, at_ns, at_ns - self._drain_ns - MEMORY_NS)
        self._subscribed_to[subscriber].add(known)

    def unsubscribed(self, subscriber: int, at_ns: int, *, away: bool = False) -> None:
        """All of a subscriber's subscriptions ended; ``away``: against its will, and it will try to come back."""
        for channel in self._subscribed_to.pop(subscriber, ()):
            self.faults.changes(channel)
            channel.end(subscriber, at_ns, away=away)

    def received(
        self, subscriber: int, stream: str, sequence: int, at_ns: int = 0, *, live: bool = True, sent_ns: int = 0
    ) -> bool:
        """A delivery came; False when it was there already, or was given up as lost.

        ``live`` is false of a message that was sent, at ``sent_ns``, before the subscription was there, and so was
        kept for it.
        """
        counts = self.counts
        counts.received += 1
        known = self._streams[stream]
        place = known.channel.place(subscriber)
        arrivals = known.unsettled.get(sequence)
        if arrivals is None:
            if 0 <= sequence < known.settled:
                return self._after_settlement(stream, place, sequence, live, sent_ns)
            arrivals = known.unsettled[sequence] = Arrivals(len(known.channel.held), at_ns)
        if place >= len(arrivals.came):
            arrivals.came.extend(bytes(place + 1 - len(arrivals.came)))
        if arrivals.came[place]:
            counts.duplicated += 1
            arrivals.duplicated += 1
            self.faults.wrong(DUPLICATED, subscriber, stream)
            return False
        arrivals.came[place] = 1
        if live:
            arrivals.live_ns.append(at_ns)
            if behind := known.behind(place, sequence):
                counts.reordered += 1
                arrivals.reordered += 1
                counts.displacement = max(counts.displacement, behind)
                self.faults.wrong(REORDERED, subscriber, stream, behind)
        return True

    def received_by_all(self, subscribers: Sequence[int], stream: str, sequence: int, at_ns: Sequence[int]) -> bool:
        """One message came live to each of some; False, and nothing is counted, where one needs a look of its own."""
        known = self._streams.get(stream)
        if known is None or not known.takes_for_all(subscribers, sequence, at_ns):
            return False
        self.counts.received += len(subscribers)
        return True

    def settle(self, now_ns: int) -> Iterator[Settled]:
        """Settle every message sent at least ``drain`` ago; and once a second what nobody published."""
        for name, stream in self._streams.items():
            waiting = stream.waiting
            while waiting and max(waiting[0].sent_ns, waiting[0].until_ns) <= now_ns - self._drain_ns:
                message, sequence = waiting.popleft(), stream.settled
                stream.settled += 1
                arrivals = stream.unsettled.pop(sequence, None) or Arrivals(0, 0)
                lost = self._settled(stream, sequence, message, arrivals.came)
                live = arrivals.live_ns
                middle = min(len(live), (len(live) + len(lost) + 1) // 2) - 1
                ends = (live[0], live[middle], live[-1]) if live else None
                yield Settled(name, sequence, message, lost, len(live), ends, arrivals.duplicated, arrivals.reordered)
            while stream.missing and next(iter(stream.missing.values())).message.sent_ns < now_ns - MEMORY_NS:
                oldest = next(iter(stream.missing))
                stream.forgotten = max(stream.forgotten, oldest)
                left = stream.missing.pop(oldest)
                self.missed.never_came(left.message.sent_ns, left.away)
        if now_ns >= self._swept_ns + NS_PER_S:
            self._swept_ns = now_ns
            self._sweep(now_ns - self._drain_ns - LOG_NS)

    def counted(self) -> Counts:
        """The totals, with what is not settled yet."""
        streams = self._streams.values()
        open_ones = (arrivals.came.count(1) for stream in streams for arrivals in stream.unsettled.values())
        self.counts.unsettled = sum(open_ones)
        return self.counts

    def take_afterwards(self) -> list[tuple[tuple[str, int], list[int]]]:
        """Of messages that had been settled, by stream and number: how many came late since, and once more."""
        taken = list(self._afterwards.items())
        self._afterwards.clear()
        return taken

    def _sweep(self, since_ns: int) -> None:
        """Count and forget what came before then and was published by nobody, and streams of which there is no more."""
        for name, stream in list(self._streams.items()):
            for subscriber in stream.take_foreign(since_ns):
                self.counts.foreign += 1
                self.faults.wrong(FOREIGN, subscriber, name)
            if not (stream.unsettled or stream.known().stop):
                del self._streams[name]

    def _channel(self, channel: str) -> Subscriptions:
        return self._channels.setdefault(channel, Subscriptions())

    def _after_settlement(self, name: str, place: int, sequence: int, live: bool, sent_ns: int) -> bool:
        counts, stream = self.counts, self._streams[name]
        channel, left = stream.channel, stream.missing.get(sequence)
        beside = not (live or channel.held_at(place, sent_ns, 0) or channel.away_at(place, sent_ns))
        if left is None and beside:
            left = stream.missing[sequence] = Left(Message(sent_ns, sent_ns), set(), set())
        late = sequence <= stream.forgotten if left is None else place in left.given_up
        if left is not None and late:
            left.given_up.discard(place)
            _, sent_ns, until_ns = left.message
            was_due = until_ns != DOUBTED and channel.held_at(place, sent_ns, self._guard_ns, until_ns)
            beside = not (live or was_due)
            counts.belated += was_due
        elif left is not None and place not in left.had and channel.away_at(place, *left.message[1:]):
            left.had.add(place)
            left.away -= 1
            counts.recovered += 1
            self.missed.came(left.message.sent_ns, 1)
            return True
        if left is not None and beside and place not in left.had:  # as it is where it comes before settlement
            left.had.add(place)
            counts.outside += 1
            return True
        counts.late += late
        counts.duplicated += not late
        self._afterwards[name, sequence][not late] += 1
        self.faults.wrong(LATE if late else DUPLICATED, channel.subscribers[place], name)
        return False

    def _settled(self, stream: Stream, sequence: int, message: Message, came: bytearray) -> list[int]:
        """Count a message; the subscribers that lost it."""
        channel, counts, sent_ns, until_ns = stream.channel, self.counts, message.sent_ns, message.until_ns
        # Asked are those who came or went about then, and who has what it is not due, or the other way round.
        asked = channel.changed_since(sent_ns - 2 * self._guard_ns)
        if came != channel.held:
            asked.update(channel.differing(came))
        agreeing = channel.holders - sum(map(channel.held.__getitem__, asked))
        away, recovered = len(channel.away - asked), 0
        counts.expected += agreeing
        counts.delivered += agreeing
        if agreeing:
            self.faults.due_to_holders(channel, asked)
        if not (asked or away):
            return []
        given_up: set[int] = set()
        had: set[int] = set()
        lost: list[int] = []
        due_to: list[int] = []
        due = until_ns != DOUBTED or 1 in came
        for place in sorted(asked):
            got = place < len(came) and came[place]
            if due and channel.held_at(place, sent_ns, self._guard_ns, until_ns):
                counts.expected += 1
                counts.delivered += got
                due_to.append(place)
                if not got:
                    given_up.add(place)
                    lost.append(channel.subscribers[place])
            elif channel.away_at(place, sent_ns, until_ns):
                away += 1
                if got:
                    recovered += 1
                    had.add(place)
            elif got:
                counts.outside += 1
                had.add(place)
            elif channel.held_at(place, sent_ns, -2 * self._guard_ns):  # not due, but it may still come
                given_up.add(place)
        counts.lost += len(lost)
        if due_to:
            self.faults.due_to(channel, due_to, lost)
        counts.away += away
        counts.recovered += recovered
        self.missed.came(sent_ns, recovered)
        if away or given_up or had:
            stream.missing[sequence] = Left(message, given_up, had, away - recovered)
        return lost
