"""Bodies by their Content-Encoding (RFC 9110, section 8.4), up to a limit: 48 KB of gzip may be 50 MB."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import brotli

from loadtests.httpreply import BadAnswerError

__all__ = ["MOST_CONTENT_BYTES", "OversizeError", "decoded"]

MOST_CONTENT_BYTES = 1 << 28
"""As of a body on the wire."""
_PIECE_BYTES = 1 << 14
_GZIP, _ZLIB, _BARE = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


class OversizeError(BadAnswerError):
    """A body that is decoded to more than it may be."""


def decoded(body: bytes, codings: str, most_bytes: int = MOST_CONTENT_BYTES) -> bytes:
    """The body without its codings, the last of which comes off first; one that nobody knows stays.

    Raises:
        OversizeError: when a coding holds more than ``most_bytes``; not much more is ever in memory.
        BadAnswerError: when the body is not what a coding says.

    """
    for coding in reversed(codings.lower().split(",")):
        decode = _DECODERS.get(coding.strip())
        if decode is None or not body:
            continue
        try:
            body = decode(body, most_bytes + 1)
        except (zlib.error, brotli.error) as error:
            raise BadAnswerError(f"the body is not {coding.strip()}: {error}") from error
        if len(body) > most_bytes:
            raise OversizeError(f"its body is over {most_bytes:,} bytes without {coding.strip()}")
    return body


def _gunzip(body: bytes, most_bytes: int) -> bytes:
    """Of one member, or several (RFC 1952, section 2.2), with zeros after them as some send.

    Piece by piece, since what follows a member's end is copied then: of a body of nothing but ends, again and again.
    """
    content, left_bytes = [], most_bytes
    inflater: zlib._Decompress | None = zlib.decompressobj(_GZIP)
    for at in range(0, len(body), _PIECE_BYTES):
        rest = body[at : at + _PIECE_BYTES]
        while inflater or (rest := rest.lstrip(b"\0")):
            inflater = inflater or zlib.decompressobj(_GZIP)
            content.append(inflater.decompress(rest, left_bytes))
            left_bytes -= len(content[-1])
            if not left_bytes:
                return b"".join(content)
            if not inflater.eof:
                break
            rest, inflater = inflater.unused_data, None
    if inflater:
        raise zlib.error("it is cut short")
    return b"".join(content)


def _deflate(body: bytes, most_bytes: int) -> bytes:
    """``deflate`` is zlib by the standard (RFC 9110, section 8.4.1.2), but some send it without its frame."""
    try:
        return _inflate(body, most_bytes, _ZLIB)
    except zlib.error:
        return _inflate(body, most_bytes, _BARE)


def _inflate(body: bytes, most_bytes: int, frame: int) -> bytes:
    inflater = zlib.decompressobj(frame)
    content = inflater.decompress(body, most_bytes)
    if not inflater.eof and len(content) < most_bytes:
        raise zlib.error("it is cut short")
    return content


def _brotli(body: bytes, most_bytes: int) -> bytes:
    decompressor = brotli.Decompressor()
    content: bytes = decompressor.process(body, output_buffer_limit=most_bytes)
    if not decompressor.is_finished() and len(content) < most_bytes:
        raise brotli.error("it is cut short")
    return content


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _deflate,
    "br": _brotli,
}
