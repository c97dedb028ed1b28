"""The swarm: WebSocket connections that watch and publish, with every delivery accounted for.

One asyncio loop in a process of its own, a task for each connection. Series: ``ws connect``, ``ws subscribe``,
``ws publish`` (until the server's acknowledgement), ``ws deliver`` (from the publisher's intended start to the
subscriber), ``ws connection`` (only when one is lost).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import takewhile
from typing import Any

from loadtests.asyncload import AsyncLoad
from loadtests.asyncrequests import AsyncRequests
from loadtests.books import Books
from loadtests.classfile import load_class
from loadtests.clients import Clients
from loadtests.clockwatch import ClockWatch, answers_for_its_clock
from loadtests.connection import Connection
from loadtests.duration import NS_PER_S
from loadtests.feed import read_feeds
from loadtests.framesample import FrameSample
from loadtests.job import Job
from loadtests.member import Member
from loadtests.outbox import Outbox
from loadtests.parts import Parts, at_once, by_turns
from loadtests.settleclock import SettleClock
from loadtests.storm import strike
from loadtests.swarmaccount import SwarmAccount
from loadtests.timenamespace import ahead_ns
from loadtests.vitals import PROBE_NS, PROBE_S, Vitals

__all__ = ["Swarm"]

GRACE_S = 0.05
"""What is due in the last moment still leaves, a timer's tick late."""
SETTLE_NS = NS_PER_S // 10
AT_A_TIME = 200
"""Publishers that are looked at before the loop reads again."""


