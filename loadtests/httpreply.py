"""An HTTP/1.1 reply from bytes as they come, parsed by httptools; no socket and no clock in here."""

from __future__ import annotations

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

__all__ = ["BadAnswerError", "Reply", "ReplyReader", "TruncatedError"]

MOST_HEADER_BYTES = 1 << 18
MOST_BODY_BYTES = 1 << 28


class BadAnswerError(Exception):
    """What came is no HTTP/1.1 reply, or one beyond the limits."""


class TruncatedError(Exception):
    """The connection was closed before the whole answer had come."""


class Reply:
    """One whole reply; header names and values are bytes as they came, the body as it was encoded."""

    __slots__ = ("body", "headers", "reusable", "status")

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes, reusable: bool) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.reusable = reusable
        """Whether the connection may carry another request."""


class ReplyReader:
    """Reads the replies of one connection, one after another.

    Call :meth:`expect`, then :meth:`feed` until it returns a reply, or :meth:`finish` when the connection was closed.

    Args:
        most_header_bytes: of all header fields of a reply, trailers included.
        most_body_bytes: of a body as it comes over the wire.

    """

    def __init__(self, most_header_bytes: int = MOST_HEADER_BYTES, most_body_bytes: int = MOST_BODY_BYTES) -> None:
        self._most_header_bytes, self._most_body_bytes = most_header_bytes, most_body_bytes
        self._parser = HttpResponseParser(self)
        self._head_only = False
        self._begin()
        self._whole = True
        """Nothing is awaited."""

    def expect(self, method: str) -> None:
        """A request was sent; its reply is next. One to HEAD has no body, whatever its header says."""
        self._head_only = method == "HEAD"
        self._begin()

    def _begin(self) -> None:
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._header_bytes = self._unheaded_bytes = self._body_bytes = self._status = 0
        self._headed = self._whole = self._reusable = self._began = False

    def feed(self, data: bytes) -> Reply | None:
        """Take what came; the reply, once it is whole.

        Raises:
            BadAnswerError: when it is none.

        """
        if self._whole:
            raise BadAnswerError("something came that was not asked for")
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
        if not self._whole:
            if not self._headed:
                self._unheaded_bytes += len(data)
                if self._unheaded_bytes > self._most_header_bytes:
                    raise BadAnswerError(f"its header is over {self._most_header_bytes:,} bytes")
            return None
        return self._reply()

    def finish(self) -> Reply:
        """The connection was closed; a body without a length ends there (RFC 9112, section 6.3).

        Raises:
            TruncatedError: when the reply had a length, or its header was not whole.

        """
        if self._whole or not self._headed or any(name.lower() in _FRAMED for name, _ in self._headers):
            raise TruncatedError("closed before the whole answer had come")
        self._reusable = False
        return self._reply()

    @property
    def untouched(self) -> bool:
        """Whether nothing of the reply has come."""
        return not self._began

    def _reply(self) -> Reply:
        if self._head_only or not self._reusable:  # the parser may still be waiting for the body
            self._parser = HttpResponseParser(self)
        self._whole = True
        return Reply(self._status, self._headers, b"".join(self._body), self._reusable)

    def on_message_begin(self) -> None:
        """Called by the parser; a second message in the same bytes was not asked for."""
        if self._whole:
            self._reusable = False
        self._began = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser for header fields, and for trailers, which are left out."""
        if self._whole:
            return
        self._header_bytes += len(name) + len(value) + 4
        if self._header_bytes > self._most_header_bytes:
            raise BadAnswerError(f"its header is over {self._most_header_bytes:,} bytes")
        if not self._headed:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        if self._whole:
            return
        self._status = self._parser.get_status_code()
        self._headed = True
        if self._head_only and self._status >= 200:
            self._reusable = self._parser.should_keep_alive() or any(n.lower() in _FRAMED for n, _ in self._headers)
            self._reusable = self._reusable and not self._closes()
            self._whole = True

    def _closes(self) -> bool:
        return any(name.lower() == b"connection" and b"close" in value.lower() for name, value in self._headers)

    def on_body(self, body: bytes) -> None:
        """Called by the parser with the body, piece by piece, chunks without their frame."""
        if self._whole:
            return
        self._body_bytes += len(body)
        if self._body_bytes > self._most_body_bytes:
            raise BadAnswerError(f"its body is over {self._most_body_bytes:,} bytes")
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Called by the parser; an interim reply (1xx) is not the one that is awaited."""
        if self._whole:
            return
        if 100 <= self._status < 200 and self._status != 101:
            self._begin()
            return
        self._reusable = self._parser.should_keep_alive()
        self._whole = True


_FRAMED = (b"content-length", b"transfer-encoding")
