"""What all connections of a process write into: samples, the ledger, the log of publications, the first fault."""

from __future__ import annotations

import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from loadtests.availability import Availability
from loadtests.clockoffset import ClockOffset
from loadtests.deliveries import Deliveries
from loadtests.duration import NS_PER_S
from loadtests.entry import Entry
from loadtests.framesample import FrameSample
from loadtests.heardlogs import EVERY_CHANNEL, HeardLogs, stream_name
from loadtests.interval import Interval
from loadtests.ledger import Ledger, Message
from loadtests.ledgercounts import Counts
from loadtests.member import Broadcast, Member, Publication
from loadtests.memo import Memo
from loadtests.recorder import Recorder
from loadtests.sample import Outcome
from loadtests.series import CONNECTED, DELIVER, DUPLICATED, LATE, MISSED, REORDERED
from loadtests.settlement import Settlement
from loadtests.stamps import Stamps
from loadtests.waits import Waits

__all__ = ["EVERY_CHANNEL", "Books", "stream_name"]

MOST_READ = 1024
"""Messages whose meaning is remembered, by kind of member."""
_WRONG = ((DUPLICATED, "duplicated"), (REORDERED, "reordered"), (LATE, "late"))
"""What is known of a delivery as it comes, and the ledger's count of it."""


