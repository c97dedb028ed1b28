"""A connection that stops reading, and what the server does about it."""

from __future__ import annotations

import array
import asyncio
import fcntl
import socket
import termios
import time

from loadtests.books import Books
from loadtests.duration import NS_PER_S
from loadtests.parting import Parting
from loadtests.swarmspec import Slow
from loadtests.websocket import WebSocket

__all__ = ["Slowness"]

LOOK_S = 0.05
AFTERWARDS_S = 2.0
_ESTABLISHED = 1
"""State of a TCP connection that neither side has ended (include/net/tcp_states.h)."""


class Slowness:
    """Of one member; it stops once, on whichever connection it has by then.

    Args:
        slow: when, for how long, and into how large a buffer the kernel takes meanwhile.
        number: of the connection.
        books: take what came of it.

    """

    def __init__(self, slow: Slow, number: int, books: Books) -> None:
        self._slow = slow
        self._number = number
        self._books = books
        self._stopped = False
        self._task: asyncio.Task[None] | None = None

    def watch(self, connection: WebSocket) -> None:
        """Take this connection, unless an earlier one has stopped."""
        if not self._stopped:
            self.cancel()
            self._task = asyncio.create_task(self._stop_reading(connection))

    def cancel(self) -> None:
        """The run is over."""
        if self._task is not None:
            self._task.cancel()

    async def _stop_reading(self, connection: WebSocket) -> None:
        """Stop when it is time, read on when that is over, and say what came of it.

        The kernel takes in what its buffer holds; then the server's own buffers fill. Whether it closed the connection
        is read from the kernel, since nothing of ours reads.
        """
        slow = self._slow
        await asyncio.sleep(max(0.0, (self._books.recorder.t0_ns + slow.start - time.monotonic_ns()) / NS_PER_S))
        if connection.closed:
            return
        kernel, stopped_ns = connection.socket, time.monotonic_ns()
        self._stopped = True
        self._books.deliveries.watch_spared(stopped_ns + slow.duration)
        connection.pause()
        most, ended_s = 0, None
        while (passed_ns := time.monotonic_ns() - stopped_ns) < slow.duration and not connection.closed:
            try:
                most = max(most, _unread(kernel))
                if ended_s is None and kernel.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _ESTABLISHED:
                    ended_s = passed_ns / NS_PER_S
            except OSError:
                break
            await asyncio.sleep(LOOK_S)
        connection.resume()
        await connection.wait(AFTERWARDS_S)
        if connection.ending == Parting.STORM:
            then = "a storm took it"
        elif connection.we_close or not connection.ending:
            then = "the connection was kept, and read on"
        else:
            when = "meanwhile, as it saw when it read on" if ended_s is None else f"after {ended_s:.1f} s"
            then = f"the server ended it {when} ({connection.ending})"
        for_s = min(passed_ns, slow.duration) / NS_PER_S
        text = f"stopped reading for {for_s:.3g} s; {most:,} bytes waited in its own kernel; {then}"
        self._books.events.append({"kind": "slow", "text": f"connection {self._number} {text}"})


def _unread(kernel: socket.socket) -> int:
    waiting = array.array("i", [0])
    fcntl.ioctl(kernel.fileno(), termios.FIONREAD, waiting)
    return waiting[0]
