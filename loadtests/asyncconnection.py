"""One HTTP connection of a member: an asyncio protocol; what comes is read and stamped in the transport's callback."""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import time
from typing import cast
from weakref import WeakKeyDictionary

from loadtests.connections import NEVER_S, Connections
from loadtests.httpreply import ReplyReader, TruncatedError

__all__ = ["AsyncConnection"]

_of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, Connections] = WeakKeyDictionary()


class AsyncConnection(asyncio.Protocol):
    """Carries one request after another; ``closed`` once it can carry no more. Made by :meth:`open`."""

    def __init__(self) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._all = _of_loops.get(loop) or _of_loops.setdefault(loop, Connections(loop.call_later))
        self.reply = ReplyReader()
        """Has the last one, until something is asked for again."""
        self._waiting: asyncio.Future[None] = loop.create_future()
        self._waiting.cancel()
        self.closed = False
        self.due_s = NEVER_S
        self.ended_ns = 0
        """When the last byte of the last reply was read, or its failure known."""

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
                except ConnectionResetError as error:
                    sock.close()
                    if error.errno is None:  # of the loop's own, for an end within the handshake
                        raise ssl.SSLEOFError("closed during the TLS handshake") from error
                    raise
                except BaseException:
                    sock.close()
                    raise
        except TimeoutError:
            raise TimeoutError("timed out while connecting") from None
        return protocol

    def exchange(self, method: str, request: bytes, deadline_s: float) -> asyncio.Future[None]:
        """Send a request; what is given back awaits its reply, until that time of ``time.monotonic``.

        It raises OSError when the connection breaks (``TimeoutError`` when there is no whole reply in time),
        BadAnswerError when what comes is no reply, and TruncatedError when the server closes before the whole of it
        came. Whoever stops waiting closes the connection.
        """
        self.reply.expect(method)
        self.due_s = deadline_s
        if deadline_s < self._all.next_s:
            self._all.look_at(deadline_s)
        waiting = self._waiting = self._loop.create_future()
        self._transport.write(request)
        return waiting

    def usable(self) -> bool:
        """Whether it may carry another request: the kernel is asked, for the loop may not have come to it yet."""
        if not self.closed and self._looked.poll(0):  # nothing was asked for, so it is the end, or junk
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
        self._all.watch(self)
        self._looked = select.poll()
        self._looked.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self.ended_ns = time.monotonic_ns()
        try:
            if self.reply.feed(data):
                self._settle()
        except Exception as error:
            self._broken(error)

    def eof_received(self) -> None:
        """Called by the loop: a body without a length ends here, over TLS only where the other side says so."""
        self.ended_ns = time.monotonic_ns()
        try:
            tls = self._transport.get_extra_info("ssl_object")
            if tls is None or _said_over(tls):
                self.reply.finish()
            else:
                raise TruncatedError("closed without a word of TLS that all had been sent")
        except TruncatedError as error:
            self._broken(error)
        else:
            self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self._all.forget(self)
        self._broken(exc or TruncatedError("closed before the whole answer had come"))
        self.closed = True

    def time_up(self) -> None:
        """Its reply is awaited no longer."""
        self._broken(TimeoutError("timed out"))

    def _settle(self) -> None:
        self.due_s = NEVER_S
        if not self.reply.reusable:
            self.close()
        if not self._waiting.done():
            self._waiting.set_result(None)

    def _broken(self, error: Exception) -> None:
        self.due_s = NEVER_S
        self.close()
        if not self._waiting.done():
            self.ended_ns = time.monotonic_ns()
            self._waiting.set_exception(error)


def _said_over(tls: ssl.SSLObject) -> bool:
    """Whether the other side said that it sends nothing more (RFC 8446, section 6.1); asyncio does not tell."""
    try:
        return not tls.read(1)
    except ssl.SSLWantReadError:
        return False


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
