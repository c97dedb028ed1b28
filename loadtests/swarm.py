"""The swarm: WebSocket connections that watch and publish, with every delivery accounted for.

One asyncio loop in a process of its own. Each connection is a task that connects in its turn, subscribes, reads, and,
if it has a rate, publishes on its own open plan. Series: ``ws connect``, ``ws subscribe``, ``ws publish`` (until the
server's acknowledgement), ``ws deliver`` (from the publisher's intended start to the subscriber), ``ws connection``
(only when one is lost).
"""

from __future__ import annotations

import asyncio
import random
import resource
import time
import traceback
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import aiohttp

from loadtests.classfile import load_class
from loadtests.duration import NS_PER_S
from loadtests.feed import read_feeds
from loadtests.job import Job
from loadtests.ledger import Ledger, Message
from loadtests.member import Acknowledged, Delivery, Member, Publication, Subscribed
from loadtests.outbox import Outbox
from loadtests.plan import OpenModel, Plan, Stage
from loadtests.recorder import Recorder
from loadtests.sample import Outcome
from loadtests.scenario import Member as MemberSpec

__all__ = ["Connection", "Swarm", "stream_name"]


def stream_name(publisher: str, channel: str) -> str:
    """The ledger's name of what one publisher sends on one channel."""
    return f"{publisher}\t{channel}"


