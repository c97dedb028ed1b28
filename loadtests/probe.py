"""One connection of the witness: a GET, and when the last byte of its answer was here.

The kernel stamps each segment as it comes in (SO_TIMESTAMPING, received in software); ``recvmsg`` hands the stamp of
the last byte read along with the bytes. So however late this process gets to read, the time is when the answer was
there. Those stamps are of CLOCK_REALTIME; they are set against CLOCK_MONOTONIC by reading both clocks at once.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httptools

from loadtests.proberequest import ProbeRequest, origin

__all__ = ["Answer", "Probe"]

_SO_TIMESTAMPING = 37
_RX_SOFTWARE, _SOFTWARE = 1 << 3, 1 << 4
_SCM = struct.Struct("qq")
_NOT_MODIFIED = 304


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request; times in ns of CLOCK_MONOTONIC.

    ``failure`` is empty of a good answer (success, or not modified), else its kind in few words that hold no secret.
    """

    started_ns: int
    ended_ns: int
    failure: str = ""
    by_kernel: bool = False

    @property
    def timed_out(self) -> bool:
        """Whether no answer came in time: of its time only a least is known."""
        return self.failure == "timed out"


class Probe:
    """One connection, kept alive and made anew when it is gone; it connects to the given addresses alone.

    Args:
        url: of the target.
        addresses: that its host resolved to when the run was allowed.
        timeout_s: of one request, connecting included.
        tls_verify: whether certificates are verified.

    """

    def __init__(self, url: str, addresses: Sequence[str], timeout_s: float, *, tls_verify: bool) -> None:
        scheme, self._name, self._port = origin(url)
        self._addresses = addresses
        self._timeout_s = timeout_s
        host = f"[{self._name}]" if ":" in self._name else self._name
        self._host = host if self._port == (443 if scheme == "https" else 80) else f"{host}:{self._port}"
        self._context: ssl.SSLContext | None = None
        if scheme == "https":
            self._context = ssl.create_default_context()
            if not tls_verify:
                self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE
        self._line: _Line | None = None

    def ask(self, request: ProbeRequest, intended_ns: int | None = None) -> Answer:
        """Make the request and wait for the whole answer; its clock starts now, or when it was meant to start."""
        started_ns = time.monotonic_ns() if intended_ns is None else intended_ns
        deadline_ns = time.monotonic_ns() + round(self._timeout_s * 1e9)
        try:
            if self._line is None or self._line.is_stale():
                self.close()
                self._line = self._connect(deadline_ns)
            self._line.send(request.head(self._host), deadline_ns)
            status, again, ended_ns, by_kernel = _read_answer(self._line, deadline_ns)
        except Exception as error:  # whatever it is, it must not end the connection's thread
            self.close()
            return Answer(started_ns, time.monotonic_ns(), _kind(error))
        if not again:
            self.close()
        good = 200 <= status < 300 or status == _NOT_MODIFIED
        return Answer(started_ns, max(ended_ns, started_ns), "" if good else f"status {status}", by_kernel)

    def close(self) -> None:
        """Let the connection go."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def _connect(self, deadline_ns: int) -> _Line:
        problem: OSError = ConnectionRefusedError()
        for address in self._addresses:
            try:
                return _Line(address, self._port, self._name, self._context, deadline_ns)
            except OSError as error:
                problem = error
        raise problem


class _Line:
    """A socket with the kernel's stamps, and TLS over it where the target speaks it.

    ``ssl`` wraps no ``recvmsg``, so TLS reads from memory what came with its stamp.
    """

    def __init__(self, address: str, port: int, name: str, context: ssl.SSLContext | None, deadline_ns: int) -> None:
        self._socket = socket.create_connection((address, port), timeout=_left_s(deadline_ns))
        self._tls: ssl.SSLObject | None = None
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if sys.platform == "linux":
                with contextlib.suppress(OSError):
                    self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPING, _RX_SOFTWARE | _SOFTWARE)
            if context is not None:
                self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
                self._shake_hands(self._tls, deadline_ns)
        except BaseException:
            self._socket.close()
            raise

    def _shake_hands(self, tls: ssl.SSLObject, deadline_ns: int) -> None:
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush(deadline_ns)
                self._incoming.write(self._receive(deadline_ns)[0])
            else:
                self._flush(deadline_ns)
                return

    def _flush(self, deadline_ns: int) -> None:
        if waiting := self._outgoing.read():
            self._socket.settimeout(_left_s(deadline_ns))
            self._socket.sendall(waiting)

    def send(self, data: bytes, deadline_ns: int) -> None:
        """Send all of it."""
        if self._tls is not None:
            self._tls.write(data)
            self._flush(deadline_ns)
            return
        self._socket.settimeout(_left_s(deadline_ns))
        self._socket.sendall(data)

    def receive(self, deadline_ns: int) -> tuple[bytes, int, bool]:
        """Some bytes, when the last of them was here, and whether the kernel says so.

        Raises:
            ConnectionResetError: when the other side has closed.
            TimeoutError: when nothing came.

        """
        data, at_ns, by_kernel = self._receive(deadline_ns)
        if self._tls is None:
            return data, at_ns, by_kernel
        self._incoming.write(data)
        plain = bytearray()
        with contextlib.suppress(ssl.SSLWantReadError):
            while part := self._tls.read(1 << 16):
                plain += part
        return bytes(plain), at_ns, by_kernel

    def _receive(self, deadline_ns: int) -> tuple[bytes, int, bool]:
        self._socket.settimeout(_left_s(deadline_ns))
        data, ancillary, _, _ = self._socket.recvmsg(1 << 16, 256)
        now_ns = time.monotonic_ns()
        if not data:
            raise ConnectionResetError
        for level, kind, raw in ancillary:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPING and len(raw) >= _SCM.size:
                seconds, ns = _SCM.unpack_from(raw)
                at_ns = seconds * 1_000_000_000 + ns - (time.time_ns() - time.monotonic_ns())
                if seconds and at_ns <= now_ns:  # else the clock of the day was set meanwhile
                    return data, at_ns, True
        return data, now_ns, False

    def is_stale(self) -> bool:
        """Whether the other side closed, or said something unasked, while the connection was idle."""
        self._socket.setblocking(False)
        try:
            came = self._socket.recv(1 << 16)
            if not came or self._tls is None:
                return True
            self._incoming.write(came)  # TLS 1.3 sends session tickets unasked; they are no data
            self._tls.read(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            pass
        return True

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class _Parsed:
    """What ``httptools`` tells of an answer."""

    def __init__(self) -> None:
        self.complete = False

    def on_message_complete(self) -> None:
        self.complete = True


def _read_answer(line: _Line, deadline_ns: int) -> tuple[int, bool, int, bool]:
    """Status, whether the connection may be used again, when the last byte was here, and whether by the kernel."""
    parsed = _Parsed()
    parser = httptools.HttpResponseParser(parsed)
    while True:
        data, at_ns, by_kernel = line.receive(deadline_ns)
        parser.feed_data(data)
        if parsed.complete:
            return parser.get_status_code(), parser.should_keep_alive(), at_ns, by_kernel


def _left_s(deadline_ns: int) -> float:
    left_ns = deadline_ns - time.monotonic_ns()
    if left_ns <= 0:
        raise TimeoutError
    return left_ns / 1e9


def _kind(error: Exception) -> str:
    """A failure in words of our own: those of the error may quote what was asked for."""
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, ssl.SSLError):
        return "TLS failed"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, OSError):
        return "connection closed"
    if isinstance(error, httptools.HttpParserError):
        return "answer broken"
    return type(error).__name__
