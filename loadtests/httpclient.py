"""An HTTP client without a socket: what goes out for a request, redirects and all, and what is made of its replies."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, ClassVar
from urllib.parse import SplitResult, unquote, urlsplit

from loadtests.duration import NS_PER_S
from loadtests.httpcalls import Answer, HttpCalls
from loadtests.httpcookies import Cookies
from loadtests.httpreply import BadAnswerError, Reply, TruncatedError
from loadtests.httprequest import RequestWriter, basic_auth, request_body, request_target, with_params
from loadtests.httpresponse import BadStatusError, Request, Response
from loadtests.redirect import redirect_target, redirected
from loadtests.tls import tls_context

__all__ = ["Conversation", "Exchange", "HttpClient", "Report"]

_tls_context = lru_cache(tls_context)  # users share one, with its trusted certificates
MOST_KEPT = 32
"""Addresses that a session keeps of those it asked for; a load may have thousands that walk over millions."""
_USUAL = {"User-Agent": "loadtests", "Accept": "*/*", "Accept-Encoding": "gzip, deflate, br"}
Report = Callable[[Response, str, str, Mapping[str, Any], Exception | None], None]


Exchange = tuple[str, SplitResult, bytes, float]
"""One request to send: method, where to, its bytes, and until when of ``time.monotonic`` a reply is awaited."""
Conversation = Generator[Exchange, tuple[Reply, int], Response]
"""Asks for exchanges; is sent each reply and when it had come (ns), or what went wrong is thrown into it."""


class HttpClient(HttpCalls[Answer]):
    """Holds conversations; each is reported once, when its outcome is certain.

    Args:
        base_url: stands before every path; a name and password in it are sent as Basic authentication.
        begin: called as a request begins; what it returns goes with the report.
        report: takes response, method, name, what ``begin`` gave, and what went wrong, if anything.
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
        begin: Callable[[], Mapping[str, Any]],
        report: Report,
        *,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
        verify: bool = True,
        cert: str | tuple[str, str] | None = None,
        max_redirects: int = 30,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.username is not None:
            base_url = base_url.replace(f"{parts.netloc.rpartition('@')[0]}@", "", 1)
        self.base_url = base_url.rstrip("/")
        self.request_name: str | None = None
        self._cookies = Cookies()
        self.cookies = self.cookiejar = self._cookies.jar
        self.headers = {**_USUAL, **(headers or {})}
        self._auth: tuple[str, str] | None = None
        if parts.username is not None:
            self._auth = (unquote(parts.username), unquote(parts.password or ""))
        self._begin, self._report = begin, report
        self._timeout_s, self._verify, self._cert, self._max_redirects = timeout_s, verify, cert, max_redirects
        self._writers: dict[tuple[str, str], RequestWriter] = {}
        self._ready: dict[
            tuple[str, str, str], tuple[Request, SplitResult, bytes]
        ] = {}  # written with nothing of their own
        self._written_for: dict[str, str] = {}
        self._split: dict[str, SplitResult] = {}
        self._idle: dict[tuple[str, str], list[Any]] = {}

    @contextmanager
    def rename_request(self, name: str) -> Iterator[None]:
        """Requests in the block go by one name."""
        self.request_name = name
        try:
            yield
        finally:
            self.request_name = None

    def converse(
        self,
        method: str,
        url: str,
        *,
        name: str | None = None,
        data: str | bytes | Mapping[str, Any] | None = None,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = True,
        catch_response: bool = False,
        context: Mapping[str, Any] | None = None,
    ) -> Conversation:
        """Of one request and its redirects; what went wrong, if anything did, is the response's ``error``.

        Args:
            method: such as GET.
            url: a path after the base URL, or a whole URL.
            name: what the request goes by, instead of its path.
            data: the body; a mapping is sent as a form.
            json: a body to be sent as JSON, when there is no ``data``.
            params: added to the query.
            headers: beside the session's, and before them.
            auth: name and password, for Basic authentication.
            timeout: of the whole request, seconds.
            allow_redirects: follow them.
            catch_response: use the response in a with-block, and say there what the request was.
            context: for listeners of Locust's request event.

        Raises:
            ValueError: when the request itself cannot be written.

        """
        plain = data is None and json is None and not (params or headers or auth or self._cookies.any)
        what = method, url, self.base_url
        ready = self._ready.get(what) if plain and self._written_for == self.headers else None
        if ready is None:
            ready = self._write(self._asked(method, with_params(url, params), data, json, headers, auth))
            if plain:
                _keep(self._ready, what, ready)
        request, where, written = ready
        name, began = name or self.request_name or url, self._begin()
        started_ns = time.monotonic_ns()
        deadline_s = started_ns / NS_PER_S + (self._timeout_s if timeout is None else timeout)
        error: Exception | None = None
        past: list[Response] = []
        try:
            reply, ended_ns = yield request.method, where, written, deadline_s
            self._cookies.keep(reply, request.url)
            while allow_redirects and (target := redirect_target(reply)):
                past.append(self.response_class(request, reply, None, started_ns, ended_ns))
                if len(past) > self._max_redirects:
                    raise BadAnswerError(f"redirected more than {self._max_redirects} times")
                request, where, written = self._write_redirected(request, reply.status, target)
                reply, ended_ns = yield request.method, where, written, deadline_s
                self._cookies.keep(reply, request.url)
        except (OSError, BadAnswerError, TruncatedError) as problem:
            reply, error, ended_ns = None, problem, time.monotonic_ns()
        if reply is not None and reply.status >= 400:
            error = BadStatusError(f"{reply.status} for {request.url}")
        given = {**began, **context} if context else began
        response = self.response_class(request, reply, error, started_ns, ended_ns)
        if past:
            response.history = past
        if catch_response:
            response.report = self._report, method, name, given
        else:
            self._report(response, method, name, given, error)
        return response

    def _asked(
        self, method: str, url: str, data: Any, json: Any, headers: Mapping[str, str] | None, auth: Any
    ) -> Request:
        own = dict(headers or {})
        body = request_body(data, json, own)
        auth = self._auth if auth is None and "://" not in url else auth
        if auth is not None and "Authorization" not in own:
            own["Authorization"] = basic_auth(auth)
        if self._written_for != self.headers:
            self._written_for, self._writers, self._ready = dict(self.headers), {}, {}
        return Request(method, url if "://" in url else self.base_url + url, own, body, self._written_for)

    def _write(self, request: Request) -> tuple[Request, SplitResult, bytes]:
        """The request with its cookies, where it goes, and its bytes; ValueError when it cannot be written."""
        method, url, headers, body, usual = request
        parts = self._split.get(url)
        if parts is None:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:  # over 65535 raises
                raise ValueError(f"{url}: expected http://HOST[:PORT]/PATH or https://...")
            parts.hostname.encode("idna")  # raises where there can be no such name
            _keep(self._split, url, parts)
        cookie = self._cookies.sent_to(url)
        if cookie and not any(name.lower() == "cookie" for name in headers):
            headers = {**headers, "Cookie": cookie}
        origin = (parts.scheme, parts.netloc)
        writer = self._writers.get(origin) if usual is self._written_for else None
        if writer is None:
            writer = RequestWriter(parts.netloc.rpartition("@")[2], usual)
        if usual is self._written_for:
            self._writers[origin] = writer
        written = writer.write(method, request_target(parts.path, parts.query), headers, body)
        return Request(method, url, headers, body, usual), parts, written

    def _write_redirected(self, request: Request, status: int, target: bytes) -> tuple[Request, SplitResult, bytes]:
        """As :meth:`_write`; what cannot be written here is the server's fault."""
        try:
            return self._write(redirected(request, status, target))
        except ValueError as error:
            raise BadAnswerError(f"redirected to {target.decode('latin-1')!r}: {error}") from error

    def tls(self, parts: SplitResult) -> ssl.SSLContext | None:
        """The context of an https origin."""
        return _tls_context(self._verify, self._cert) if parts.scheme == "https" else None

    def close(self) -> None:
        """Close every connection that is idle."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()


def _keep(kept: dict[Any, Any], key: object, value: object) -> None:
    if len(kept) >= MOST_KEPT:
        kept.clear()
    kept[key] = value
