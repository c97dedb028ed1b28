"""A TCP connection that tells when what it received was here, and TLS over it where the target speaks it.

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

__all__ = ["StampedSocket"]

_SO_TIMESTAMPING = 37
_RX_SOFTWARE, _SOFTWARE = 1 << 3, 1 << 4
_SCM = struct.Struct("qq")
"""The first of three ``struct timespec``, the software stamp (the kernel's networking/timestamping)."""


class StampedSocket:
    """A connection; every wait ends by a deadline in ns of CLOCK_MONOTONIC.

    ``ssl`` wraps no ``recvmsg``, so TLS reads from memory what came with its stamp.

    Raises:
        OSError: when it cannot be made; TLS and time-outs are some of its kinds.

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

    def fileno(self) -> int:
        """So that ``select`` can wait for it."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _left_s(deadline_ns: int) -> float:
    left_ns = deadline_ns - time.monotonic_ns()
    if left_ns <= 0:
        raise TimeoutError
    return left_ns / 1e9
