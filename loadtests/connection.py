"""One member's connection: it connects in its turn, subscribes, reads, and reconnects when it is lost."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import aiohttp

from loadtests.books import EVERY_CHANNEL, Books
from loadtests.duration import NS_PER_S
from loadtests.job import Job
from loadtests.member import Acknowledged, Broadcast, Delivery, Member, Subscribed
from loadtests.outcome import classify
from loadtests.publisher import Publisher
from loadtests.sample import Outcome
from loadtests.scenario import Member as MemberSpec
from loadtests.series import CONNECT, CONNECTION, SUBSCRIBE
from loadtests.websocket import WebSocket, connect

__all__ = ["Connection", "within"]

_UNTIL_SUBSCRIBED = 2**63


class Connection:
    """One member's connection, through reconnects, to the end of the run."""

    def __init__(
        self, job: Job, books: Books, ending: asyncio.Event, member: Member, spec: MemberSpec, number: int
    ) -> None:
        self.leaving = False
        self.publisher = Publisher(job, books, ending, member, spec, number)
        self._job = job
        self._books = books
        self._ending = ending
        self._member = member
        self._number = number
        self._mark = f"{job.run_id}."
        self._timeout_s = job.scenario.load.timeout / NS_PER_S
        self._socket: WebSocket | None = None
        self._broken = False
        self._live_from_ns = 0
        self._connect_started_ns = 0
        self._subscribe_started_ns = 0

    async def run(self, http: aiohttp.ClientSession) -> None:
        """Connect in turn, serve, reconnect when the connection is lost."""
        turn_ns = self._books.recorder.t0_ns + round(self._number / self._job.scenario.swarm.connect_rate * NS_PER_S)
        await asyncio.sleep(max(0.0, (turn_ns - time.monotonic_ns()) / NS_PER_S))
        publishing = asyncio.create_task(self.publisher.run(http))
        try:
            await self._serve_again_and_again(http)
        finally:
            publishing.cancel()

    async def _serve_again_and_again(self, http: aiohttp.ClientSession) -> None:
        attempt = 0
        while not self.leaving and not self._ending.is_set():
            try:
                if await self._serve(http):
                    attempt = 0
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                self._failed(CONNECT, self._connect_started_ns, error)
            except Exception as error:
                self._broke(error)
            if self._broken:
                break
            attempt += 1
            self.publisher.begin()
            if not self.leaving:
                pause_s = random.uniform(0, min(5.0, 0.25 * 2**attempt))  # noqa: S311 -- jitter, no secret
                await within(self._ending.wait(), pause_s)

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
            member = self._member
            socket = await connect(
                http, member.path, self._received, headers=member.headers(), subprotocols=member.subprotocols
            )
        self._books.recorder.record(CONNECT, started_ns, started_ns, time.monotonic_ns())
        self._socket = socket
        self._books.connected += 1
        deadline: asyncio.TimerHandle | None = None
        try:
            for greeting in self._member.greetings():
                await socket.send(greeting)
            if self._member.hears_broadcasts:
                self._live_from_ns = min(self._live_from_ns, time.monotonic_ns())
                self._books.ledger.subscribed(self._number, EVERY_CHANNEL, self._live_from_ns)
            channels = list(self._member.channels())
            if channels:
                self._subscribe_started_ns = time.monotonic_ns()
                await socket.send(self._member.subscribe_frame(channels))
                deadline = asyncio.get_running_loop().call_later(self._timeout_s, self._not_subscribed)
            else:
                self.publisher.opened(socket)
            await socket.wait()
        finally:
            self._books.connected -= 1
            if deadline is not None:
                deadline.cancel()
            if self._subscribe_started_ns and not self.leaving:
                started_ns, self._subscribe_started_ns = self._subscribe_started_ns, 0
                now, kind = time.monotonic_ns(), socket.ending or "cut short"
                self._books.recorder.record(SUBSCRIBE, started_ns, started_ns, now, int(Outcome.ERROR), 0, kind)
            if not self.leaving:
                self.publisher.closed(socket.ending)
            self._books.ledger.unsubscribed(self._number, time.monotonic_ns(), away=not self.leaving)
            self._live_from_ns = _UNTIL_SUBSCRIBED
            if not socket.closed:
                socket.abort()
        if not self.leaving:
            now = time.monotonic_ns()
            self._books.recorder.record(CONNECTION, now, now, now, int(Outcome.ERROR), 0, socket.ending)
        return True

    def _received(self, frames: list[str | bytes], now_ns: int) -> None:
        """All that one read brought; runs in the transport's callback, so what the author's code raises ends here."""
        for frame in () if self._broken else frames:
            try:
                self._read(frame, now_ns)
            except Exception as error:
                self._broke(error)
                return

    def _broke(self, error: Exception) -> None:
        self._broken = True
        self._books.broke(self._member, error)
        if self._socket is not None:
            self._socket.abort()

    def _read(self, frame: str | bytes, now_ns: int) -> None:
        if isinstance(frame, bytes):
            meaning = self._member.read_bytes(frame)
        else:
            if self._books.frames is not None:
                self._books.frames.offer(frame, now_ns)
            meaning = self._member.read(frame)
        if isinstance(meaning, Delivery):
            if not meaning.publisher.startswith(self._mark):
                return
            self._books.delivered(self._number, meaning, now_ns, len(frame), self._live_from_ns)
        elif isinstance(meaning, Broadcast):
            self._books.heard(self._number, meaning, now_ns, len(frame), self._live_from_ns)
        elif isinstance(meaning, Acknowledged):
            self.publisher.acknowledged(meaning.channel, meaning.sequence, now_ns)
        elif isinstance(meaning, Subscribed):
            started_ns, self._subscribe_started_ns = self._subscribe_started_ns, 0
            if started_ns:
                self._books.recorder.record(SUBSCRIBE, started_ns, started_ns, now_ns)
            self._live_from_ns = min(self._live_from_ns, now_ns)
            for channel in meaning.channels:
                self._books.ledger.subscribed(self._number, channel, now_ns)
            if self._socket is not None:
                self.publisher.opened(self._socket)

    def _not_subscribed(self) -> None:
        if self._subscribe_started_ns:
            started_ns, self._subscribe_started_ns = self._subscribe_started_ns, 0
            now = time.monotonic_ns()
            self._books.recorder.record(SUBSCRIBE, started_ns, started_ns, now, int(Outcome.TIMEOUT))
            self.publisher.begin()

    def _failed(self, series: str, started_ns: int, error: Exception) -> None:
        outcome, kind = classify(error, None)
        if isinstance(error, aiohttp.WSServerHandshakeError):
            outcome, kind = Outcome.ERROR, f"handshake {error.status}"
        self._books.recorder.record(series, started_ns, started_ns, time.monotonic_ns(), int(outcome), 0, kind)


async def within(awaitable: Any, seconds: float) -> None:
    """Wait, but not longer than so many seconds."""
    try:
        await asyncio.wait_for(awaitable, seconds)
    except TimeoutError:
        return
