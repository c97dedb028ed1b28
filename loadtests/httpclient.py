"""An HTTP client without a socket: what goes out for a request, redirects and all, and what is made of its replies."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any, ClassVar
from urllib.parse import SplitResult, unquote, urlsplit

from loadtests.asked import NO_CONTEXT, Asked, Written
from loadtests.duration import NS_PER_S
from loadtests.foreign import NO_PROXY
from loadtests.httpcalls import Answer, HttpCalls
from loadtests.httpcookies import Cookies
from loadtests.httpreply import BadAnswerError, Reply
from loadtests.httprequest import RequestWriter, basic_auth, request_body, request_target, with_params
from loadtests.httpresponse import Request, Response
from loadtests.memo import Memo
from loadtests.redirect import redirect_target, redirected
from loadtests.tls import tls_context

__all__ = ["HttpClient", "Report"]

_tls_context = lru_cache(tls_context)  # users share one, with its trusted certificates
MOST_KEPT = 32
"""Addresses that a session keeps of those it asked for; a load may have thousands that walk over millions."""
_USUAL = {"User-Agent": "loadtests", "Accept": "*/*", "Accept-Encoding": "gzip, deflate, br"}
_WHOLE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
"""What a whole URL begins with; a path may have one in its query."""
Report = Callable[[Response, Asked, Exception | None], None]


class HttpClient(HttpCalls[Answer]):
    """Writes requests and makes responses of replies; whoever has the sockets carries them to and fro.

    Each request is asked for once, and then answered or failed; it is reported once, when its outcome is certain.

    Args:
        base_url: stands before every path; a name and password in it are sent as Basic authentication.
        begin: is told as a request begins, and may say that it was intended before.
        report: takes the response, what was asked, and what went wrong, if anything.
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
        begin: Callable[[Asked], None],
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
        self._ready: Memo[tuple[str, str, str], Written] = Memo(MOST_KEPT)  # with nothing of their own
        self._written_for: dict[str, str] = {}
        self._split: Memo[str, SplitResult] = Memo(MOST_KEPT)
        self._idle: dict[tuple[str, str], list[Any]] = {}
        self.closed = False  # connections are kept for other requests

    @contextmanager
    def rename_request(self, name: str) -> Iterator[None]:
        """Requests in the block go by one name."""
        self.request_name = name
        try:
            yield
        finally:
            self.request_name = None

    def ask(self, method: str, url: str, how: dict[str, Any]) -> Asked:
        """Begin a request; ``how`` is what :meth:`HttpCalls.request` takes.

        Raises:
            ValueError: when the request itself cannot be written.

        """
        name = how.pop("name", None) or self.request_name or url
        return self._ask(method, url, name, **how) if how else self._begun(method, name, self._plain(method, url))

    def _ask(
        self,
        method: str,
        url: str,
        name: str,
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
    ) -> Asked:
        if proxies is not None:
            raise TypeError(f"proxies= is not known to this client: {NO_PROXY}")
        if data is None and json is None and not (params or headers or auth):
            written = self._plain(method, url)
        else:
            written = self._write(self._request(method, with_params(url, params), data, json, headers, auth))
        asked = self._begun(method, name, written, timeout, context or NO_CONTEXT)
        asked.follows, asked.caught = allow_redirects, catch_response
        return asked

    def _begun(
        self,
        method: str,
        name: str,
        written: Written,
        timeout_s: float | None = None,
        context: Mapping[str, Any] = NO_CONTEXT,
    ) -> Asked:
        now_ns = time.monotonic_ns()
        deadline_s = now_ns / NS_PER_S + (self._timeout_s if timeout_s is None else timeout_s)
        asked = Asked(method, name, written, now_ns, deadline_s, context)
        self._begin(asked)
        return asked

    def _plain(self, method: str, url: str) -> Written:
        """A request with nothing of its own."""
        ready = self._written_for == self.headers and not self._cookies.any
        what = method, url, self.base_url
        written = self._ready.get(what) if ready else None
        if written is None:
            written = self._write(self._request(method, url, None, None, None, None))
            if not self._cookies.any:
                self._ready.keep(what, written)
        return written

    def answered(self, asked: Asked, reply: Reply, ended_ns: int) -> Response | None:
        """The reply had come at ``ended_ns``: what is to be concluded; None when there is more to send first.

        Raises:
            BadAnswerError: when it leads nowhere, or on for ever.

        """
        request = asked.written.request
        if reply.may_have(b"set-cookie"):
            self._cookies.keep(reply, request.url)
        if 300 <= reply.status < 400 and asked.follows and (target := redirect_target(reply)):
            asked.past = asked.past or []
            asked.past.append(self.response_class(request, reply, None, asked.started_ns, ended_ns))
            if len(asked.past) > self._max_redirects:
                raise BadAnswerError(f"redirected more than {self._max_redirects} times")
            asked.written = self._write_redirected(request, reply.status, target)
            return None
        return self.response_class(request, reply, None, asked.started_ns, ended_ns)

    def failed(self, asked: Asked, problem: Exception, ended_ns: int = 0) -> Response:
        """It went wrong, at ``ended_ns`` where that is known: what is of a reply before this one is not."""
        if ended_ns < asked.started_ns:
            ended_ns = time.monotonic_ns()
        request = asked.written.request
        return self.concluded(asked, self.response_class(request, None, problem, asked.started_ns, ended_ns))

    def cut_short(self, asked: Asked, problem: Exception) -> None:
        """As :meth:`failed`, where no code will hear of it that could say what it was."""
        self.failed(asked, problem).conclude(problem)

    def concluded(self, asked: Asked, response: Response) -> Response:
        """Report it, or leave that to a with-block. What this raises is a listener's own, and no failure of it."""
        if asked.past:
            response.history = asked.past
        if asked.caught:
            response.report = partial(self._report, response, asked)
        else:
            self._report(response, asked, response.error)
        return response

    def _request(
        self, method: str, url: str, data: Any, json: Any, headers: Mapping[str, str] | None, auth: Any
    ) -> Request:
        own = dict(headers or {})
        body = request_body(data, json, own)
        auth = self._auth if auth is None and not _WHOLE.match(url) else auth
        if auth is not None and "Authorization" not in own:
            own["Authorization"] = basic_auth(auth)
        if self._written_for != self.headers:
            self._written_for, self._writers, self._ready = dict(self.headers), {}, Memo(MOST_KEPT)
        return Request(method, url if _WHOLE.match(url) else self.base_url + url, own, body, self._written_for)

    def _write(self, request: Request) -> Written:
        """The request with its cookies; ValueError when it cannot be written."""
        method, url, headers, body, usual = request
        parts = self._split.get(url)
        if parts is None:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:  # over 65535 raises
                raise ValueError(f"{url}: expected http://HOST[:PORT]/PATH or https://...")
            parts.hostname.encode("idna")  # raises where there can be no such name
            self._split.keep(url, parts)
        cookie = self._cookies.sent_to(url)
        if cookie and not any(name.lower() == "cookie" for name in headers):
            headers = {**headers, "Cookie": cookie}
        origin = (parts.scheme, parts.netloc)
        writer = self._writers.get(origin) if usual is self._written_for else None
        if writer is None:
            writer = RequestWriter(parts.netloc.rpartition("@")[2], usual)
        if usual is self._written_for:
            self._writers[origin] = writer
        wire = writer.write(method, request_target(parts.path, parts.query), headers, body)
        return Written(Request(method, url, headers, body, usual), parts, wire, self._idle.setdefault(origin, []))

    def _write_redirected(self, request: Request, status: int, target: bytes) -> Written:
        """As :meth:`_write`; what cannot be written here is the server's fault."""
        try:
            return self._write(redirected(request, status, target))
        except ValueError as error:
            raise BadAnswerError(f"redirected to {target.decode('latin-1')!r}: {error}") from error

    def tls(self, parts: SplitResult) -> ssl.SSLContext | None:
        """The context of an https origin."""
        return _tls_context(self._verify, self._cert) if parts.scheme == "https" else None

    def close(self) -> None:
        """Close every connection that is idle, and each of the others when it has its answer."""
        self.closed = True
        for idle in self._idle.values():
            while idle:
                idle.pop().close()
