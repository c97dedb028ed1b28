"""An HTTP/1.1 request as bytes (RFC 9112, section 3); what does not change is written once."""

from __future__ import annotations

import json as json_of
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

__all__ = ["RequestWriter", "basic_auth", "request_body", "request_target", "with_params"]

_READY = re.compile(r"[!$%&'()*+,./0-9:;=?@A-Z_a-z~-]*")
"""A target that needs no quoting; a fragment never goes to the server."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BREAKS = re.compile(r"[\r\n\0]")


def with_params(url: str, params: Mapping[str, object] | Iterable[tuple[str, object]] | None) -> str:
    """The URL with ``params`` added to its query; what comes after a # is left behind."""
    if not params:
        return url
    url, more = url.partition("#")[0], list(params.items() if isinstance(params, Mapping) else params)
    return f"{url}{'&' if '?' in url else '?'}{urlencode(more, doseq=True)}"


def request_target(path: str, query: str) -> str:
    """Path and query as they go on the wire."""
    target = f"{path or '/'}?{query}" if query else path or "/"
    return target if _READY.fullmatch(target) else quote(target, safe="!$%&'()*+,./:;=?@_~-")


def request_body(data: Any, json: Any, headers: dict[str, str]) -> bytes | None:
    """The body's bytes: ``data``, or else ``json``; its type is added to the headers unless they have one."""
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


def basic_auth(auth: tuple[str, str]) -> str:
    """What stands in the Authorization field for a name and a password (RFC 7617)."""
    return f"Basic {b64encode(':'.join(auth).encode()).decode()}"


class RequestWriter:
    """Writes requests to one origin.

    Args:
        host: what stands in the Host field.
        headers: that every request has; a request's own win over them.

    Raises:
        ValueError: when a header's name is no token, or its value would end the line.

    """

    def __init__(self, host: str, headers: Mapping[str, str]) -> None:
        self._host = host.encode("ascii")
        self._headers = {name.lower(): _line(name, value) for name, value in headers.items()}
        self._usual = b"".join(self._headers.values())

    def write(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        """One request, whole.

        Raises:
            ValueError: as the class does, also for the method.

        """
        if not _TOKEN.fullmatch(method):
            raise ValueError(f"{method!r} is no HTTP method")
        usual, own, host, sized = self._usual, b"", b"Host: %b\r\n" % self._host, False
        if headers:
            left = self._headers
            for name, value in headers.items():
                lower = name.lower()
                if lower in left:
                    left = {known: line for known, line in left.items() if known != lower}
                    usual = b"".join(left.values())
                if lower == "host":
                    host = b""
                sized |= lower in ("content-length", "transfer-encoding")
                own += _line(name, value)
        if body is not None or method in ("POST", "PUT", "PATCH"):
            body = body or b""
            length = b"" if sized else b"Content-Length: %d\r\n" % len(body)
            own += length
        return b"%b %b HTTP/1.1\r\n%b%b%b\r\n%b" % (method.encode(), target.encode(), host, usual, own, body or b"")


def _line(name: str, value: str) -> bytes:
    text = str(value)
    if not _TOKEN.fullmatch(name) or _BREAKS.search(text):
        raise ValueError(f"{name!r}: {text!r} is no HTTP header; a name is a token, a value is one line")
    return f"{name}: {text}\r\n".encode("latin-1")
