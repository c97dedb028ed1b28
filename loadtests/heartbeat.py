"""Pings of one connection: whether the other side is still there, and how long a frame takes to it and back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from loadtests.duration import NS_PER_S
from loadtests.recorder import Recorder
from loadtests.sample import Outcome
from loadtests.series import PING
from loadtests.websocket import WebSocket

__all__ = ["Heartbeat"]


class Heartbeat:
    """Pings a WebSocket every so often, from the start on; one whose ping is not answered by the next is given up."""

    def __init__(
        self, socket: WebSocket, every_ns: int, recorder: Recorder, clock_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._socket = socket
        self._every_ns = every_ns
        self._recorder = recorder
        self._clock_ns = clock_ns
        self._number = 0
        self._sent_ns: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        socket.on_pong = self._pong
        self._next()

    def stop(self) -> None:
        """No more of it."""
        if self._timer is not None:
            self._timer.cancel()

    def _next(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._every_ns / NS_PER_S, self.beat)

    def beat(self) -> None:
        """The next ping is due."""
        now_ns = self._clock_ns()
        if self._sent_ns is not None:
            self._recorder.record(PING, self._sent_ns, self._sent_ns, now_ns, int(Outcome.TIMEOUT))
            self._socket.fail("no pong")
            return
        self._number += 1
        self._sent_ns = now_ns
        self._socket.ping(str(self._number).encode())
        self._next()

    def _pong(self, payload: bytes, now_ns: int) -> None:
        if self._sent_ns is not None and payload == str(self._number).encode():
            self._recorder.record(PING, self._sent_ns, self._sent_ns, now_ns)
            self._sent_ns = None
