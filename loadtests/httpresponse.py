"""What a user's code gets for a request, as Locust's authors know it; nothing is decoded before it is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from email.message import Message
from typing import Any, ClassVar

from loadtests.asked import Asked, Request
from loadtests.contentcoding import MOST_CONTENT_BYTES, decoded
from loadtests.httpheaders import Headers

__all__ = ["BadStatusError", "CheckFailedError", "Response"]

_WITHOUT = "to say yourself what a request was, ask in a with-block and with catch_response=True"


class CheckFailedError(Exception):
    """The user's code refused the answer."""


class BadStatusError(Exception):
    """The target answered with a status of 400 or more."""


class Response(Asked):
    """An answer, or why there is none.

    Attributes:
        error: what went wrong, if anything; a status of 400 or more is wrong too.
        report: where its outcome is for the user's code to say: takes it, once.

    """

    error: Exception | None = None
    report: Callable[[Exception | None], None] | None = None
    history: Sequence[Response] = ()
    """The redirects that led here."""
    encoding: str | None = None
    """Set it before reading ``text`` where the answer does not say what it is."""
    head = b""
    """Its header, as the reader of replies gives it."""
    body = b""
    """As it was encoded."""
    _headers: Headers | None = None
    _entered = False
    _said: Exception | bool | None = None
    misused: ClassVar[type[Exception]] = RuntimeError
    """Raised where it is used against its rules."""
    refused: ClassVar[type[Exception]] = CheckFailedError
    """Says why :meth:`failure` was called."""
    refusals: ClassVar[tuple[type[Exception], ...]] = (CheckFailedError,)
    """Raised in a with-block, they mean that the request has failed, and not the code."""

    @property
    def request(self) -> Request:
        """The last that was sent; of a chain of redirects, the one that was answered at last."""
        return self.written.request

    @property
    def headers(self) -> Headers:
        """Of the answer, by name whatever its case."""
        if self._headers is None:
            self._headers = Headers(self.head)
        return self._headers

    @property
    def content(self) -> bytes:
        """The body, decoded.

        Raises:
            BadAnswerError: when it is not what its Content-Encoding says, or is decoded to over 256 MiB.

        """
        return self.decoded(MOST_CONTENT_BYTES)

    def decoded(self, most_bytes: int) -> bytes:
        """The same within another limit; OversizeError where it is more."""
        return decoded(self.body, self.headers.get("content-encoding", ""), most_bytes)

    @property
    def text(self) -> str:
        """The body as text: by its charset, else UTF-8; what cannot be decoded is replaced."""
        encoding = self.encoding
        if encoding is None:
            message = Message()
            message["content-type"] = self.headers.get("content-type", "text/plain")
            encoding = message.get_content_charset("utf-8")
        try:
            return self.content.decode(encoding, "replace")
        except (LookupError, UnicodeError):  # no such charset, or one that is none of texts
            return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: when it is none.

        """
        return json.loads(self.content)

    @property
    def url(self) -> str:
        """The URL that was answered at last."""
        return self.written.request.url

    @property
    def ok(self) -> bool:
        """Whether there was an answer, of a status below 400."""
        return 0 < self.status_code < 400

    @property
    def reason(self) -> str:
        """What went wrong, in words; empty where nothing did."""
        return "" if self.error is None else str(self.error)

    @property
    def elapsed(self) -> timedelta:
        """From the start to the last byte, redirects included."""
        return timedelta(microseconds=(self.ended_ns - self.started_ns) / 1000)

    def raise_for_status(self) -> None:
        """Raise what went wrong, if anything did."""
        if isinstance(self._said, Exception):
            raise self._said
        if self._said is None and self.error is not None:
            raise self.error

    def success(self) -> None:
        """Say that the request succeeded, whatever its status."""
        self._say(True)

    def failure(self, reason: Exception | str) -> None:
        """Say that it failed, and why."""
        self._say(reason if isinstance(reason, Exception) else self.refused(reason))

    def _say(self, said: Exception | bool) -> None:
        if not self._entered:
            raise self.misused(_WITHOUT)
        self._said = said

    def __enter__(self) -> Response:
        if self.report is None:
            raise self.misused(_WITHOUT)
        self._entered = True
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, _: object) -> bool:
        """Report the request, and let go what the block raised: that is the code's failure, unless it refuses."""
        if self.report is None:
            return False
        refused = self._said is None and isinstance(value, self.refusals)
        if isinstance(self._said, Exception):
            self.conclude(self._said)
        else:
            self.conclude(value if refused else None if self._said else self.error)  # type: ignore[arg-type]
        return kind is None or refused

    def conclude(self, error: Exception | None) -> None:
        """Report the request as this, where that was left to the user's code."""
        report, self.report = self.report, None
        if report is not None:
            report(error)