class Books:
    """The swarm's account of one process.

    Args:
        t0_ns: CLOCK_MONOTONIC of the run's second 0.
        limits_ns: latency limits that objectives set for a series.
        guard_ns: see :class:`~loadtests.ledger.Ledger`.
        drain_ns: likewise.
        shared: whether other processes have subscribers too, and must learn what is published here.
        ahead_ns: see :class:`~loadtests.stamps.Stamps`.

    """

    def __init__(
        self,
        t0_ns: int,
        limits_ns: Callable[[str], Sequence[int]],
        guard_ns: int,
        drain_ns: int,
        shared: bool,
        ahead_ns: int = 0,
    ) -> None:
        self.recorder = Recorder(t0_ns, limits_ns)
        self.ledger = Ledger(guard_ns, drain_ns)
        self.slow = Ledger(guard_ns, drain_ns)
        """Of the members that are slow on purpose, where ``has_slow``."""
        self.has_slow = False
        self.guard_ns = guard_ns
        self.waits = Waits()
        self.deliveries = Deliveries(self.ledger, self.recorder, self.waits)
        self.availability = Availability()
        self.closes: Counter[str] = Counter()
        """How connections ended: ``who: why``."""
        self.clock = ClockOffset()
        """Of the target, where ``asks_clock``."""
        self.asks_clock = False
        self.stamped, self.stamps = 0, Stamps(drain_ns, ahead_ns)
        """Messages that bore a time of the target's clock; and whether that can be this one."""
        self.unplaced = 0
        """Deliveries of numbers from before the first heard, though they were sent long after it."""
        self.unread, self.unread_example = 0, ""
        """Messages that members could not make out; and the first of them, and why."""
        self.events: list[dict[str, str]] = []
        self.connected = 0
        self.fault: str | None = None
        """The first exception of an author's member, with its line."""
        self.frames: FrameSample | None = None
        """Where received frames are held against the contract."""
        self._drain_ns = drain_ns
        self.settlement = Settlement()
        self._counted = Counts()
        self._shared = shared
        self._published: dict[str, Any] = {}
        self._doubts: list[tuple[str, int]] = []
        self._heard = HeardLogs()
        self._listeners = 0
        self._entries: defaultdict[tuple[type[Member], bool], Memo[str | bytes, Entry]] = defaultdict(
            lambda: Memo(MOST_READ)
        )

    def publish_log(self, publication: Publication) -> None:
        """A message left; every process's ledger learns of it."""
        stream = stream_name(publication.publisher, publication.channel)
        message = Message(publication.intended_ns, publication.sent_ns)
        self._log(stream, publication.channel, publication.sequence, (message,))
        if self._shared:
            log = self._published.setdefault(stream, [publication.channel, publication.sequence, []])
            log[2].append(list(message))

    def doubt(self, publisher: str, channel: str, sequence: int) -> None:
        """Perhaps a message that left was never published, as we cut its publisher off; every ledger learns of it."""
        doubt = stream_name(publisher, channel), sequence
        self._doubt(*doubt)
        if self._shared:
            self._doubts.append(doubt)

    def published_elsewhere(self, published: dict[str, Any]) -> None:
        """What other processes know of publications, as :meth:`take_published` gives it."""
        for stream, (channel, first, messages) in published.get("logs", {}).items():
            self._log(stream, channel, first, [Message(*m) for m in messages])
        for stream, sequence in published.get("doubts", ()):
            self._doubt(stream, sequence)
        self._heard.learn(published.get("heard", ()))

    def take_published(self) -> dict[str, Any]:
        """What is known here of publications since the last call; empty where that is nothing.

        ``logs`` of publishers, ``doubts`` about them, and what was ``heard`` of the server's own.
        """
        new = {"logs": self._published, "doubts": self._doubts, "heard": self._heard.news() if self._shared else ()}
        self._published, self._doubts = {}, []
        return {name: what for name, what in new.items() if what}

    def entries(self, reader: type[Member], by_channel: bool) -> Memo[str | bytes, Entry]:
        """What was read by members of one kind, who read alike."""
        return self._entries[reader, by_channel]

    def listens(self) -> None:
        """One more connection is subscribed."""
        self._listeners += 1

    def listens_no_more(self, now_ns: int) -> None:
        """One that was subscribed is gone; after the last, a number that was read may be read again as another's."""
        self._listeners -= 1
        if not self._listeners:
            self._heard.silence(now_ns)
            for known in self._entries.values():
                known.clear()

    def hear(self, broadcast: Broadcast, now_ns: int, by_channel: bool) -> Entry:
        """What the server itself published; its number is negative of what came before the first that anybody heard."""
        stamp_ns, intended_ns = (self._ours_ns(at, now_ns) for at in (broadcast.sent_ns, broadcast.intended_ns))
        if not (self.asks_clock or stamp_ns is None or self.stamps.are_ours(stamp_ns, now_ns)):
            stamp_ns = None
        self.stamped += stamp_ns is not None
        sent_ns, stamped = (now_ns, False) if stamp_ns is None else (stamp_ns, True)
        number = broadcast.sequence
        source = by_channel, broadcast.channel, broadcast.publisher
        self._heard.wrong_ns = round(self.clock.uncertainty_ns)
        log = self._heard.on(source, number, sent_ns, stamped=stamped)
        due_ns = intended_ns if stamped and intended_ns is not None else sent_ns
        return Entry(log.stream, log.heard(number, sent_ns, stamped=stamped, intended_ns=due_ns), due_ns, stamp_ns)

    def passed_over(self, frame: str | bytes, why: str) -> None:
        """A message that a member cannot make out."""
        self.unread += 1
        self.unread_example = self.unread_example or f"{why} in {frame[:120]!r}"

    def _ours_ns(self, at_ns: int | None, heard_ns: int) -> int | None:
        """A moment of the server's by our clock; None where it does not say, or its clock is not known."""
        if at_ns is None or (self.asks_clock and not self.clock.known):
            return None
        return self.clock.before_ns(at_ns, heard_ns) if self.asks_clock else at_ns

    def take_events(self) -> list[dict[str, str]]:
        """What is to be told since the last call."""
        told, self.events = self.events, []
        restarts, self._heard.restarts = self._heard.restarts, []
        return told + [{"kind": "numbers", "text": text} for text in restarts]

    def _doubt(self, stream: str, sequence: int) -> None:
        for ledger in self._ledgers():
            ledger.doubt(stream, sequence)

    def _ledgers(self) -> tuple[Ledger, ...]:
        return (self.ledger, self.slow) if self.has_slow else (self.ledger,)

    def _log(self, stream: str, channel: str, first: int, messages: Sequence[Message]) -> None:
        for ledger in self._ledgers():
            ledger.published(stream, channel, first, messages)

    def count_connected(self, now_ns: int, *, last: bool = False) -> None:
        """File for how long connections were to be up, and were."""
        wanted_s, down_s = self.availability.finish(now_ns) if last else self.availability.take(now_ns)
        if wanted_s:
            add = partial(Interval.add_tally, n=wanted_s, bad=down_s, kind="down")
            self.recorder.note(CONNECTED, now_ns - NS_PER_S // 2, add)

    def count_received(self, now_ns: int) -> None:
        """File how much came since the last call, and how much of it should not have come so."""
        self.deliveries.enter_all()
        before, self._counted = self._counted, replace(self.ledger.counts)
        came = self._counted.received - before.received
        for series, kind in _WRONG if came else ():
            bad = getattr(self._counted, kind) - getattr(before, kind)
            self.recorder.note(series, now_ns - NS_PER_S // 2, partial(Interval.add_tally, n=came, bad=bad, kind=kind))

    def judge_frames(self) -> Iterator[None]:
        """Hold what was drawn against the contract, one by one; frames of every kind count as deliveries there."""
        for received_ns, violation in self.frames.judged() if self.frames else ():
            self.recorder.note(DELIVER, received_ns, partial(Interval.add_checked, violation=violation))
            yield

    def settle(self, now_ns: int) -> None:
        """Settle what is old enough; a lost delivery is a sample of its own."""
        self.deliveries.enter_all()
        for log, first, messages in self._heard.taken(now_ns - self._drain_ns):
            self._log(log.stream, log.channel, first, messages)
        for series, second, n in self.deliveries.take_untimed():
            self.recorder.note(series, second * NS_PER_S, partial(Interval.add_untimed, n=n))
        counts, expected = self.ledger.counts, self.ledger.counts.expected
        for settled in self.ledger.settle(now_ns):
            self.settlement.add(settled, counts.expected - expected)
            expected = counts.expected
            intended_ns, sent_ns, until_ns = settled.message
            if lost := len(settled.lost):
                given_up_ns = sent_ns + self._drain_ns
                self.recorder.record_alike(lost, DELIVER, intended_ns, sent_ns, given_up_ns, int(Outcome.LOST))
            heard = self._heard.of(settled.stream)
            unstamped = until_ns == sent_ns and settled.reached  # one that nobody had lies between two of the same time
            untimed = bool(unstamped) or not (heard is None or heard.stamped)
            self.settlement.fan_out(settled, heard.first if heard else 0, untimed=untimed)
        for second, came, never in self.ledger.missed.take():
            add = partial(Interval.add_tally, n=came + never, bad=never, kind="never came")
            self.recorder.note(MISSED, second * NS_PER_S, add)
        for (name, number), wrong in self.ledger.take_afterwards():
            shift = heard.first if (heard := self._heard.of(name)) else 0
            self.settlement.came_afterwards(name, number + shift, *wrong)
        for _ in self.slow.settle(now_ns):
            pass  # counted there, and held against nobody: they were slow on purpose
        self.slow.take_afterwards()

    def broke(self, member: Member, error: BaseException) -> None:
        """An author's member raised: the planned load is not being made."""
        frames = traceback.extract_tb(error.__traceback__)
        where = f" ({frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno})" if frames else ""
        if self.fault is None:
            self.fault = f"swarm member {type(member).__name__} raised {type(error).__name__}: {error}{where}"
            self.events.append({"kind": "member error", "text": self.fault})