class Swarm:
    """One process's share of the connections."""

    def __init__(self, job: Job, t0_ns: int, outbox: Outbox) -> None:
        swarm = job.scenario.swarm
        self.job = job
        self.t0_ns = t0_ns
        apart_ns = ahead_ns(job.scenario.target.url)
        self.books = Books(t0_ns, job.limits_ns, swarm.guard, swarm.drain, shared=job.shards > 1, ahead_ns=apart_ns)
        warm_up = takewhile(lambda phase: phase.kind != "steady", job.scenario.phases)
        self.books.waits.from_ns = t0_ns + sum(phase.duration for phase in warm_up)
        check, messages = job.scenario.contract, job.promises.messages
        if check is not None and messages is not None:
            self.books.frames = FrameSample(messages, check.sample, job.scenario.seed + job.shard)
        self.ending = asyncio.Event()
        self._feeds = read_feeds(job.scenario)
        self._outbox, self._redact = outbox, job.redactor()
        self._vitals = Vitals()
        self._settling = SettleClock(t0_ns, SETTLE_NS)
        self._stopping = asyncio.Event()
        self._requests = AsyncRequests(job, self.books.recorder)
        self._open_http = self._requests.session
        self._secrets = job.scenario.plain_secrets()
        self._load = AsyncLoad(job, self._requests, t0_ns) if job.scenario.http_members else None
        self._connections = list(self._make_connections())
        self._publishers = [each.publisher for each in self._connections if each.publisher.publishes]

    def _make_connections(self) -> Iterator[Connection]:
        scenario, number = self.job.scenario, 0
        for spec in scenario.swarm.members:
            cls = load_class(spec.cls, scenario.folder)
            for index in range(spec.count):
                if number % self.job.shards == self.job.shard:
                    member = self._member(cls, index)
                    yield Connection(self.job, self.books, self.ending, member, spec, number)
                number += 1

    def _member(self, cls: type[Member], index: int) -> Member:
        member = cls(index, self._feeds, self.job.scenario.settings, self._secrets)
        member.open_http = self._open_http
        return member

    def stop(self) -> None:
        """End before the planned end."""
        self._stopping.set()
        self.ending.set()

    async def run(self) -> None:
        """Connect, run to the end of the plan, drain, settle."""
        scenario = self.job.scenario
        async with contextlib.AsyncExitStack() as stack:
            clients = Clients(scenario.target, scenario.load.timeout / NS_PER_S, stack)
            asking = [asyncio.create_task(watch.run(await clients.of(0, watch.cert))) for watch in self._clock_watch()]
            tasks = []
            for connection in self._connections:
                http = await clients.of(*connection.dialling)
                tasks.append(asyncio.create_task(connection.run(http)))
            struck = partial(strike, self.job, self.t0_ns, self.books, self._connections)
            storming = [asyncio.create_task(struck(index)) for index in range(len(scenario.swarm.storms))]
            folding = asyncio.create_task(self._fold_each_second())
            loading = asyncio.create_task(self._load.run(self._stopping)) if self._load else None
            self._vitals.watch_collector()
            self._probe()
            end_ns = self.t0_ns + scenario.duration_ns
            await self._until_the_end(folding, max(0.0, (end_ns - time.monotonic_ns()) / NS_PER_S + GRACE_S))
            stopped_early = self.ending.is_set()
            self.ending.set()
            ended_ns = min(end_ns, time.monotonic_ns())
            if self._connections and not stopped_early:
                if published := self.books.take_published():  # others learn of it before they settle it
                    self._outbox.post(published=published)
                await asyncio.sleep(scenario.swarm.drain / NS_PER_S)
                self._settling.read_ns(time.monotonic_ns())
                await asyncio.sleep(min(self._settling.behind_ns, scenario.swarm.drain) / NS_PER_S)
            if loading:
                await loading
            elif not stopped_early:
                await self._drain_requests(ended_ns)
            self._requests.over = True
            await self._leave(tasks)
            self._probing.cancel()
            for task in (*storming, *asking):
                task.cancel()
            await folding  # not cancelled: what it had taken and not posted yet would be lost
        accounting: Counter[str] = Counter()
        for connection in self._connections:
            accounting.update(connection.publisher.finish(ended_ns, stopped_early))
            accounting.update(connection.finish())
        self.books.count_connected(time.monotonic_ns(), last=True)
        self.books.count_received(time.monotonic_ns())
        self.books.settle(time.monotonic_ns() if stopped_early else 2**62)
        accounting.update(self._requests.accounting())
        accounting.update(self._load.accounting() if self._load else {})
        at_once(self._posting(last=True, accounting=dict(accounting)))

    def _clock_watch(self) -> Iterator[ClockWatch]:
        """One, of the first class that knows how to ask the target's clock."""
        scenario = self.job.scenario
        for spec in scenario.swarm.members:
            cls = load_class(spec.cls, scenario.folder)
            if answers_for_its_clock(cls):
                self.books.asks_clock = True
                member = self._member(cls, spec.count + scenario.witness_sockets)
                yield ClockWatch(self.books.clock, member, self.books.broke)
                return

    async def _until_the_end(self, folding: asyncio.Task[None], seconds: float) -> None:
        """Wait; should the folding fail, so does the run: what it no longer reports would be missed by nobody."""
        ending = asyncio.create_task(self.ending.wait())
        await asyncio.wait((ending, folding), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if folding.done():
            await folding

    async def _drain_requests(self, ended_ns: int) -> None:
        """Give what members have asked over HTTP its time-out to end, as an HTTP load does; give up the rest."""
        deadline_ns = ended_ns + self.job.scenario.load.timeout + NS_PER_S // 2
        while self._requests.in_flight and time.monotonic_ns() < deadline_ns and not self._stopping.is_set():
            await asyncio.sleep(0.02)
        if not self._stopping.is_set():
            self._requests.give_up()

    async def _leave(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        for connection in self._connections:
            connection.close()
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=3)
            for task in pending:
                task.cancel()

    def _probe(self, due_ns: int = 0) -> None:
        """See how late this process's loop gets to what is due, again and again; a task for it would cost more."""
        if due_ns:
            self._vitals.woke(due_ns)
        due_ns = time.monotonic_ns() + PROBE_NS
        self._probing = asyncio.get_running_loop().call_later(PROBE_S, self._probe, due_ns)

    async def _fold_each_second(self) -> None:
        """Settle a little at a time, and let messages in between: what is not read meanwhile is stamped late."""
        turn = 0
        while not self._requests.over:
            turn += 1
            await asyncio.sleep(max(0.0, (self.t0_ns + turn * SETTLE_NS - time.monotonic_ns()) / NS_PER_S))
            if self.job.scenario.swarm.members:  # also without one here: others' subscribers hear what was published
                self.books.deliveries.turn(time.monotonic_ns())
                self.books.settle(self._settling.read_ns(time.monotonic_ns()))
            if turn % (NS_PER_S // SETTLE_NS):
                await by_turns(self.books.recorder.fold_much())
                continue
            for each in range(0, len(self._publishers), AT_A_TIME):
                now = time.monotonic_ns()
                for publisher in self._publishers[each : each + AT_A_TIME]:
                    publisher.expire(now)
                await asyncio.sleep(0)
            self.books.count_connected(time.monotonic_ns())
            self.books.count_received(time.monotonic_ns())
            await by_turns(self._posting())

    def _account(self) -> SwarmAccount:
        slow = self.books.slow.counts
        return SwarmAccount(
            dict(self.books.closes),
            self.books.waits.fairness(),
            slow.after_all() if slow.received else {},
            self.books.stamped,
            self.books.clock.to_json(time.monotonic_ns()),
            self.books.unplaced,
            self.books.unread,
            self._redact(self.books.unread_example),
            self.books.ledger.faults.affected(),
            stamps=self.books.stamps.found(),
        )

    def _posting(self, *, last: bool = False, **more: Any) -> Parts[None]:
        """Fold what came, and post it with all else that is to be told."""
        yield from self._requests.answers.judge()
        yield from self.books.judge_frames()
        intervals = []
        for interval in (yield from self.books.recorder.folding()):
            intervals.append(interval.to_json())
            yield
        load = self._load
        gauges, arrivals = (load.gauges(), load.arrivals()) if load else ({}, {})
        vitals = self._vitals.row(self.t0_ns) | arrivals
        yield
        told = self._requests.answers.take(last=last)
        happened = [each | {"text": self._redact(each["text"])[:400]} for each in self.books.take_events()]
        if events := happened + told["events"]:
            more["events"] = events
        if self._connections:
            gauges["connections"] = self.books.connected
            more |= {"ledger": self.books.ledger.counted().to_json(), "swarm": self._account().to_json()}
        if wrong := self.books.ledger.faults.take_streams():
            more["wrong"] = wrong
        more |= self.books.settlement.take()
        if self._requests.gets and (probes := self._requests.gets.take()):
            self._outbox.unspooled(probes=probes)
        yield
        more |= {"exemplars": told["exemplars"], "gauges": gauges, "vitals": vitals}
        if published := self.books.take_published():  # and posted at once: their order counts
            more["published"] = published
        self._outbox.post(intervals=intervals, **more)
