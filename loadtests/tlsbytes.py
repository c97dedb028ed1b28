"""TLS without a socket."""

from __future__ import annotations

import ssl
from typing import Any

__all__ = ["TlsBytes"]

_READ_BYTES = 1 << 18


class TlsBytes:
    """TLS over bytes, so that reading and stamping stay where they are.

    Raises:
        ssl.SSLError: when the handshake fails.

    """

    def __init__(self, context: ssl.SSLContext, host: str, sock: Any) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._in, self._out, server_hostname=host)
        while True:
            try:
                self._object.do_handshake()
            except ssl.SSLWantReadError:
                sock.sendall(self._out.read())
                data = sock.recv(_READ_BYTES)
                if not data:
                    raise ssl.SSLEOFError("closed during the TLS handshake") from None
                self._in.write(data)
            else:
                sock.sendall(self._out.read())
                return

    def encrypt(self, data: bytes) -> bytes:
        """What goes over the wire for it."""
        self._object.write(data)
        return self._out.read()

    def decrypt(self, data: bytes) -> bytes | None:
        """What came, as far as it is whole; b"" when the other side said that it is over."""
        self._in.write(data)
        pieces: list[bytes] = []
        while True:
            try:
                piece = self._object.read(_READ_BYTES)
            except ssl.SSLWantReadError:
                return b"".join(pieces) if pieces else None
            except ssl.SSLZeroReturnError:
                piece = b""
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
