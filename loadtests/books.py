"""What all connections of a process write into: samples, the ledger, the log of publications, the first fault."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from loadtests.fanout import FanOut
from loadtests.framesample import FrameSample
from loadtests.heardlog import HeardLog
from loadtests.interval import Interval
from loadtests.ledger import Ledger, Message
from loadtests.member import Broadcast, Delivery, Member, Publication
from loadtests.recorder import Recorder
from loadtests.sample import Outcome
from loadtests.series import DELIVER, RECOVER

__all__ = ["EVERY_CHANNEL", "Books", "stream_name"]

EVERY_CHANNEL = ""
"""What those who hear broadcasts are subscribed to."""


def stream_name(publisher: str, channel: str) -> str:
    """The ledger's name of what one publisher sends on one channel."""
    return f"{publisher}\t{channel}"


class Books:
    """The swarm's account of one process.

    Args:
        t0_ns: CLOCK_MONOTONIC of the run's second 0.
        limits_ns: latency limits that objectives set for a series.
        guard_ns: see :class:`~loadtests.ledger.Ledger`.
        drain_ns: likewise.
        shared: whether other processes have subscribers too, and must learn what is published here.

    """

    def __init__(
        self, t0_ns: int, limits_ns: Callable[[str], Sequence[int]], guard_ns: int, drain_ns: int, shared: bool
    ) -> None:
        self.recorder = Recorder(t0_ns, limits_ns)
        self.ledger = Ledger(guard_ns, drain_ns)
        self.connected = 0
        self.fault: str | None = None
        """The first exception of an author's member, with its line."""
        self.frames: FrameSample | None = None
        """Where received frames are held against the contract."""
        self._drain_ns = drain_ns
        self._fanned: list[FanOut] = []
        self._shared = shared
        self._published: dict[str, Any] = {}
        self._heard: dict[str, HeardLog] = {}

    def publish_log(self, publication: Publication) -> None:
        """A message left; every process's ledger learns of it."""
        stream = stream_name(publication.publisher, publication.channel)
        message = Message(publication.intended_ns, publication.sent_ns)
        self.ledger.published(stream, publication.channel, publication.sequence, (message,))
        if self._shared:
            log = self._published.setdefault(stream, [publication.channel, publication.sequence, []])
            log[2].append(list(message))

    def published_elsewhere(self, published: dict[str, Any]) -> None:
        """Publisher logs of other processes, as :meth:`take_published` gives them."""
        for stream, (channel, first, messages) in published.items():
            self.ledger.published(stream, channel, first, (Message(*m) for m in messages))

    def take_published(self) -> dict[str, Any]:
        """What was published here since the last call."""
        taken, self._published = self._published, {}
        return taken

    def delivered(self, subscriber: int, delivery: Delivery, now_ns: int, size_bytes: int, live_from_ns: int) -> None:
        """A subscriber has a message; one that was sent before ``live_from_ns`` had been kept for it."""
        publisher, channel, sequence, intended_ns, sent_ns = delivery
        live = sent_ns >= live_from_ns
        if self.ledger.received(subscriber, f"{publisher}\t{channel}", sequence, now_ns, live=live):
            self.recorder.record(DELIVER if live else RECOVER, intended_ns, sent_ns, now_ns, 0, size_bytes)

    def heard(self, subscriber: int, broadcast: Broadcast, now_ns: int, size_bytes: int, live_from_ns: int) -> None:
        """Likewise of what the server itself published; without a time of its own it took none."""
        log = self._heard.get(broadcast.channel)
        if log is None:
            log = self._heard[broadcast.channel] = HeardLog(broadcast.sequence)
        sent_ns = now_ns if broadcast.sent_ns is None else broadcast.sent_ns
        place = log.heard(broadcast.sequence, sent_ns)
        if place < 0:
            return  # before the first that anybody heard: nobody can be accused over it
        live = sent_ns >= live_from_ns
        first = self.ledger.received(subscriber, broadcast.channel, place, now_ns, live=live)
        if first and broadcast.sent_ns is not None:
            self.recorder.record(DELIVER if live else RECOVER, sent_ns, sent_ns, now_ns, 0, size_bytes)

    def _log_heard(self) -> None:
        for channel, log in self._heard.items():
            first, messages = log.take()
            self.ledger.published(channel, EVERY_CHANNEL, first, messages)

    def judge_frames(self) -> None:
        """Hold what was drawn against the contract; frames of every kind count as deliveries there."""
        for received_ns, violation in self.frames.judged() if self.frames else ():
            self.recorder.note(DELIVER, received_ns, partial(Interval.add_checked, violation=violation))

    def settle(self, now_ns: int) -> None:
        """Settle what is old enough; a lost delivery is a sample of its own."""
        self._log_heard()
        for settled in self.ledger.settle(now_ns):
            intended_ns, sent_ns = settled.message
            for _ in settled.lost:
                self.recorder.record(DELIVER, intended_ns, sent_ns, sent_ns + self._drain_ns, int(Outcome.LOST))
            heard = self._heard.get(settled.stream)
            self._fanned.append(FanOut.of(settled, heard.first if heard else 0))

    def take_fanned(self) -> list[FanOut]:
        """What was settled since the last call."""
        taken, self._fanned = self._fanned, []
        return taken

    def broke(self, member: Member, error: BaseException) -> None:
        """An author's member raised: the planned load is not being made."""
        frames = traceback.extract_tb(error.__traceback__)
        where = f" ({frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno})" if frames else ""
        if self.fault is None:
            self.fault = f"swarm member {type(member).__name__} raised {type(error).__name__}: {error}{where}"
