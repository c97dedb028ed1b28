"""An HTTP/1.1 reply from bytes as they come, parsed by httptools; no socket and no clock in here.

The fields of few replies are ever looked at. So the parser that a reply comes in by is asked for its status, its body
and its end alone; where fields are asked for, another reads the same bytes again.
"""

from __future__ import annotations

import contextlib
import re

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

__all__ = ["BadAnswerError", "Reply", "ReplyReader", "TruncatedError"]

MOST_HEADER_BYTES = 1 << 18
MOST_BODY_BYTES = 1 << 28
_LONG_BYTES = 4096
_HEAD = re.compile(rb"[\r\n]*.+?\r\n\r\n", re.DOTALL)


class BadAnswerError(Exception):
    """What came is no HTTP/1.1 reply, or one beyond the limits."""


class TruncatedError(Exception):
    """The connection was closed before the whole answer had come."""


class Reply:
    """One whole reply, its body as it was encoded.

    Args:
        status: of 100 to 599.
        head: all bytes up to the end of the header, interim replies before it included; there may be more.
        body: of the reply.
        reusable: whether the connection may carry another request.

    """

    __slots__ = ("_fields", "_head", "body", "reusable", "status")

    def __init__(self, status: int, head: bytes, body: bytes, reusable: bool) -> None:
        self.status = status
        self.body = body
        self.reusable = reusable
        self._head = head
        self._fields: list[tuple[bytes, bytes]] | None = None

    def may_have(self, field: bytes) -> bool:
        """Whether there may be a header field of that name, in small letters; "no" is certain."""
        return self._head.lower().find(field) >= 0  # "in" would first ask whether it is a number: 1,800 instructions

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Names and values as they came, trailers left out."""
        if self._fields is None:
            self._fields = _Fields(self._head).found
        return self._fields


class ReplyReader:
    """Reads the replies of one connection, one after another.

    Call :meth:`expect`, then :meth:`feed` until it returns a reply, or :meth:`finish` when the connection was closed.

    Args:
        most_header_bytes: of all header fields of a reply; of its trailers, and what frames its chunks beside 8 bytes
            for each byte of the body, likewise.
        most_body_bytes: of a body as it comes over the wire.

    """

    __slots__ = (
        "_body",
        "_body_bytes",
        "_counted",
        "_head",
        "_head_only",
        "_headed",
        "_interim",
        "_most_body_bytes",
        "_most_header_bytes",
        "_parser",
        "_pieces",
        "_plain_bytes",
        "_reusable",
        "_status",
        "_whole",
        "_wire_bytes",
        "on_body",
    )

    def __init__(self, most_header_bytes: int = MOST_HEADER_BYTES, most_body_bytes: int = MOST_BODY_BYTES) -> None:
        self._most_header_bytes, self._most_body_bytes = most_header_bytes, most_body_bytes
        self._plain_bytes = min(_LONG_BYTES, most_header_bytes)
        self._pieces: list[bytes] = []
        self.on_body = self._pieces.append
        """Called by the parser with the body, piece by piece, chunks without their frame."""
        self._parser = HttpResponseParser(self)
        self.expect("GET")
        self._whole = True
        """Nothing is awaited."""

    def expect(self, method: str) -> None:
        """A request was sent; its reply is next. One to HEAD has no body, whatever its header says."""
        self._head_only = method == "HEAD"
        self._head = self._body = b""
        self._pieces.clear()
        self._status = self._wire_bytes = self._body_bytes = self._counted = self._interim = 0
        self._headed = self._whole = self._reusable = False

    def feed(self, data: bytes) -> Reply | None:
        """Take what came; the reply, once it is whole.

        Raises:
            BadAnswerError: when it is none.

        """
        if self._whole:
            raise BadAnswerError("something came that was not asked for")
        if not self._headed:
            self._head = self._head + data if self._head else data
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            raise BadAnswerError("the server switched to another protocol") from None
        except HttpParserError as error:
            if isinstance(error.__context__, BadAnswerError):
                raise error.__context__ from None
            if not self._whole:
                raise BadAnswerError(f"not an HTTP reply: {error}") from None
            self._reusable = False
        if self._whole:
            return self._reply()
        self._require_bounds(len(data))
        return None

    def finish(self) -> Reply:
        """The connection was closed; a body without a length ends there (RFC 9112, section 6.3).

        Raises:
            TruncatedError: when the reply had a length, or its header was not whole.

        """
        if self._whole or not self._headed or _is_framed(Reply(0, self._head, b"", False)):
            raise TruncatedError("closed before the whole answer had come")
        self._body = b"".join(self._pieces)
        return self._reply()

    def _require_bounds(self, more_bytes: int) -> None:
        """Of what is not whole yet."""
        self._wire_bytes += more_bytes
        self._body_bytes += sum(map(len, self._pieces[self._counted :]))
        self._counted = len(self._pieces)
        if not self._headed and len(self._head) > self._most_header_bytes:
            raise BadAnswerError(f"its header is over {self._most_header_bytes:,} bytes")
        if self._body_bytes > self._most_body_bytes:
            raise BadAnswerError(f"its body is over {self._most_body_bytes:,} bytes")
        if self._wire_bytes > len(self._head) + self._most_header_bytes + 9 * self._body_bytes:
            raise BadAnswerError(f"its trailers, or what frames its chunks, are over {self._most_header_bytes:,} bytes")

    def _reply(self) -> Reply:
        head, body, reusable = self._head, self._body, self._reusable
        if len(head) > self._plain_bytes:
            head = self._cut()
        if len(body) > self._most_body_bytes:
            raise BadAnswerError(f"its body is over {self._most_body_bytes:,} bytes")
        if self._head_only or not reusable:  # the parser may still be waiting for the body
            self._parser = HttpResponseParser(self)
            reusable = reusable and not self._pieces  # a body after a header alone was not asked for
        self._pieces.clear()
        self._head = self._body = b""
        self._whole = True
        return Reply(self._status, head, body, reusable)

    def _cut(self) -> bytes:
        """The header without what came in the same read after it."""
        end = 0
        for _ in range(self._interim + 1):
            match = _HEAD.match(self._head, end)
            end = match.end() if match else len(self._head)
        if end > self._most_header_bytes:
            raise BadAnswerError(f"its header is over {self._most_header_bytes:,} bytes")
        return self._head[:end]

    def on_message_begin(self) -> None:
        """Called by the parser; a second message in the same bytes was not asked for."""
        if self._whole:
            self._reusable = False

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        if self._whole:
            return
        self._status = status = self._parser.get_status_code()
        if not 200 <= status <= 599:
            if status == 101:
                raise BadAnswerError("the server switched to another protocol")
            if not 100 <= status <= 199:
                raise BadAnswerError(f"there is no status {status}")
            return
        self._headed = True
        if self._head_only:
            self._reusable, self._whole = self._parser.should_keep_alive(), True

    def on_message_complete(self) -> None:
        """Called by the parser; an interim reply (1xx) is not the one that is awaited."""
        if self._whole:
            return
        if self._headed:
            pieces = self._pieces
            self._body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self._reusable, self._whole = self._parser.should_keep_alive(), True
        else:
            self._interim += 1


def _is_framed(reply: Reply) -> bool:
    """Whether the header says where the body ends; a last coding other than chunked does not (RFC 9112, 6.3)."""
    fields = [(name.lower(), value.lower().rstrip()) for name, value in reply.headers]
    codings = [value for name, value in fields if name == b"transfer-encoding"]
    return codings[-1].endswith(b"chunked") if codings else any(name == b"content-length" for name, _ in fields)


class _Fields:
    """The header fields of the reply that bytes begin with, after any interim ones."""

    def __init__(self, data: bytes) -> None:
        self.found: list[tuple[bytes, bytes]] = []
        self._parser, self._over = HttpResponseParser(self), False
        with contextlib.suppress(HttpParserError, HttpParserUpgrade):  # of what follows; the header was read before
            self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        """Called by the parser."""
        if not self._over:
            self.found.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser, for trailers as well."""
        if not self._over:
            self.found.append((name, value))

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        self._over = self._over or self._parser.get_status_code() >= 200
