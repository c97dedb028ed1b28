"""TLS without a socket."""

from __future__ import annotations

import ssl
from typing import Any

from loadtests.httpreply import TruncatedError

__all__ = ["TlsBytes"]

_READ_BYTES = 1 << 18


class TlsBytes:
    """TLS over bytes, so that reading and stamping stay where they are.

    Attributes:
        over: whether the other side said that it sends nothing more.

    Raises:
        ssl.SSLError: when the handshake fails.

    """

    def __init__(self, context: ssl.SSLContext, host: str, sock: Any) -> None:
        self._in, self._out, self.over = ssl.MemoryBIO(), ssl.MemoryBIO(), False
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

    def decrypt(self, data: bytes) -> bytes:
        """What came, as far as it is whole.

        Raises:
            TruncatedError: when the connection is at its end (``data`` is empty), and the other side had not said so:
                anybody may have cut it (RFC 8446, section 6.1).

        """
        if not (data or self.over):
            raise TruncatedError("closed without a word of TLS that all had been sent")
        self._in.write(data)
        pieces: list[bytes] = []
        while not self.over:
            try:
                piece = self._object.read(_READ_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                piece = b""
            self.over = not piece
            pieces.append(piece)
        return b"".join(pieces)
