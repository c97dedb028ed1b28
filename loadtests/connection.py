"""One member's connection: it connects in its turn, subscribes, and comes back when it is lost or has left."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Sequence
from functools import partial

import aiohttp

from loadtests.attempts import Attempts
from loadtests.books import EVERY_CHANNEL, Books
from loadtests.duration import NS_PER_S
from loadtests.heartbeat import Heartbeat
from loadtests.job import Job
from loadtests.member import Member
from loadtests.outcome import classify
from loadtests.parting import Parting, who
from loadtests.publisher import Publisher
from loadtests.reception import Reception
from loadtests.sample import Outcome
from loadtests.series import CONNECT, CONNECTION, RESTORE
from loadtests.slowness import Slowness
from loadtests.stages import Stages
from loadtests.subscribing import Subscribing
from loadtests.swarmspec import Member as MemberSpec
from loadtests.websocket import WebSocket, connect

__all__ = ["Connection"]


class Connection:
    """One member's connection, through reconnects, to the end of the run."""

    def __init__(
        self, job: Job, books: Books, ending: asyncio.Event, member: Member, spec: MemberSpec, number: int
    ) -> None:
        self.number = number
        self.dialling = spec.slow.receive_buffer if spec.slow else 0, member.cert  # its kind of client
        self.publisher = Publisher(job, books, ending, member, spec, number)
        ledger, books.has_slow = books.slow if spec.slow else books.ledger, books.has_slow or spec.slow is not None
        self.reception = Reception(books, ledger, member, number, f"{job.run_id}.", self, timed=spec.slow is None)
        self._swarm = job.scenario.swarm
        self._books, self._ending = books, ending
        self._member, self._spec = member, spec
        self._timeout_s = job.scenario.load.timeout / NS_PER_S
        self._attempts = Attempts(spec, self._swarm.reconnect, f"{job.scenario.seed} {number}")
        self._lost_ns = self._connect_started_ns = 0
        self._socket: WebSocket | None = None
        self._parting, self._broken = Parting.NONE, False
        self._subscribing = Subscribing(books.recorder, self._timeout_s, self._not_subscribed)
        self._slowness = Slowness(spec.slow, number, books) if spec.slow else None

    async def run(self, http: aiohttp.ClientSession) -> None:
        """Connect in turn, serve, reconnect when the connection is lost."""
        turn_ns = self._books.recorder.t0_ns + round(self.number / self._swarm.connect_rate * NS_PER_S)
        await asyncio.sleep(max(0.0, (turn_ns - time.monotonic_ns()) / NS_PER_S))
        publishing = asyncio.create_task(self.publisher.run(http)) if self._spec.rate else None
        try:
            await self._serve_again_and_again(http)
        finally:
            if publishing:
                publishing.cancel()
            if self._slowness:
                self._slowness.cancel()

    async def _serve_again_and_again(self, http: aiohttp.ClientSession) -> None:
        while not self._over():
            self._attempts.begin()
            try:
                self._attempts.lasted(await self._serve(http))
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                self._not_connected(error)
            except Exception as error:
                self.broke(error)
            if self._broken:
                break
            self.publisher.begin()
            if not self._over():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(
                        self._ending.wait(), self._attempts.pause_s(left=self._parting == Parting.LEFT)
                    )

    def _over(self) -> bool:
        return self._parting == Parting.END or self._ending.is_set()

    def close(self) -> None:
        """Leave for good, as planned; a message under way may still come in."""
        self._leave(Parting.END)
        self._parting = Parting.END

    def strike(self, trouble: int, until_ns: int, *, how: str) -> bool:
        """A storm hits: it is ended now, or is the server's to end before ``until_ns``; False where it was not up."""
        if self._socket is None or self._socket.closed:
            return False
        self.reception.struck, self._parting, now_ns = trouble, Parting.STORM, time.monotonic_ns()
        if how == "restart":
            asyncio.get_running_loop().call_later((until_ns - now_ns) / NS_PER_S, self._weathered)
        else:
            self.publisher.away, self._lost_ns = True, now_ns
            self._socket.fail(Parting.STORM, reset=how == "reset")
        return True

    def _weathered(self) -> None:
        """It was not hit after all, or is there again."""
        if self._parting == Parting.STORM:
            self._parting = Parting.NONE

    def _leave(self, why: Parting) -> None:
        if why == Parting.LEFT and self._ending.is_set():
            return  # who leaves during the drain would not come again
        now_ns = time.monotonic_ns()
        self._books.availability.leave(self.number, now_ns)
        if self._socket is not None and not self._socket.closed:
            self._parting, self.publisher.away = why, True
            self.reception.leave(now_ns)
            self._closing = asyncio.ensure_future(self._socket.close())

    def finish(self) -> dict[str, int]:
        """The run is over: what was lost and never came back has run out of time, if it ever tried to.

        Returns ``restores_untried`` where it did not.
        """
        lost_ns, self._lost_ns = self._lost_ns, 0
        if lost_ns and self._connect_started_ns < lost_ns:
            return {"restores_untried": 1}
        if lost_ns:
            self._books.recorder.record(RESTORE, lost_ns, lost_ns, time.monotonic_ns(), int(Outcome.TIMEOUT))
        return {}

    async def _dial(self, http: aiohttp.ClientSession) -> WebSocket:
        """Prepare and shake hands; what that takes is let go before anything is awaited for long."""
        self._connect_started_ns = time.monotonic_ns()
        await self._member.prepare(http)
        stages, member = Stages(), self._member
        self._connect_started_ns = started_ns = time.monotonic_ns()
        dial = partial(connect, http, member.path, self.reception.received, compress=member.compress, stages=stages)
        dial = partial(dial, headers=member.headers(), subprotocols=member.subprotocols)
        socket = await dial(timeout_s=self._timeout_s)
        upgraded_ns = time.monotonic_ns()
        for series, begun_ns, ended_ns in ((CONNECT, started_ns, upgraded_ns), *stages.spans(upgraded_ns)):
            self._books.recorder.record(series, begun_ns, begun_ns, ended_ns)
        return socket

    async def _serve(self, http: aiohttp.ClientSession) -> float:
        """One connection from its handshake to its end; for how many seconds it lasted, ever so many if we ended it."""
        socket, upgraded_ns = await self._dial(http), time.monotonic_ns()
        self._socket = self._member.ws = socket
        self._parting, self._books.connected = Parting.NONE, self._books.connected + 1
        timers: list[asyncio.TimerHandle] = []
        heartbeat = Heartbeat(socket, self._swarm.heartbeat, self._books.recorder) if self._swarm.heartbeat else None
        try:
            await self._begin(socket, timers)
            await socket.wait()
        finally:
            if heartbeat:
                heartbeat.stop()
            for timer in timers:
                timer.cancel()
            ours = self._parting != Parting.NONE
            self._ended(socket)
        return math.inf if ours else (time.monotonic_ns() - upgraded_ns) / NS_PER_S

    async def _begin(self, socket: WebSocket, timers: list[asyncio.TimerHandle]) -> None:
        """Greet, subscribe; then wait what comes."""
        loop = asyncio.get_running_loop()
        channels = list(self._member.channels())
        self.reception.hears(by_channel=bool(channels))
        for greeting in self._member.greetings():
            await socket.send(greeting)
        if channels:
            self._subscribing.begin(channels)
            if frame := self._member.subscribe_frame(channels):
                await socket.send(frame)
        else:
            unasked = [EVERY_CHANNEL] if self._member.hears_broadcasts else self._member.unasked_channels()
            self.reception.begin(unasked, time.monotonic_ns())
            self._up(time.monotonic_ns())
        if self._spec.churn:
            timers.append(loop.call_later(self._attempts.stay_s(), self._leave, Parting.LEFT))
        if self._slowness:
            self._slowness.watch(socket)

    def _up(self, now_ns: int) -> None:
        """Subscribed to all that it asked for."""
        self._books.availability.up(self.number, now_ns)
        if self._lost_ns:
            self._books.recorder.record(RESTORE, self._lost_ns, self._lost_ns, now_ns)
            self._lost_ns = 0
        if self._socket is not None:
            self.publisher.opened(self._socket)

    def _ended(self, socket: WebSocket) -> None:
        """The connection is gone, by whomever."""
        now, record, expected = time.monotonic_ns(), self._books.recorder.record, self._parting.planned
        self._books.connected, self._member.ws = self._books.connected - 1, None
        self._books.closes[who(socket.ending, self._parting)] += 1
        self._subscribing.cut_short(now, socket.ending, planned=self._parting != Parting.NONE)
        if self._parting != Parting.END:
            self.publisher.closed(socket.ending, away=self._parting != Parting.NONE)
        self.reception.end(now, away=not expected)
        if not socket.closed:
            socket.abort()
        if expected:
            return
        self._lost_ns = self._lost_ns or now
        if self._parting == Parting.STORM:
            self._books.availability.leave(self.number, now)
            if socket.ending == Parting.STORM:
                self._parting = Parting.NONE  # from here on it is the server's to take it back
        elif self._spec.slow is None:
            self._books.availability.down(self.number, now)
            record(CONNECTION, now, now, now, int(Outcome.ERROR), 0, socket.ending)

    def subscribed(self, channels: Sequence[str], now_ns: int) -> None:
        """The server acknowledged a subscription, to all that was asked for or to some of it."""
        self.reception.begin(channels, now_ns)
        if self._subscribing.acknowledged(channels, now_ns):
            self._up(now_ns)

    def acknowledged(self, channel: str, sequence: int, now_ns: int) -> None:
        """The server acknowledged a publication."""
        self.publisher.acknowledged(channel, sequence, now_ns)

    def act(self, on: Callable[[WebSocket], None]) -> None:
        """The member answers or gives up, in a moment: a server may speak before its connection is known here."""
        asyncio.get_running_loop().call_soon(lambda: on(self._socket) if self._socket else None)

    def broke(self, error: Exception) -> None:
        """The author's code raised."""
        self._broken = True
        self._books.broke(self._member, error)
        if self._socket is not None:
            self._socket.abort()

    def _not_subscribed(self, now_ns: int) -> None:
        self._books.availability.down(self.number, now_ns)
        self.publisher.begin()

    def _not_connected(self, error: Exception) -> None:
        outcome, kind = classify(error, None)
        started_ns, now = self._connect_started_ns, time.monotonic_ns()
        self._books.recorder.record(CONNECT, started_ns, started_ns, now, int(outcome), 0, kind)
        if self._parting != Parting.STORM:
            self.publisher.away = False
            self._books.availability.down(self.number, now)
