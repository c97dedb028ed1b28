"""What one member publishes, on an open plan of its own, and what became of each publication.

A member publishes from the moment at which its connection could first have carried a message, or first failed to. From
then to the end every due publication is recorded exactly once: acknowledged, failed, timed out, or never sent. What
came due, or was owed an acknowledgement, while the scenario itself had its member away is nobody's: it is counted. Of
what had left and was not acknowledged by then nobody knows whether it was ever published.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator

import aiohttp

from loadtests.books import Books
from loadtests.duration import NS_PER_S
from loadtests.job import Job
from loadtests.member import Member, Publication, RoundTrip
from loadtests.outcome import classify
from loadtests.plan import Plan
from loadtests.sample import Outcome
from loadtests.series import PUBLISH, ROUND_TRIP
from loadtests.swarmspec import Member as MemberSpec
from loadtests.websocket import WebSocket

__all__ = ["Publisher"]

_ACTS: set[asyncio.Task[None]] = set()
"""What is under way over HTTP, of all members."""


class Publisher:
    """Publishes for one member; it has nothing to do when the member has no rate."""

    def __init__(
        self, job: Job, books: Books, ending: asyncio.Event, member: Member, spec: MemberSpec, number: int
    ) -> None:
        self._books = books
        self._ending = ending
        self._member = member
        self._name = f"{job.run_id}.{number}"
        self._series = ROUND_TRIP if isinstance(member, RoundTrip) else PUBLISH
        self._timeout_ns = job.scenario.load.timeout
        self._plan: Plan | None = None
        if spec.rate is not None and spec.arrivals == "constant" and not spec.together:
            model = job.scenario.open_model(spec.rate * spec.count, spec.arrivals)
            self._plan = Plan(model, job.scenario.seed, member.index, spec.count)  # they take turns
        elif spec.rate is not None:
            model = job.scenario.open_model(spec.rate, spec.arrivals)
            self._plan = Plan(model, job.scenario.seed * 7919 + number)
        self._begun = asyncio.Event() if self._plan else None
        self._begun_ns = 0
        self._handled = self._excused = 0
        self.away = False
        """By the scenario's own plan: it left, or a storm took its connection; until an attempt to come back fails."""
        self._socket: WebSocket | None = None
        self._sequences: dict[str, int] = defaultdict(int)
        self._unacknowledged: dict[tuple[str, int], tuple[int, int]] = {}
        self._left: list[Publication] = []
        """Those of the last moments, where none is acknowledged."""

    @property
    def publishes(self) -> bool:
        """Whether it ever has anything to do."""
        return self._plan is not None

    def opened(self, socket: WebSocket) -> None:
        """A connection can carry messages from now on."""
        self._socket, self.away = socket, False
        self.begin()

    def begin(self) -> None:
        """From now on what is due counts, whether there is a connection or not."""
        if self._begun is not None and not self._begun.is_set():
            self._begun_ns = time.monotonic_ns()
            self._begun.set()

    def closed(self, kind: str, *, away: bool = False) -> None:
        """The connection is gone, and with it the acknowledgements that it still owed."""
        self._socket, self.away = None, away
        now = time.monotonic_ns()
        if away:
            self._excused += len(self._unacknowledged)
            self._doubt(now)
            self._unacknowledged.clear()
        for intended_ns, sent_ns in self._unacknowledged.values():
            self._books.recorder.record(self._series, intended_ns, sent_ns, now, int(Outcome.ERROR), 0, kind)
        self._unacknowledged.clear()

    def _doubt(self, now_ns: int) -> None:
        """What may have been under way when we cut it off; an act over HTTP is none of the ledger's."""
        if self._series == ROUND_TRIP:
            return
        recent = [each for each in self._left if each.sent_ns >= now_ns - self._books.guard_ns]
        for channel, sequence in (*self._unacknowledged, *((each.channel, each.sequence) for each in recent)):
            if sequence < self._sequences[channel]:  # else it has not left yet
                self._books.doubt(self._name, channel, sequence)
        self._left.clear()

    def acknowledged(self, channel: str, sequence: int, now_ns: int) -> None:
        """The server has it; an acknowledgement after the time-out changes nothing any more."""
        stamps = self._unacknowledged.pop((channel, sequence), None)
        if stamps is not None:
            self._books.recorder.record(self._series, *stamps, now_ns)

    def expire(self, now_ns: int) -> None:
        """Give up what has waited for its acknowledgement longer than the time-out; oldest come first."""
        while self._unacknowledged:
            oldest = next(iter(self._unacknowledged))
            intended_ns, sent_ns = self._unacknowledged[oldest]
            if now_ns - sent_ns <= self._timeout_ns:
                return
            del self._unacknowledged[oldest]
            ended_ns = sent_ns + self._timeout_ns
            self._books.recorder.record(self._series, intended_ns, sent_ns, ended_ns, int(Outcome.TIMEOUT))

    async def run(self, http: aiohttp.ClientSession) -> None:
        """Publish what is due until the run ends; nothing re-bases the plan after an overrun."""
        if self._begun is None:
            return
        await self._begun.wait()
        for number, due_ns in enumerate(self._dues()):
            while (left := due_ns - time.monotonic_ns()) > 0:
                await asyncio.sleep(left / NS_PER_S)
            if self._ending.is_set():
                return
            self._handled = number + 1
            try:
                await self._publish(due_ns, http)
            except Exception as error:
                self._books.broke(self._member, error)
                return

    def finish(self, ended_ns: int, cut_short: bool) -> dict[str, int]:
        """Account for everything due up to ``ended_ns``, once :meth:`run` is over.

        What was never sent is recorded as such; what still waits for its acknowledgement has timed out, or is in flight
        where the run was cut short. Returns ``publishes_planned``, counted from the plan alone,
        ``publishes_in_flight``, and ``publishes_away``, which nobody is blamed for.
        """
        now, planned = time.monotonic_ns(), 0
        for due_ns in self._dues() if self._begun is not None and self._begun.is_set() else ():
            if due_ns > ended_ns:
                break
            planned += 1
            if planned > self._handled:
                self._books.recorder.record(self._series, due_ns, now, now, int(Outcome.UNSENT))
        in_flight = len(self._unacknowledged) if cut_short else 0
        if not cut_short:
            for intended_ns, sent_ns in self._unacknowledged.values():
                self._books.recorder.record(self._series, intended_ns, sent_ns, now, int(Outcome.TIMEOUT))
        self._unacknowledged.clear()
        told = {"publishes_planned": planned, "publishes_in_flight": in_flight}
        return told | ({"publishes_away": self._excused} if self._excused else {})

    def _dues(self) -> Iterator[int]:
        """Intended moments from the beginning on, ascending."""
        t0_ns = self._books.recorder.t0_ns
        for chunk in self._plan.chunks() if self._plan else ():
            yield from (due_ns for due_ns in (chunk + t0_ns).tolist() if due_ns >= self._begun_ns)

    async def _publish(self, due_ns: int, http: aiohttp.ClientSession) -> None:
        record, socket = self._books.recorder.record, self._socket
        if self.away:
            self._excused += 1
            return
        if socket is None or socket.closed:
            now = time.monotonic_ns()
            record(self._series, due_ns, now, now, int(Outcome.ERROR), 0, "no connection")
            return
        channel = self._member.publish_channel()
        sequence = self._sequences[channel]
        publication = Publication(self._name, channel, sequence, due_ns, time.monotonic_ns())
        if isinstance(self._member, RoundTrip):
            self._unacknowledged[channel, sequence] = (due_ns, publication.sent_ns)
            self._sequences[channel] = sequence + 1
            act = asyncio.create_task(self._act(self._member, http, publication))  # the next one waits for nobody
            _ACTS.add(act)  # or nobody would keep it
            act.add_done_callback(_ACTS.discard)
            return
        frame = self._member.publish_frame(publication)
        if self._member.acknowledges:
            self._unacknowledged[channel, sequence] = (due_ns, publication.sent_ns)
        left = True
        try:
            await socket.send(frame)
        except (ConnectionError, aiohttp.ClientError) as error:  # nobody can miss it, and its number is the next one's
            left = False
            owed = self._unacknowledged.pop((channel, sequence), None)
            if owed is not None or not self._member.acknowledges:
                outcome, kind = classify(error, None)
                record(self._series, due_ns, publication.sent_ns, time.monotonic_ns(), int(outcome), 0, kind)
        finally:
            if left:
                self._sequences[channel] = sequence + 1
                self._books.publish_log(publication)
                if not self._member.acknowledges:
                    self._keep(publication)
                    record(self._series, due_ns, publication.sent_ns, time.monotonic_ns(), 0, len(frame))

    def _keep(self, publication: Publication) -> None:
        while self._left and self._left[0].sent_ns < publication.sent_ns - self._books.guard_ns:
            del self._left[0]
        self._left.append(publication)

    async def _act(self, member: RoundTrip, http: aiohttp.ClientSession, publication: Publication) -> None:
        """Over HTTP; the event ends it, or the refusal."""
        try:
            await member.act(http, publication)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            owed = self._unacknowledged.pop((publication.channel, publication.sequence), None)
            if owed is not None:
                outcome, kind = classify(error, getattr(error, "status", None))
                self._books.recorder.record(self._series, *owed, time.monotonic_ns(), int(outcome), 0, kind)
        except Exception as error:
            self._books.broke(self._member, error)
