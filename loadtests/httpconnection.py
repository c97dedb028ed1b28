"""One HTTP connection of a Locust user: what comes is read and stamped in the loop's own callback.

The user's greenlet only waits. So an answer's time is taken when its last byte was there to read, also while other
users' code is in line; and a server that closes an idle connection is noticed at once.
"""

from __future__ import annotations

import _socket
import ssl
import time
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import gevent
from gevent import monkey
from gevent import socket as gsocket

from loadtests.connections import NEVER_S, Connections
from loadtests.httpreply import ReplyReader
from loadtests.tlsbytes import TlsBytes

__all__ = ["Connection"]

_READ_BYTES = 1 << 18
_READ, _WRITE = 1, 2
_poll, _POLLIN = monkey.get_original("select", "poll"), 1
_of_hubs: WeakKeyDictionary[Any, Connections] = WeakKeyDictionary()


class Connection:
    """Connects, then carries one request after another; ``closed`` once it can carry no more.

    Args:
        address: host and port.
        tls: for https, with the certificates that are trusted.
        timeout_s: for connecting, with the handshake.

    Raises:
        OSError: when there is no connection; ``TimeoutError`` when there is none in time.

    """

    def __init__(self, address: tuple[str, int], tls: ssl.SSLContext | None, timeout_s: float) -> None:
        with gevent.Timeout(timeout_s) as timer:  # no OSError: one would only send it on to the host's next address
            try:
                sock = gsocket.create_connection(address)
                try:
                    sock.setsockopt(gsocket.IPPROTO_TCP, gsocket.TCP_NODELAY, 1)
                    self._tls = TlsBytes(tls, address[0], sock) if tls else None
                except BaseException:
                    sock.close()
                    raise
            except gevent.Timeout as late:
                if late is not timer:
                    raise
                raise TimeoutError("timed out while connecting") from None
        self._socket = _socket.socket(fileno=sock.detach())
        self._socket.setblocking(False)
        self._hub = hub = gevent.get_hub()
        self._all = _of_hubs.get(hub) or _of_hubs.setdefault(hub, Connections(_Later))
        self.reply = ReplyReader()
        """Has the last one, until something is asked for again."""
        self._failure: Exception | None = None
        self._settled = True
        self._waiting: Any = None
        self.closed = False
        self.due_s = NEVER_S
        self.ended_ns = 0
        """When the last byte of the last reply was read, or its failure known."""
        self._readable = self._hub.loop.io(self._socket.fileno(), _READ)
        self._readable.start(self._on_readable)
        self._all.watch(self)
        self._looked = _poll()
        self._looked.register(self._socket.fileno(), _POLLIN)

    def exchange(self, method: str, request: bytes, deadline_s: float) -> None:
        """Send a request and wait for its reply until that time of ``time.monotonic``.

        Raises:
            OSError: when the connection breaks; ``TimeoutError`` when there is no whole reply in time.
            BadAnswerError: when what comes is no reply.
            TruncatedError: when the server closes before the whole of it came.

        """
        self.reply.expect(method)
        self._failure, self._settled = None, False
        self.due_s = deadline_s
        if deadline_s < self._all.next_s:
            self._all.look_at(deadline_s)
        try:
            if self._tls:
                request = self._tls.encrypt(request)
            sent = self._send(request)
            while not self._settled:
                self._wait()
        except BaseException:
            self.ended_ns = time.monotonic_ns()
            self.close()
            raise
        finally:
            self._settled, self.due_s = True, NEVER_S
        if self._failure is not None:
            self.close()
            raise self._failure
        if not (self.reply.reusable and sent):
            self.close()

    def usable(self) -> bool:
        """Whether it may carry another request: the kernel is asked, for the loop may not have come to it yet."""
        if not self.closed and self._looked.poll(0):
            self._on_readable()
        return not self.closed

    def close(self) -> None:
        """Close it; nothing is waited for."""
        if not self.closed:
            self.closed = True
            self._all.forget(self)
            self._readable.stop()
            self._readable.close()
            self._socket.close()

    def _send(self, data: bytes) -> bool:
        """Whether all of it went out; not where it was answered before."""
        left: bytes | memoryview = data
        while left and not self._settled:
            try:
                sent = self._socket.send(left)
                left = memoryview(left)[sent:] if sent < len(left) else b""
            except BlockingIOError:
                writable = self._hub.loop.io(self._socket.fileno(), _WRITE)
                writable.start(self._wake)
                try:
                    self._wait()
                finally:
                    writable.stop()
                    writable.close()
            except (BrokenPipeError, ConnectionResetError):
                self._on_readable()  # an early answer may say why it does not want the rest
                if not self._settled:
                    raise
                break
        return not left

    def _wait(self) -> None:
        self._waiting = gevent.getcurrent()
        try:
            self._hub.switch()
        finally:
            self._waiting = None

    def _wake(self) -> None:
        if self._waiting is not None:
            self._waiting.switch()

    def _settle(self, failure: Exception | None) -> None:
        """The exchange is over; its greenlet goes on when all that is there to read was read."""
        self._failure, self._settled = failure, True
        self._hub.loop.run_callback(self._wake)

    def time_up(self) -> None:
        """Its reply is awaited no longer."""
        if not self._settled:
            self.ended_ns = time.monotonic_ns()
            self._settle(TimeoutError("timed out"))

    def _on_readable(self) -> None:
        """Runs in the loop: no exception may leave it."""
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._broken(error)
            return
        self.ended_ns = time.monotonic_ns()
        try:
            over = not data
            if self._tls:
                data, over = self._tls.decrypt(data), self._tls.over
            whole = bool(data) and self.reply.feed(data)
            if not whole:
                if not over:
                    return
                self.reply.finish()
        except Exception as error:
            self._broken(error)
        else:
            self._settle(None)

    def _broken(self, error: Exception) -> None:
        if self._settled:
            self.close()
        else:
            self._readable.stop()
            self.ended_ns = time.monotonic_ns()
            self._settle(error)


class _Later:
    """A call in so many seconds from now, whatever the loop's own clock has not seen yet."""

    def __init__(self, delay_s: float, call: Callable[[], None]) -> None:
        self._timer = gevent.get_hub().loop.timer(delay_s)
        self._timer.start(self._ring, call, update=True)

    def _ring(self, call: Callable[[], None]) -> None:
        self.cancel()
        call()

    def cancel(self) -> None:
        """It is not to come."""
        self._timer.stop()
        self._timer.close()
