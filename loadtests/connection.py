"""One member's connection: it connects in its turn, subscribes, reads, publishes on plan, and reconnects."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from typing import Any

import aiohttp

from loadtests.books import Books, stream_name
from loadtests.duration import NS_PER_S
from loadtests.job import Job
from loadtests.member import Acknowledged, Delivery, Member, Publication, Subscribed
from loadtests.outcome import classify
from loadtests.plan import OpenModel, Plan, Stage
from loadtests.sample import Outcome
from loadtests.scenario import Member as MemberSpec

__all__ = ["Connection", "within"]


class Connection:
    """One member's connection, through reconnects, to the end of the run."""

    def __init__(
        self, job: Job, books: Books, ending: asyncio.Event, member: Member, spec: MemberSpec, number: int
    ) -> None:
        self.leaving = False
        self._job = job
        self._books = books
        self._ending = ending
        self._member = member
        self._spec = spec
        self._number = number
        self._publisher = f"{job.run_id}.{number}"
        self._mark = f"{job.run_id}."
        self._timeout_s = job.scenario.load.timeout / NS_PER_S
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._ready = asyncio.Event()
        self._tried = False
        self._connect_started_ns = 0
        self._subscribe_started_ns = 0
        self._unacknowledged: dict[tuple[str, int], tuple[int, int]] = {}
        self._sequences: dict[str, int] = defaultdict(int)

    async def run(self, http: aiohttp.ClientSession) -> None:
        """Connect in turn, serve, reconnect when the connection is lost."""
        turn_ns = self._books.recorder.t0_ns + round(self._number / self._job.scenario.swarm.connect_rate * NS_PER_S)
        await asyncio.sleep(max(0.0, (turn_ns - time.monotonic_ns()) / NS_PER_S))
        publishing = asyncio.create_task(self._publish()) if self._spec.rate else None
        attempt = 0
        while not self.leaving and not self._ending.is_set():
            try:
                if await self._serve(http):
                    attempt = 0
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                self._failed("ws connect", self._connect_started_ns, error)
            except Exception as error:
                self._books.broke(self._member, error)
                break
            attempt += 1
            self._tried = True
            if not self.leaving:
                pause_s = random.uniform(0, min(5.0, 0.25 * 2**attempt))  # noqa: S311 -- jitter, no secret
                await within(self._ending.wait(), pause_s)
        if publishing:
            publishing.cancel()
        now = time.monotonic_ns()
        for intended_ns, sent_ns in self._unacknowledged.values():
            self._books.recorder.record("ws publish", intended_ns, sent_ns, now, int(Outcome.TIMEOUT))

    def close(self) -> None:
        """Leave, as planned; a message under way may still come in."""
        self.leaving = True
        if self._socket is not None and not self._socket.closed:
            self._books.ledger.unsubscribed(self._number, time.monotonic_ns())
            self._closing = asyncio.ensure_future(self._socket.close())

    async def _serve(self, http: aiohttp.ClientSession) -> bool:
        """One connection from its handshake to its end; whether it came up."""
        self._connect_started_ns = time.monotonic_ns()
        await self._member.prepare(http)
        self._connect_started_ns = started_ns = time.monotonic_ns()
        async with asyncio.timeout(self._timeout_s):
            socket = await http.ws_connect(
                self._member.path, headers=dict(self._member.headers()), compress=0, max_msg_size=4 << 20
            )
        self._books.recorder.record("ws connect", started_ns, started_ns, time.monotonic_ns())
        self._socket = socket
        self._books.connected += 1
        deadline: asyncio.TimerHandle | None = None
        try:
            channels = list(self._member.channels())
            if channels:
                self._subscribe_started_ns = time.monotonic_ns()
                await socket.send_str(self._member.subscribe_frame(channels))
                deadline = asyncio.get_running_loop().call_later(self._timeout_s, self._not_subscribed)
            else:
                self._ready.set()
            async for frame in socket:
                if frame.type is aiohttp.WSMsgType.TEXT:
                    self._received(frame.data, time.monotonic_ns())
        finally:
            self._books.connected -= 1
            if deadline is not None:
                deadline.cancel()
            if self._subscribe_started_ns and not self.leaving:
                started_ns, self._subscribe_started_ns = self._subscribe_started_ns, 0
                now, kind = time.monotonic_ns(), f"closed {socket.close_code}"
                self._books.recorder.record("ws subscribe", started_ns, started_ns, now, int(Outcome.ERROR), 0, kind)
            self._ready.clear()
            self._books.ledger.unsubscribed(self._number, time.monotonic_ns())
        if not self.leaving:
            now = time.monotonic_ns()
            kind = f"closed {socket.close_code}"
            self._books.recorder.record("ws connection", now, now, now, int(Outcome.ERROR), 0, kind)
        return True

    def _received(self, frame: str, now_ns: int) -> None:
        meaning = self._member.read(frame)
        if isinstance(meaning, Delivery):
            if not meaning.publisher.startswith(self._mark):
                return
            stream = stream_name(meaning.publisher, meaning.channel)
            if self._books.ledger.received(self._number, stream, meaning.sequence):
                self._books.recorder.record("ws deliver", meaning.intended_ns, meaning.sent_ns, now_ns, 0, len(frame))
        elif isinstance(meaning, Acknowledged):
            stamps = self._unacknowledged.pop((meaning.channel, meaning.sequence), None)
            if stamps is not None:
                self._books.recorder.record("ws publish", *stamps, now_ns)
        elif isinstance(meaning, Subscribed):
            started_ns, self._subscribe_started_ns = self._subscribe_started_ns, 0
            if started_ns:
                self._books.recorder.record("ws subscribe", started_ns, started_ns, now_ns)
            for channel in meaning.channels:
                self._books.ledger.subscribed(self._number, channel, now_ns)
            self._ready.set()

    def _not_subscribed(self) -> None:
        if self._subscribe_started_ns:
            started_ns, self._subscribe_started_ns = self._subscribe_started_ns, 0
            now = time.monotonic_ns()
            self._books.recorder.record("ws subscribe", started_ns, started_ns, now, int(Outcome.TIMEOUT))

    async def _publish(self) -> None:
        """Publish on an open plan of this connection's own; what cannot be sent is dropped and counted bad."""
        scenario, t0_ns, rate = self._job.scenario, self._books.recorder.t0_ns, self._spec.rate or 0.0
        stages = tuple(
            Stage(p.duration, rate * (p.rate if p.rate_from is None else p.rate_from), rate * p.rate)
            for p in scenario.phases
        )
        plan = Plan(OpenModel(stages, self._spec.arrivals), scenario.seed * 7919 + self._number)
        for chunk in plan.chunks():
            for due_ns in (chunk + t0_ns).tolist():
                while (left := due_ns - time.monotonic_ns()) > 0:
                    await asyncio.sleep(left / NS_PER_S)
                if self._ending.is_set():
                    return
                try:
                    await self._publish_one(due_ns)
                except Exception as error:
                    self._books.broke(self._member, error)
                    return

    async def _publish_one(self, due_ns: int) -> None:
        socket = self._socket
        if socket is None or socket.closed or not self._ready.is_set():
            now = time.monotonic_ns()
            if self._tried:
                self._books.recorder.record("ws publish", due_ns, now, now, int(Outcome.ERROR), 0, "no connection")
            else:
                self._books.recorder.record("ws publish", due_ns, now, now, int(Outcome.DROPPED))
            return
        channel = self._member.publish_channel()
        sequence = self._sequences[channel]
        publication = Publication(self._publisher, channel, sequence, due_ns, time.monotonic_ns())
        frame = self._member.publish_frame(publication)
        if self._member.acknowledges:
            self._unacknowledged[channel, sequence] = (due_ns, publication.sent_ns)
        left = True
        try:
            await socket.send_str(frame)
        except (ConnectionError, aiohttp.ClientError) as error:  # nobody can miss it, and its number is the next one's
            left = False
            self._unacknowledged.pop((channel, sequence), None)
            self._failed("ws publish", due_ns, error, publication.sent_ns)
        finally:
            if left:
                self._sequences[channel] = sequence + 1
                self._books.publish_log(publication)
                if not self._member.acknowledges:
                    now = time.monotonic_ns()
                    self._books.recorder.record("ws publish", due_ns, publication.sent_ns, now, 0, len(frame))

    def _failed(self, series: str, intended_ns: int, error: Exception, started_ns: int | None = None) -> None:
        outcome, kind = classify(error, None)
        if isinstance(error, aiohttp.WSServerHandshakeError):
            outcome, kind = Outcome.ERROR, f"handshake {error.status}"
        started_ns = intended_ns if started_ns is None else started_ns
        self._books.recorder.record(series, intended_ns, started_ns, time.monotonic_ns(), int(outcome), 0, kind)


async def within(awaitable: Any, seconds: float) -> None:
    """Wait, but not longer than so many seconds."""
    try:
        await asyncio.wait_for(awaitable, seconds)
    except TimeoutError:
        return
