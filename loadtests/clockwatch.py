"""Asks the target's clock twice a second, at first more often, on a connection that does nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import aiohttp

from loadtests.clockoffset import ClockOffset, Exchange
from loadtests.member import ClockAnswer, Member
from loadtests.websocket import connect

__all__ = ["ClockWatch", "answers_for_its_clock"]

EVERY_S = 0.5
AT_FIRST_S = 0.05
"""After an answer, until enough is known: what comes meanwhile cannot be timed."""


def answers_for_its_clock(cls: type[Member]) -> bool:
    """Whether members of a class know how to ask."""
    return cls.clock_question is not Member.clock_question


class ClockWatch:
    """Of one process.

    Args:
        offset: takes the exchanges.
        member: asks and reads; of no other use.
        broke: is told what its code raised.

    """

    def __init__(self, offset: ClockOffset, member: Member, broke: Callable[[Member, Exception], None]) -> None:
        self._offset = offset
        self._member, self.cert = member, member.cert
        self._broke = broke
        self._token, self._asked_ns = 0, 0
        self._answered = asyncio.Event()

    async def run(self, http: aiohttp.ClientSession) -> None:
        """Until cancelled; a connection that is lost is made again."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                await self._ask_on(http)
            await asyncio.sleep(EVERY_S)

    async def _ask_on(self, http: aiohttp.ClientSession) -> None:
        member = self._member
        await member.prepare(http)
        connection = await connect(
            http, member.path, self._received, headers=member.headers(), subprotocols=member.subprotocols
        )
        try:
            while not connection.closed:
                self._token += 1
                self._answered.clear()
                question = member.clock_question(str(self._token))
                self._asked_ns = time.monotonic_ns()
                if question is not None:
                    await connection.send(question)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(EVERY_S):
                        await self._answered.wait()
                        await asyncio.sleep(EVERY_S if self._offset.known else AT_FIRST_S)
        finally:
            connection.abort()

    def _received(self, frames: list[str | bytes], now_ns: int) -> None:
        for frame in frames:
            try:
                said = self._member.read_bytes(frame) if isinstance(frame, bytes) else self._member.read(frame)
            except Exception as error:
                self._broke(self._member, error)
                return
            if isinstance(said, ClockAnswer) and said.token == str(self._token):
                self._offset.add(Exchange(self._asked_ns, said.received_ns, said.answered_ns, now_ns))
                self._answered.set()
