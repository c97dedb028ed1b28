"""An HTTP/1.1 reply from bytes as they come, parsed by httptools; no socket and no clock in here.

The fields of few replies are ever looked at. So the parser that a reply comes in by is asked for its status, its body
and its end alone; where fields are asked for, another reads the same bytes again.
"""

from __future__ import annotations

import contextlib
import re

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

__all__ = ["BadAnswerError", "ReplyReader", "TruncatedError", "fields_of", "may_have"]

MOST_HEADER_BYTES = 1 << 18
MOST_BODY_BYTES = 1 << 28
_LONG_BYTES = 4096
SHORT_BYTES = 1024
"""A reply of no more is not parsed again where the next is the same to the byte."""
_HEAD = re.compile(rb"(?:\s*HTTP/\S+ +1.*?\r\n\r\n)*\s*.+?\r\n\r\n", re.DOTALL)
"""After interim ones (1xx)."""


class BadAnswerError(Exception):
    """What came is no HTTP/1.1 reply, or one beyond the limits."""


class TruncatedError(Exception):
    """The connection was closed before the whole answer had come."""


class ReplyReader:
    """Reads the replies of one connection, one after another.

    Call :meth:`expect`, then :meth:`feed` until it says that the reply is whole, or :meth:`finish` when the connection
    was closed. What was read stands here until the next is expected.

    Args:
        most_header_bytes: of all header fields of a reply; of its trailers, and what frames its chunks beside 8 bytes
            for each byte of the body, likewise.
        most_body_bytes: of a body as it comes over the wire.

    Attributes:
        status: of 200 to 599.
        head: all bytes up to the end of the header, interim replies before it included; there may be more.
        body: as it was encoded.
        reusable: whether the connection may carry another request.
        sets_cookie: whether it may set one; no is certain.

    """

    __slots__ = (
        "_before",
        "_body_before",
        "_body_bytes",
        "_counted",
        "_head_only",
        "_headed",
        "_most_body_bytes",
        "_most_header_bytes",
        "_parser",
        "_pieces",
        "_plain_bytes",
        "_status_before",
        "_whole",
        "_wire_bytes",
        "body",
        "head",
        "on_body",
        "reusable",
        "sets_cookie",
        "status",
    )

    def __init__(self, most_header_bytes: int = MOST_HEADER_BYTES, most_body_bytes: int = MOST_BODY_BYTES) -> None:
        self._most_header_bytes, self._most_body_bytes = most_header_bytes, most_body_bytes
        self._plain_bytes = min(_LONG_BYTES, most_header_bytes, most_body_bytes)
        """What came in one read of no more is within all bounds."""
        self._pieces: list[bytes] = []
        self.on_body = self._pieces.append
        """Called by the parser with the body, piece by piece, chunks without their frame."""
        self._parser = HttpResponseParser(self)
        self.status, self.body, self.reusable = 0, b"", False
        self._before: bytes | None = None
        self._status_before, self._body_before = 0, b""
        """The last reply, where it was short, came in one read, set no cookie, and another could follow it."""
        self.expect("GET")
        self._whole = True
        """Nothing is awaited."""

    def expect(self, method: str) -> None:
        """A request was sent; its reply is next. One to HEAD has no body, whatever its header says."""
        self._head_only = method == "HEAD"
        self.head = b""
        self._wire_bytes = 0
        self._headed = self._whole = self.sets_cookie = False

    def feed(self, data: bytes) -> bool:
        """Take what came; whether the reply is whole.

        Raises:
            BadAnswerError: when it is none.

        """
        if self._whole:
            raise BadAnswerError("something came that was not asked for")
        if data == self._before and not (self.head or self._head_only):
            self.head, self.status, self.body = data, self._status_before, self._body_before
            self._headed = self._whole = self.reusable = True
            return True
        if not self._headed:
            self.head = self.head + data if self.head else data
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            raise BadAnswerError("the server switched to another protocol") from None
        except HttpParserError as error:
            if isinstance(error.__context__, BadAnswerError):
                raise error.__context__ from None
            if not self._whole:
                raise BadAnswerError(f"not an HTTP reply: {error}") from None
            self.reusable = False
        if not self._whole:
            self._require_bounds(len(data))
            return False
        plain = self.reusable and not (self._wire_bytes or len(data) > self._plain_bytes or self._head_only)
        if not plain:
            self._look_closer()
        self.sets_cookie = may_have(self.head, b"set-cookie")
        if plain and len(data) <= SHORT_BYTES and not self.sets_cookie:
            self._before, self._status_before, self._body_before = data, self.status, self.body
        return True

    def finish(self) -> None:
        """The connection was closed; a body without a length ends there (RFC 9112, section 6.3).

        Raises:
            TruncatedError: when the reply had a length, or its header was not whole.

        """
        if self._whole or not self._headed or _is_framed(self.head):
            raise TruncatedError("closed before the whole answer had come")
        self.body, self.reusable, self._whole = b"".join(self._pieces), False, True
        self._look_closer()
        self.sets_cookie = may_have(self.head, b"set-cookie")

    def _require_bounds(self, more_bytes: int) -> None:
        """Of what is not whole yet."""
        if not self._wire_bytes:
            self._body_bytes = self._counted = 0
        self._wire_bytes += more_bytes
        self._body_bytes += sum(map(len, self._pieces[self._counted :]))
        self._counted = len(self._pieces)
        if not self._headed and len(self.head) > self._most_header_bytes:
            raise BadAnswerError(f"its header is over {self._most_header_bytes:,} bytes")
        if self._body_bytes > self._most_body_bytes:
            raise BadAnswerError(f"its body is over {self._most_body_bytes:,} bytes")
        if self._wire_bytes > len(self.head) + self._most_header_bytes + 9 * self._body_bytes:
            raise BadAnswerError(f"its trailers, or what frames its chunks, are over {self._most_header_bytes:,} bytes")

    def _look_closer(self) -> None:
        """At a reply that is whole: whether it is within its bounds, and what may follow it."""
        if len(self.head) > self._plain_bytes:
            self._cut()
        if len(self.body) > self._most_body_bytes:
            raise BadAnswerError(f"its body is over {self._most_body_bytes:,} bytes")
        if self._head_only or not self.reusable:  # the parser may still be waiting for the body
            self._parser = HttpResponseParser(self)
            self.reusable = self.reusable and not self._pieces  # a body after a header alone was not asked for
            self._pieces.clear()

    def _cut(self) -> None:
        """Leave what came in the same read after the header."""
        match = _HEAD.match(self.head)
        end = match.end() if match else len(self.head)
        if end > self._most_header_bytes:
            raise BadAnswerError(f"its header is over {self._most_header_bytes:,} bytes")
        self.head = self.head[:end]

    def on_message_begin(self) -> None:
        """Called by the parser; a second message in the same bytes was not asked for."""
        if self._whole:
            self.reusable = False

    def on_headers_complete(self) -> None:
        """Called by the parser; to HEAD, that is all."""
        if self._whole:
            return
        self.status = status = self._parser.get_status_code()
        if 200 <= status <= 599:
            self._headed = True
            if self._head_only:
                self.on_message_complete()
        elif status == 101:
            raise BadAnswerError("the server switched to another protocol")
        elif not 100 <= status <= 199:
            raise BadAnswerError(f"there is no status {status}")

    def on_message_complete(self) -> None:
        """Called by the parser; an interim reply (1xx) is not the one that is awaited."""
        if self._headed and not self._whole:
            pieces = self._pieces
            if len(pieces) == 1:
                self.body = pieces.pop()
            else:
                self.body = b"".join(pieces)
                pieces.clear()
            self.reusable, self._whole = self._parser.should_keep_alive(), True


def may_have(head: bytes, field: bytes) -> bool:
    """Whether there may be a header field of that name, in small letters; "no" is certain."""
    return head.lower().find(field) >= 0  # "in" would first ask whether it is a number: 1,800 instructions


def fields_of(head: bytes) -> list[tuple[bytes, bytes]]:
    """Names and values as they came, trailers left out, of the reply that bytes begin with."""
    return _Fields(head).found


def _is_framed(head: bytes) -> bool:
    """Whether the header says where the body ends; a last coding other than chunked does not (RFC 9112, 6.3)."""
    fields = [(name.lower(), value.lower().rstrip()) for name, value in fields_of(head)]
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
