"""The requests of one session, written: its address, headers, cookies and credentials are in all of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, MutableMapping
from functools import partial
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from loadtests.asked import Request, Written
from loadtests.httpcookies import Cookies
from loadtests.httpheaders import UsualHeaders
from loadtests.httprequest import RequestWriter, basic_auth, request_body, request_target, with_params
from loadtests.memo import Memo

__all__ = ["SessionWriter"]

MOST_KEPT = 32
"""Addresses that a session keeps of those it asked for; a load may have thousands that walk over millions."""
_USUAL = {"User-Agent": "loadtests", "Accept": "*/*", "Accept-Encoding": "gzip, deflate, br"}
_WHOLE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
"""What a whole URL begins with; a path may have one in its query."""


class SessionWriter:
    """Writes what goes out, once where it is the same again.

    Args:
        base_url: stands before every path; a name and password in it are sent as Basic authentication.
        headers: of every request.

    """

    def __init__(self, base_url: str, headers: Mapping[str, str] | None) -> None:
        parts = urlsplit(base_url)
        self._auth: tuple[str, str] | None = None
        if parts.username is not None:
            base_url = base_url.replace(f"{parts.netloc.rpartition('@')[0]}@", "", 1)
            self._auth = (unquote(parts.username), unquote(parts.password or ""))
        self._base_url = base_url.rstrip("/")
        self._cookies = Cookies(self._forget)
        self.cookies = self.cookiejar = self._cookies.jar
        self._split: Memo[str, SplitResult] = Memo(MOST_KEPT)
        self._idle: dict[tuple[str, str], list[Any]] = {}
        self.headers = {**_USUAL, **(headers or {})}

    @property
    def base_url(self) -> str:
        """Stands before every path."""
        return self._base_url

    @base_url.setter
    def base_url(self, url: str) -> None:
        self._base_url = url
        self._forget()

    @property
    def headers(self) -> MutableMapping[str, str]:
        """Of every request."""
        return self._headers

    @headers.setter
    def headers(self, fields: Mapping[str, str]) -> None:
        self._headers = UsualHeaders(fields, self._forget)
        self._forget()

    def _forget(self) -> None:
        """What all requests have in common is not what it was."""
        self._usual = dict(self._headers)
        self._writers: dict[tuple[str, str], RequestWriter] = {}
        self._ready: defaultdict[str, Memo[str, Written]] = defaultdict(partial(Memo, MOST_KEPT))

    def _plain(self, method: str, url: str) -> Written:
        """A request with nothing of its own; it is ready then for the next time."""
        written = self._write(self._request(method, url))
        if not self._cookies.any:
            self._ready[method].keep(url, written)
        return written

    def _written(
        self,
        method: str,
        url: str,
        data: str | bytes | Mapping[str, Any] | Iterable[bytes] | None,
        json: Any,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
        auth: tuple[str, str] | None,
    ) -> Written:
        """Any request."""
        if data is None and json is None and not (params or headers or auth):
            return self._ready[method].get(url) or self._plain(method, url)
        return self._write(self._request(method, with_params(url, params), data, json, headers, auth))

    def _request(
        self,
        method: str,
        url: str,
        data: Any = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> Request:
        own = dict(headers or {})
        body = request_body(data, json, own)
        auth = self._auth if auth is None and not _WHOLE.match(url) else auth
        if auth is not None and "Authorization" not in own:
            own["Authorization"] = basic_auth(auth)
        return Request(method, url if _WHOLE.match(url) else self._base_url + url, own, body, self._usual)

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
        writer = self._writers.get(origin) if usual is self._usual else None
        if writer is None:
            writer = RequestWriter(parts.netloc.rpartition("@")[2], usual)
        if usual is self._usual:
            self._writers[origin] = writer
        wire = writer.write(method, request_target(parts.path, parts.query), headers, body)
        return Written(Request(method, url, headers, body, usual), parts, wire, self._idle.setdefault(origin, []))
