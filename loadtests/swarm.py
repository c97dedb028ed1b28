"""The swarm: WebSocket connections that watch and publish, with every delivery accounted for.

One asyncio loop in a process of its own, a task for each connection. Series: ``ws connect``, ``ws subscribe``,
``ws publish`` (until the server's acknowledgement), ``ws deliver`` (from the publisher's intended start to the
subscriber), ``ws connection`` (only when one is lost).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import aiohttp

from loadtests.books import Books, stream_name
from loadtests.classfile import load_class
from loadtests.clockoffset import ClockOffset
from loadtests.clockwatch import ClockWatch, answers_for_its_clock
from loadtests.connection import Connection
from loadtests.duration import NS_PER_S
from loadtests.feed import read_feeds
from loadtests.framesample import FrameSample
from loadtests.job import Job
from loadtests.ledgercounts import Counts
from loadtests.member import Member
from loadtests.outbox import Outbox
from loadtests.settleclock import SettleClock
from loadtests.stages import traced_tls, tracing
from loadtests.storm import TROUBLE_NS, struck
from loadtests.swarmaccount import SwarmAccount
from loadtests.swarmspec import Storm
from loadtests.vitals import PROBE_S, Vitals

__all__ = ["Swarm", "stream_name"]


GRACE_S = 0.05
"""What is due in the last moment still leaves, a timer's tick late."""
SETTLE_NS = NS_PER_S // 10
AT_A_TIME = 200
"""Connections that are looked at before the loop reads again."""


