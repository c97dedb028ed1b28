"""One HTTP connection of a member: an asyncio protocol; what comes is read and stamped in the transport's callback."""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import time
from typing import cast

from loadtests.deadlines import Deadlines
from loadtests.duration import NS_PER_S
from loadtests.httpreply import Reply, ReplyReader, TruncatedError

__all__ = ["AsyncConnection"]

_IDLE_NS = NS_PER_S // 2


class AsyncConnection(asyncio.Protocol):
    """Carries one request after another; ``closed`` once it can carry no more. Made by :meth:`open`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._deadlines = Deadlines.of()
        self._reader = ReplyReader()
        self._waiting: asyncio.Future[Reply] | None = None
        self._idle_since_ns = time.monotonic_ns()
        self.closed = False
        self.ended_ns = 0
        """When the last byte of the last reply was read."""

    @classmethod
    async def open(cls, host: str, port: int, tls: ssl.SSLContext | None, timeout_s: float) -> AsyncConnection:
        """Connect, and shake hands where there is TLS.

        The socket is Python's own, so that the guard on addresses sees it connect.

        Raises:
            OSError: when there is no connection; ``TimeoutError`` when there is none in time.

        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_s):
                sock = await _connected(loop, host, port)
                try:
                    name = host if tls else None
                    _, protocol = await loop.create_connection(cls, sock=sock, ssl=tls, server_hostname=name)
                except BaseException:
                    sock.close()
                    raise
        except TimeoutError:
            raise TimeoutError("timed out while connecting") from None
        return protocol

    async def exchange(self, method: str, request: bytes, deadline_s: float) -> Reply:
        """Send a request and wait for its reply until that time of ``time.monotonic``.

        Raises:
            OSError: when the connection breaks; ``TimeoutError`` when there is no whole reply in time.
            BadAnswerError: when what comes is no reply.
            TruncatedError: when the server closes before the whole of it came.

        """
        self._reader.expect(method)
        waiting = self._waiting = self._loop.create_future()
        self._deadlines.begin(self, deadline_s)
        try:
            self._transport.write(request)
            reply: Reply = await waiting
        except BaseException:
            self.close()
            raise
        finally:
            self._deadlines.end(self)
            self._waiting = None
        self._idle_since_ns = self.ended_ns
        if not reply.reusable:
            self.close()
        return reply

    def usable(self) -> bool:
        """Whether it may carry another request: one that was idle for long is looked at, for the loop may be behind."""
        if not self.closed and time.monotonic_ns() - self._idle_since_ns > _IDLE_NS:
            looked = select.poll()
            looked.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
            if looked.poll(0):  # nothing was asked for, so it is the end, or junk
                self.close()
        return not self.closed

    def close(self) -> None:
        """Close it; nothing is waited for."""
        if not self.closed:
            self.closed = True
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self.ended_ns = time.monotonic_ns()
        try:
            reply = self._reader.feed(data)
        except Exception as error:
            self._broken(error)
            return
        if reply is not None and self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(reply)

    def eof_received(self) -> None:
        """Called by the loop: a body without a length ends here."""
        self.ended_ns = time.monotonic_ns()
        waiting, self.closed = self._waiting, True
        if waiting is None or waiting.done():
            return
        try:
            waiting.set_result(self._reader.finish())
        except TruncatedError as error:
            self._broken(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self.closed = True
        self._broken(exc or TruncatedError("closed before the whole answer had come"))

    def time_up(self) -> None:
        """Its reply is awaited no longer."""
        self._broken(TimeoutError("timed out"))

    def _broken(self, error: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self.ended_ns = time.monotonic_ns()
            self._waiting.set_exception(error)
        self.close()


async def _connected(loop: asyncio.AbstractEventLoop, host: str, port: int) -> socket.socket:
    """A socket that is connected to the first of the host's addresses that takes it."""
    failure: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure
