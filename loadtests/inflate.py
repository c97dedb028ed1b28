"""Compressed WebSocket messages, as servers send them once permessage-deflate is agreed on (RFC 7692)."""

from __future__ import annotations

import zlib

from loadtests.framereader import FrameError

__all__ = ["ASKED", "Inflate", "keeps_context"]

ASKED = "permessage-deflate"
"""What the handshake offers; our own messages stay as they are, which the standard allows."""
_TAIL = b"\x00\x00\xff\xff"
"""What a sender leaves out (section 7.2.2)."""


class Inflate:
    """Inflates one connection's messages, which may refer to those before (``context``)."""

    def __init__(self, largest: int, *, context: bool) -> None:
        self._largest = largest
        self._context = context
        self._state = zlib.decompressobj(-15)

    def message(self, data: bytes) -> bytes:
        """One whole message.

        Raises:
            FrameError: when it is no such thing, or longer than ``largest``; no more than that is ever inflated.

        """
        if not self._context:
            self._state = zlib.decompressobj(-15)
        try:
            found = self._state.decompress(data + _TAIL, self._largest + 1)
        except zlib.error as error:
            raise FrameError(1007, f"a compressed message that cannot be read ({error})") from None
        if len(found) > self._largest:
            raise FrameError(1009, f"a compressed message of over {self._largest:,} bytes")
        return found


def keeps_context(agreed: str) -> bool | None:
    """Of the server's answer to what was asked: whether messages refer to those before; None of another extension."""
    name, *parameters = (part.strip().lower() for part in agreed.split(";"))
    if name != ASKED or "," in agreed:
        return None
    return "server_no_context_takeover" not in parameters