class Swarm:
    """One process's share of the connections."""

    def __init__(self, job: Job, t0_ns: int, outbox: Outbox) -> None:
        swarm = job.scenario.swarm
        self.job = job
        self.t0_ns = t0_ns
        self.books = Books(t0_ns, job.limits_ns, swarm.guard, swarm.drain, shared=job.shards > 1)
        check, messages = job.scenario.contract, job.promises.messages
        if check is not None and messages is not None:
            self.books.frames = FrameSample(messages, check.sample, job.scenario.seed + job.shard)
        self.ending = asyncio.Event()
        self._clients: dict[int, aiohttp.ClientSession] = {}
        self._feeds = read_feeds(job.scenario)
        self._outbox = outbox
        self._vitals = Vitals()
        self._told_fault = False
        self._settling = SettleClock(t0_ns, SETTLE_NS)
        self._connections = list(self._make_connections())

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
        scenario = self.job.scenario
        secrets = {name: value.get_secret_value() for name, value in scenario.secrets.items()}
        return cls(index, self._feeds, scenario.settings, secrets)

    async def run(self) -> None:
        """Connect, run to the end of the plan, drain, settle."""
        scenario = self.job.scenario
        async with contextlib.AsyncExitStack() as stack:
            asking = [asyncio.create_task(watch.run(await self._client(stack, 0))) for watch in self._clock_watch()]
            tasks = []
            for connection in self._connections:
                http = await self._client(stack, connection.receive_buffer)
                tasks.append(asyncio.create_task(connection.run(http)))
            storming = [asyncio.create_task(self._storm(*numbered)) for numbered in enumerate(scenario.swarm.storms)]
            folding = asyncio.create_task(self._fold_each_second())
            self._vitals.watch_collector()
            probing = asyncio.create_task(self._probe())
            end_ns = self.t0_ns + scenario.duration_ns
            await self._until_the_end(folding, max(0.0, (end_ns - time.monotonic_ns()) / NS_PER_S + GRACE_S))
            stopped_early = self.ending.is_set()
            self.ending.set()
            ended_ns = min(end_ns, time.monotonic_ns())
            if not stopped_early:
                self._post()  # other processes learn what was published last before they settle it
                await asyncio.sleep(scenario.swarm.drain / NS_PER_S)
                self._settling.read_ns(time.monotonic_ns())
                await asyncio.sleep(min(self._settling.behind_ns, scenario.swarm.drain) / NS_PER_S)
            await self._leave(tasks)
            for task in (folding, probing, *storming, *asking):
                task.cancel()
        accounting: Counter[str] = Counter()
        for connection in self._connections:
            accounting.update(connection.publisher.finish(ended_ns, stopped_early))
            connection.finish()
        self.books.count_connected(time.monotonic_ns(), last=True)
        self.books.settle(time.monotonic_ns() if stopped_early else 2**62)
        if not stopped_early:
            self.books.ledger.close()
        self._post(accounting=dict(accounting))

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

    async def _client(self, stack: contextlib.AsyncExitStack, receive_buffer: int) -> aiohttp.ClientSession:
        """The client of connections whose kernel takes so much in; 0 leaves that to the kernel."""
        if receive_buffer not in self._clients:
            target = self.job.scenario.target
            make = functools.partial(_small_socket, receive_buffer) if receive_buffer else None
            session = aiohttp.ClientSession(
                base_url=target.url,
                connector=aiohttp.TCPConnector(limit=0, ssl=traced_tls(target.tls_verify), socket_factory=make),
                timeout=aiohttp.ClientTimeout(total=self.job.scenario.load.timeout / NS_PER_S),
                trace_configs=[tracing()],
            )
            self._clients[receive_buffer] = await stack.enter_async_context(session)
        return self._clients[receive_buffer]

    async def _storm(self, index: int, storm: Storm) -> None:
        """Hit this process's part of the connections when it is time."""
        await asyncio.sleep(max(0.0, (self.t0_ns + storm.at - time.monotonic_ns()) / NS_PER_S))
        until_ns = time.monotonic_ns() + TROUBLE_NS
        trouble = self.books.troubled(until_ns)
        chosen = struck(self.job.scenario.swarm, self.job.scenario.seed, index)
        mine = [connection for connection in self._connections if connection.number in chosen]
        for connection in mine:
            connection.strike(trouble, until_ns, how=storm.how)
        self.books.events.append({"kind": "storm", "text": f"{len(mine)} connections were lost at once ({storm.how})"})

    async def _until_the_end(self, folding: asyncio.Task[None], seconds: float) -> None:
        """Wait; should the folding fail, so does the run: what it no longer reports would be missed by nobody."""
        ending = asyncio.create_task(self.ending.wait())
        await asyncio.wait((ending, folding), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if folding.done():
            await folding

    async def _leave(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        for connection in self._connections:
            connection.close()
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=3)
            for task in pending:
                task.cancel()

    async def _probe(self) -> None:
        """See how late this process's loop gets to what is due."""
        while True:
            due_ns = time.monotonic_ns() + round(PROBE_S * NS_PER_S)
            await asyncio.sleep(PROBE_S)
            self._vitals.woke(due_ns)

    async def _fold_each_second(self) -> None:
        """Settle a little at a time, and let messages in between: what is not read meanwhile is stamped late."""
        turn = 0
        while True:
            turn += 1
            await asyncio.sleep(max(0.0, (self.t0_ns + turn * SETTLE_NS - time.monotonic_ns()) / NS_PER_S))
            self.books.settle(self._settling.read_ns(time.monotonic_ns()))
            if turn % (NS_PER_S // SETTLE_NS):
                continue
            for each in range(0, len(self._connections), AT_A_TIME):
                now = time.monotonic_ns()
                for connection in self._connections[each : each + AT_A_TIME]:
                    connection.publisher.expire(now)
                await asyncio.sleep(0)
            self.books.count_connected(time.monotonic_ns())
            self._post()

    def _account(self) -> SwarmAccount:
        means = [mean for connection in self._connections if (mean := connection.reception.mean_us) is not None]
        slow = self.books.slow.counts
        return SwarmAccount(
            dict(self.books.closes),
            len(means),
            sum(means),
            sum(mean * mean for mean in means),
            _came_after_all(slow) if slow.received else {},
            self.books.stamped,
            _clock(self.books.clock),
        )

    def _post(self, **more: Any) -> None:
        if published := self.books.take_published():
            more["published"] = published
        events, self.books.events[:] = list(self.books.events), []
        if self.books.fault and not self._told_fault:
            self._told_fault = True
            events.append({"kind": "member error", "text": self.job.redactor()(self.books.fault)[:400]})
        if events:
            more["events"] = events
        if fanned := self.books.take_fanned():
            more["fanned"] = fanned
        self.books.judge_frames()
        self._outbox.post(
            intervals=[interval.to_json() for interval in self.books.recorder.fold()],
            ledger=self.books.ledger.counts.to_json(),
            swarm=self._account().to_json(),
            gauges={"connections": self.books.connected},
            vitals=self._vitals.row(self.t0_ns),
            **more,
        )


def _small_socket(receive_buffer: int, address: Any) -> socket.socket:
    """A socket that takes little in, from before it is connected."""
    family, kind, protocol, *_ = address
    small = socket.socket(family, kind, protocol)
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    return small


def _clock(offset: ClockOffset) -> dict[str, float]:
    if not offset.known:
        return {}
    found = {"offset_ms": offset.at_ns(time.monotonic_ns()) / 1e6, "uncertainty_us": offset.uncertainty_ns / 1000}
    return {name: round(value, 3) for name, value in (found | {"drift_ppm": offset.drift * 1e6}).items()}


def _came_after_all(slow: Counts) -> dict[str, int]:
    """The ledger of those that were slow on purpose: what came after the drain did come."""
    late = min(slow.late, slow.lost)
    return {"expected": slow.expected, "delivered": slow.delivered + late, "lost": slow.lost - late}
