"""A user's HTTP session under Locust: the calls that authors of Locust files know, on connections of its own."""

from __future__ import annotations

import json as json_of
import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, partialmethod
from typing import Any
from urllib.parse import SplitResult, unquote, urlencode, urljoin, urlsplit

from loadtests.httpconnection import Connection
from loadtests.httpcookies import Cookies
from loadtests.httpreply import BadAnswerError, Reply, TruncatedError
from loadtests.httprequest import RequestWriter, request_target
from loadtests.httpresponse import BadStatusError, Request, Response

__all__ = ["HttpSession", "tls_context"]

_REDIRECTS = {301, 302, 303, 307, 308}
_USUAL = {"User-Agent": "loadtests", "Accept": "*/*", "Accept-Encoding": "gzip, deflate, br"}
Report = Callable[[Response, str, str, Mapping[str, Any], Exception | None], None]


@lru_cache
def tls_context(verify: bool, cert: str | tuple[str, str] | None) -> ssl.SSLContext:
    """Certificates are verified unless told otherwise; ``cert`` is the client's own file, or it and its key."""
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if cert:
        context.load_cert_chain(*((cert,) if isinstance(cert, str) else cert))
    return context


class HttpSession:
    """Sends requests; each is reported once, when its outcome is certain.

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
        self._idle: dict[tuple[str, str], list[Connection]] = {}
        self._writers: dict[tuple[str, str], RequestWriter] = {}
        self._written_for: dict[str, str] = {}
        self._split: dict[str, SplitResult] = {}

    @contextmanager
    def rename_request(self, name: str) -> Iterator[None]:
        """Requests in the block go by one name."""
        self.request_name = name
        try:
            yield
        finally:
            self.request_name = None

    def request(
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
    ) -> Response:
        """Send one request and wait for its answer, or for what went wrong: that is the response's ``error``.

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
        began = self._begin()
        started_ns = time.monotonic_ns()
        own = dict(headers) if headers else {}
        body = _body(data, json, own)
        if auth is None and "://" not in url:
            auth = self._auth
        if auth is not None and "Authorization" not in own:
            own["Authorization"] = _basic(auth)
        request = Request(method, url if "://" in url else self.base_url + url, own, body, self.headers)
        deadline_s = time.monotonic() + (self._timeout_s if timeout is None else timeout)
        reply: Reply | None = None
        error: Exception | None = None
        past: list[Response] = []
        try:
            request, reply, ended_ns = self._send(request, params, deadline_s)
            while allow_redirects and reply.status in _REDIRECTS and (target := _field(reply, b"location")):
                past.append(Response(request, reply, None, started_ns, ended_ns, None))
                if len(past) > self._max_redirects:
                    raise BadAnswerError(f"redirected more than {self._max_redirects} times")
                request, reply, ended_ns = self._send(_redirected(request, reply.status, target), None, deadline_s)
        except (OSError, BadAnswerError, TruncatedError) as problem:
            reply, error, ended_ns = None, problem, time.monotonic_ns()
        if reply is not None and reply.status >= 400:
            error = BadStatusError(f"{reply.status} for {request.url}")
        name = name or self.request_name or url

        def report(response: Response, problem: Exception | None) -> None:
            self._report(response, method, name, {**began, **(context or {})}, problem)

        response = Response(request, reply, error, started_ns, ended_ns, report if catch_response else None)
        response.history = past
        if not catch_response:
            self._report(response, method, name, {**began, **context} if context else began, error)
        return response

    get = partialmethod(request, "GET")
    options = partialmethod(request, "OPTIONS")
    head = partialmethod(request, "HEAD")
    delete = partialmethod(request, "DELETE")
    post = partialmethod(request, "POST")
    put = partialmethod(request, "PUT")
    patch = partialmethod(request, "PATCH")

    def close(self) -> None:
        """Close every connection that is idle."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()

    def _send(self, request: Request, params: Any, deadline_s: float) -> tuple[Request, Reply, int]:
        """One request, its reply and when that had come; no redirect is followed."""
        method, url, headers, body, _ = request
        parts = self._split.get(url)
        if parts is None:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"{url}: expected http://HOST[:PORT]/PATH or https://...")
            if len(self._split) < 1000:
                self._split[url] = parts
        cookie = self._cookies.sent_to(url)
        if cookie and not any(name.lower() == "cookie" for name in headers):
            headers = {**headers, "Cookie": cookie}
        origin = (parts.scheme, parts.netloc)
        if self._written_for != self.headers:
            self._written_for, self._writers = dict(self.headers), {}
        writer = self._writers.get(origin)
        if writer is None:
            writer = self._writers[origin] = RequestWriter(parts.netloc.rpartition("@")[2], self.headers)
        written = writer.write(method, request_target(parts.path, parts.query, params), headers, body)
        idle = self._idle.setdefault(origin, [])
        while idle and not idle[-1].usable():
            idle.pop()
        connection = idle.pop() if idle else self._connect(parts, deadline_s)
        reply = connection.exchange(method, written, max(0.0, deadline_s - time.monotonic()))
        if not connection.closed:
            idle.append(connection)
        self._cookies.keep(reply, url)
        return Request(method, url, headers, body, self.headers), reply, connection.ended_ns

    def _connect(self, parts: SplitResult, deadline_s: float) -> Connection:
        tls = tls_context(self._verify, self._cert) if parts.scheme == "https" else None
        port = parts.port or (443 if tls else 80)
        return Connection((str(parts.hostname), port), tls, max(0.001, deadline_s - time.monotonic()))


def _body(data: Any, json: Any, headers: dict[str, str]) -> bytes | None:
    """The body's bytes; its type is told in the headers unless they have one."""
    kind = None
    if data:
        if isinstance(data, Mapping):
            data, kind = urlencode(list(data.items()), doseq=True), "application/x-www-form-urlencoded"
        body: bytes | None = data.encode() if isinstance(data, str) else bytes(data)
    else:
        body, kind = (None, None) if json is None else (json_of.dumps(json).encode(), "application/json")
    if kind and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = kind
    return body


def _redirected(request: Request, status: int, target: bytes) -> Request:
    """The request that a redirect asks for (RFC 9110, section 15.4); secrets stay with their origin."""
    method, url, headers, body, usual = request
    there = urljoin(url, target.decode("latin-1"))
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, body = "GET", None
        headers = {name: value for name, value in headers.items() if not name.lower().startswith("content-")}
    secret = {"cookie"} if urlsplit(there)[:2] == urlsplit(url)[:2] else {"cookie", "authorization"}
    return Request(method, there, {n: v for n, v in headers.items() if n.lower() not in secret}, body, usual)


def _field(reply: Reply, name: bytes) -> bytes | None:
    return next((value for known, value in reply.headers if known.lower() == name), None)


def _basic(auth: tuple[str, str]) -> str:
    return f"Basic {b64encode(':'.join(auth).encode()).decode()}"