class Swarm:
    """One process's share of the connections."""

    def __init__(self, job: Job, t0_ns: int, outbox: Outbox) -> None:
        scenario = job.scenario
        self.job = job
        self.t0_ns = t0_ns
        self.recorder = Recorder(t0_ns, job.limits_ns)
        self.ledger = Ledger(scenario.swarm.guard, scenario.swarm.drain)
        self.timeout_s = scenario.load.timeout / NS_PER_S
        self.ending = asyncio.Event()
        self.connected = 0
        self.fault: str | None = None
        self._outbox = outbox
        self._events: list[dict[str, Any]] = []
        self._published: dict[str, Any] = {}
        self._connections = list(self._make_connections())

    def _make_connections(self) -> Sequence[Connection]:
        scenario = self.job.scenario
        secrets = {name: value.get_secret_value() for name, value in scenario.secrets.items()}
        feeds = read_feeds(scenario)
        made, number = [], 0
        for spec in scenario.swarm.members:
            cls = load_class(spec.cls, scenario.folder)
            for index in range(spec.count):
                if number % self.job.shards == self.job.shard:
                    made.append(Connection(self, cls(index, feeds, scenario.settings, secrets), spec, number))
                number += 1
        return made

    async def run(self) -> None:
        """Connect, run to the end of the plan, drain, settle."""
        scenario = self.job.scenario
        ssl = bool(scenario.target.tls_verify)
        async with aiohttp.ClientSession(
            base_url=scenario.target.url,
            connector=aiohttp.TCPConnector(limit=0, ssl=ssl),
            timeout=aiohttp.ClientTimeout(total=self.timeout_s),
        ) as http:
            tasks = [asyncio.create_task(connection.run(http)) for connection in self._connections]
            folding = asyncio.create_task(self._fold_each_second())
            end_s = (self.t0_ns + scenario.duration_ns - time.monotonic_ns()) / NS_PER_S
            await _within(self.ending.wait(), max(0.0, end_s))
            stopped_early = self.ending.is_set()
            self.ending.set()
            if not stopped_early:
                await asyncio.sleep(scenario.swarm.drain / NS_PER_S)
            for connection in self._connections:
                connection.leaving = True
            await self._leave(tasks)
            folding.cancel()
        self._settle(2**62 if not stopped_early else time.monotonic_ns())
        if not stopped_early:
            self.ledger.close()
        self._post()

    async def _leave(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        for connection in self._connections:
            connection.close()
        _, pending = await asyncio.wait(tasks, timeout=3)
        for task in pending:
            task.cancel()

    def publish_log(self, publication: Publication) -> None:
        """A message left; every process's ledger learns of it."""
        stream = stream_name(publication.publisher, publication.channel)
        message = Message(publication.intended_ns, publication.sent_ns)
        self.ledger.published(stream, publication.channel, publication.sequence, (message,))
        if self.job.shards > 1:
            log = self._published.setdefault(stream, [publication.channel, publication.sequence, []])
            log[2].append(list(message))

    def published_elsewhere(self, published: dict[str, Any]) -> None:
        """Publisher logs of other processes."""
        for stream, (channel, first, messages) in published.items():
            self.ledger.published(stream, channel, first, (Message(*m) for m in messages))

    def broke(self, member: Member, error: BaseException) -> None:
        """An author's member raised: the planned load is not being made, so the run ends."""
        frames = traceback.extract_tb(error.__traceback__)
        where = f" ({frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno})" if frames else ""
        text = f"swarm member {type(member).__name__} raised {type(error).__name__}: {error}{where}"
        if self.fault is None:
            self.fault = self.job.redactor()(text)[:400]
            self._events.append({"kind": "member error", "text": self.fault})

    async def _fold_each_second(self) -> None:
        second = 0
        while True:
            second += 1
            await asyncio.sleep(max(0.0, (self.t0_ns + second * NS_PER_S - time.monotonic_ns()) / NS_PER_S))
            self._settle(time.monotonic_ns())
            self._post()

    def _settle(self, now_ns: int) -> None:
        drain_ns = self.job.scenario.swarm.drain
        for lost in self.ledger.settle(now_ns):
            intended_ns, sent_ns = lost.message
            self.recorder.record("ws deliver", intended_ns, sent_ns, sent_ns + drain_ns, int(Outcome.LOST))

    def _post(self) -> None:
        events, self._events = self._events, []
        published, self._published = self._published, {}
        more = {"published": published} if published else {}
        self._outbox.post(
            intervals=[interval.to_json() for interval in self.recorder.fold()],
            events=events,
            ledger=self.ledger.counts.to_json(),
            gauges={
                "connections": self.connected,
                "cpu_s": sum(resource.getrusage(resource.RUSAGE_SELF)[:2]),
            },
            **more,
        )


class Connection:
    """One member's connection, through reconnects, to the end of the run."""

    def __init__(self, swarm: Swarm, member: Member, spec: MemberSpec, number: int) -> None:
        self.leaving = False
        self._swarm = swarm
        self._member = member
        self._spec = spec
        self._number = number
        self._publisher = f"{swarm.job.run_id}.{number}"
        self._mark = f"{swarm.job.run_id}."
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._ready = asyncio.Event()
        self._subscribe_started_ns = 0
        self._unacknowledged: dict[tuple[str, int], tuple[int, int]] = {}
        self._sequences: dict[str, int] = defaultdict(int)

    async def run(self, http: aiohttp.ClientSession) -> None:
        """Connect in turn, serve, reconnect when the connection is lost."""
        turn_ns = self._swarm.t0_ns + round(self._number / self._swarm.job.scenario.swarm.connect_rate * NS_PER_S)
        await asyncio.sleep(max(0.0, (turn_ns - time.monotonic_ns()) / NS_PER_S))
        publishing = asyncio.create_task(self._publish()) if self._spec.rate else None
        attempt = 0
        while not self.leaving and not self._swarm.ending.is_set():
            try:
                if await self._serve(http):
                    attempt = 0
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                self._lost("ws connect", _kind(error), isinstance(error, TimeoutError))
            except Exception as error:
                self._swarm.broke(self._member, error)
                break
            attempt += 1
            if not self.leaving:
                pause_s = random.uniform(0, min(5.0, 0.25 * 2**attempt))  # noqa: S311 -- jitter, no secret
                await _within(self._swarm.ending.wait(), pause_s)
        if publishing:
            publishing.cancel()
        now = time.monotonic_ns()
        for intended_ns, sent_ns in self._unacknowledged.values():
            self._swarm.recorder.record("ws publish", intended_ns, sent_ns, now, int(Outcome.TIMEOUT))

    def close(self) -> None:
        """Leave, as planned; a message under way may still come in."""
        self.leaving = True
        if self._socket is not None and not self._socket.closed:
            self._swarm.ledger.unsubscribed(self._number, time.monotonic_ns())
            self._closing = asyncio.ensure_future(self._socket.close())

    async def _serve(self, http: aiohttp.ClientSession) -> bool:
        """One connection from its handshake to its end; whether it came up."""
        await self._member.prepare(http)
        recorder = self._swarm.recorder
        started_ns = time.monotonic_ns()
        async with asyncio.timeout(self._swarm.timeout_s):
            socket = await http.ws_connect(
                self._member.path, headers=dict(self._member.headers()), compress=0, max_msg_size=4 << 20
            )
        now = time.monotonic_ns()
        recorder.record("ws connect", started_ns, started_ns, now)
        self._socket = socket
        self._swarm.connected += 1
        try:
            channels = list(self._member.channels())
            if channels:
                self._subscribe_started_ns = time.monotonic_ns()
                await socket.send_str(self._member.subscribe_frame(channels))
                deadline = asyncio.get_running_loop().call_later(self._swarm.timeout_s, self._not_subscribed)
            else:
                self._ready.set()
                deadline = None
            async for frame in socket:
                if frame.type is aiohttp.WSMsgType.TEXT:
                    self._received(frame.data, time.monotonic_ns())
            if deadline is not None:
                deadline.cancel()
        finally:
            self._swarm.connected -= 1
            self._ready.clear()
            self._swarm.ledger.unsubscribed(self._number, time.monotonic_ns())
        if not self.leaving:
            self._lost("ws connection", f"closed {socket.close_code}")
        return True

    def _received(self, frame: str, now_ns: int) -> None:
        meaning = self._member.read(frame)
        if isinstance(meaning, Delivery):
            if not meaning.publisher.startswith(self._mark):
                return
            stream = stream_name(meaning.publisher, meaning.channel)
            if self._swarm.ledger.received(self._number, stream, meaning.sequence):
                self._swarm.recorder.record("ws deliver", meaning.intended_ns, meaning.sent_ns, now_ns, 0, len(frame))
        elif isinstance(meaning, Acknowledged):
            stamps = self._unacknowledged.pop((meaning.channel, meaning.sequence), None)
            if stamps is not None:
                self._swarm.recorder.record("ws publish", *stamps, now_ns)
        elif isinstance(meaning, Subscribed):
            started_ns, self._subscribe_started_ns = self._subscribe_started_ns, 0
            if started_ns:
                self._swarm.recorder.record("ws subscribe", started_ns, started_ns, now_ns)
            for channel in meaning.channels:
                self._swarm.ledger.subscribed(self._number, channel, now_ns)
            self._ready.set()

    def _not_subscribed(self) -> None:
        if self._subscribe_started_ns:
            started_ns, self._subscribe_started_ns = self._subscribe_started_ns, 0
            now = time.monotonic_ns()
            self._swarm.recorder.record("ws subscribe", started_ns, started_ns, now, int(Outcome.TIMEOUT))

    async def _publish(self) -> None:
        """Publish on an open plan of this connection's own; what cannot be sent is dropped and counted bad."""
        swarm, rate = self._swarm, self._spec.rate or 0.0
        stages = tuple(
            Stage(p.duration, rate * (p.rate if p.rate_from is None else p.rate_from), rate * p.rate)
            for p in swarm.job.scenario.phases
        )
        plan = Plan(OpenModel(stages, self._spec.arrivals), swarm.job.scenario.seed * 7919 + self._number)
        for chunk in plan.chunks():
            for due_ns in (chunk + swarm.t0_ns).tolist():
                while (left := due_ns - time.monotonic_ns()) > 0:
                    await asyncio.sleep(left / NS_PER_S)
                if swarm.ending.is_set():
                    return
                try:
                    await self._publish_one(due_ns)
                except Exception as error:
                    swarm.broke(self._member, error)
                    return

    async def _publish_one(self, due_ns: int) -> None:
        socket = self._socket
        if socket is None or socket.closed or not self._ready.is_set():
            now = time.monotonic_ns()
            self._swarm.recorder.record("ws publish", due_ns, now, now, int(Outcome.DROPPED))
            return
        channel = self._member.publish_channel()
        sequence = self._sequences[channel]
        publication = Publication(self._publisher, channel, sequence, due_ns, time.monotonic_ns())
        frame = self._member.publish_frame(publication)
        self._sequences[channel] = sequence + 1
        self._swarm.publish_log(publication)
        self._unacknowledged[channel, sequence] = (due_ns, publication.sent_ns)
        try:
            await socket.send_str(frame)
        except (ConnectionError, aiohttp.ClientError) as error:
            del self._unacknowledged[channel, sequence]
            now = time.monotonic_ns()
            error_row = (int(Outcome.ERROR), 0, _kind(error))
            self._swarm.recorder.record("ws publish", due_ns, publication.sent_ns, now, *error_row)

    def _lost(self, series: str, kind: str, timed_out: bool = False) -> None:
        now = time.monotonic_ns()
        outcome = Outcome.TIMEOUT if timed_out else Outcome.ERROR
        self._swarm.recorder.record(series, now, now, now, int(outcome), 0, kind)


def _kind(error: BaseException) -> str:
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"handshake {error.status}"
    if isinstance(error, ConnectionRefusedError | aiohttp.ClientConnectorError):
        return "connection refused"
    return "connection reset" if isinstance(error, ConnectionError) else type(error).__name__


async def _within(awaitable: Any, seconds: float) -> None:
    try:
        await asyncio.wait_for(awaitable, seconds)
    except TimeoutError:
        return
