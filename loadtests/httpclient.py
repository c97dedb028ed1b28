"""An HTTP client without a socket: what goes out for a request, redirects and all, and what is made of its replies."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from functools import lru_cache, partial
from typing import Any, ClassVar
from urllib.parse import SplitResult

from loadtests.duration import NS_PER_S
from loadtests.foreign import NO_PROXY
from loadtests.httpcalls import Answer, HttpCalls
from loadtests.httpreply import BadAnswerError, ReplyReader
from loadtests.httpresponse import BadStatusError, Response
from loadtests.redirect import redirect_target, redirected
from loadtests.sessionwriter import SessionWriter
from loadtests.tls import tls_context

__all__ = ["HttpClient", "Report"]

_tls_context = lru_cache(tls_context)  # users share one, with its trusted certificates
Report = Callable[[Response, Exception | None], None]


class HttpClient(SessionWriter, HttpCalls[Answer]):
    """Writes requests and makes responses of replies; whoever has the sockets carries them to and fro.

    Each request is asked for once, and then answered or failed; it is reported once, when its outcome is certain.

    Args:
        base_url: see :class:`SessionWriter`, as of the headers.
        begin: is told as a request begins, and may say that it was intended before.
        report: takes the response, and what went wrong, if anything.
        timeout_s: of a whole request, redirects included, where the request has none of its own.
        headers: of every request.
        verify: whether certificates are.
        cert: the client's own certificate file, or it and its key.
        max_redirects: to follow for one request.

    """

    response_class: ClassVar[type[Response]] = Response

    def __init__(
        self,
        base_url: str,
        begin: Callable[[Response], None],
        report: Report,
        *,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
        verify: bool = True,
        cert: str | tuple[str, str] | None = None,
        max_redirects: int = 30,
    ) -> None:
        super().__init__(base_url, headers)
        self.request_name: str | None = None
        self._begin, self._report = begin, report
        self._timeout_s, self._verify, self._cert, self._max_redirects = timeout_s, verify, cert, max_redirects
        self.closed = False  # connections are kept for other requests

    @contextmanager
    def rename_request(self, name: str) -> Iterator[None]:
        """Requests in the block go by one name."""
        self.request_name = name
        try:
            yield
        finally:
            self.request_name = None

    def ask(self, method: str, url: str, how: dict[str, Any]) -> Response:
        """Begin a request; ``how`` is what :meth:`HttpCalls.request` takes.

        Raises:
            ValueError: when the request itself cannot be written.

        """
        asked = self.response_class()
        asked.method, asked.report = method, None
        asked.name = (how.pop("name", None) if how else None) or self.request_name or url
        timeout_s = self._timeout_s
        if how:
            timeout_s = self._prepare(asked, url, **how)
        else:
            asked.written = self._ready[method].get(url) or self._plain(method, url)
        asked.intended_ns = asked.started_ns = now_ns = time.monotonic_ns()
        asked.deadline_s = now_ns / NS_PER_S + timeout_s
        begin = self._begin  # Python looks first for a method of a name that is called, and this is none
        begin(asked)
        return asked

    def _prepare(
        self,
        asked: Response,
        url: str,
        *,
        data: str | bytes | Mapping[str, Any] | Iterable[bytes] | None = None,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = True,
        catch_response: bool = False,
        context: Mapping[str, Any] | None = None,
        proxies: None = None,
    ) -> float:
        """What it has of its own; its time-out in seconds."""
        if proxies is not None:
            raise TypeError(f"proxies= is not known to this client: {NO_PROXY}")
        asked.written = self._written(asked.method, url, data, json, params, headers, auth)
        asked.follows = allow_redirects
        if catch_response:
            asked.report = partial(self._report, asked)
        if context:
            asked.context = context
        return self._timeout_s if timeout is None else timeout

    def answered(self, asked: Response, reply: ReplyReader, ended_ns: int) -> bool:
        """The reply had come at ``ended_ns``: it is to be concluded; False when there is more to send first.

        Raises:
            BadAnswerError: when it leads nowhere, or on for ever.

        """
        status, head, body = reply.status, reply.head, reply.body
        reply.head = reply.body = b""  # a connection may be idle for long
        if reply.sets_cookie:
            self._cookies.keep(head, asked.url)
        asked.status_code, asked.head = status, head
        asked.body, asked.size_bytes = body, len(body)
        asked.ended_ns = ended_ns
        asked.error = BadStatusError(f"{status} for {asked.url}") if status >= 400 else None
        if 300 <= status < 400 and asked.follows and (target := redirect_target(status, head)):
            self._redirect(asked, target)
            return False
        return True

    def concluded(self, asked: Response) -> None:
        """Report it, or leave that to a with-block. What this raises is a listener's own, and no failure of it."""
        if asked.report is None:
            report = self._report  # as of begin
            report(asked, asked.error)

    def _redirect(self, asked: Response, target: bytes) -> None:
        """It leads on; what was asked so far is history."""
        hop = copy(asked)
        hop.history, hop.report = (), None
        asked.history = [*asked.history, hop]
        if len(asked.history) > self._max_redirects:
            raise BadAnswerError(f"redirected more than {self._max_redirects} times")
        try:
            asked.written = self._write(redirected(asked.request, asked.status_code, target))
        except ValueError as error:  # what cannot be written here is the server's fault
            raise BadAnswerError(f"redirected to {target.decode('latin-1')!r}: {error}") from error

    def failed(self, asked: Response, problem: Exception, ended_ns: int = 0) -> None:
        """It went wrong, at ``ended_ns`` where that is known: what is of a reply before this one is not."""
        asked.status_code, asked.head, asked.body, asked.size_bytes = 0, b"", b"", 0
        asked.ended_ns, asked.error = ended_ns if ended_ns >= asked.started_ns else time.monotonic_ns(), problem
        self.concluded(asked)

    def cut_short(self, asked: Response, problem: Exception) -> None:
        """As :meth:`failed`, where no code will hear of it that could say what it was."""
        self.failed(asked, problem)
        asked.conclude(problem)

    def tls(self, parts: SplitResult) -> ssl.SSLContext | None:
        """The context of an https origin."""
        return _tls_context(self._verify, self._cert) if parts.scheme == "https" else None

    def close(self) -> None:
        """Close every connection that is idle, and each of the others when it has its answer."""
        self.closed = True
        for idle in self._idle.values():
            while idle:
                idle.pop().close()
