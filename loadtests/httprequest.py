"""An HTTP/1.1 request as bytes (RFC 9112, section 3); what does not change is written once."""

from __future__ import annotations

import json as json_of
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

__all__ = ["Chunks", "RequestWriter", "basic_auth", "origin", "request_body", "request_target", "with_params"]

_READY = re.compile(r"[!$%&'()*+,./0-9:;=?@A-Z_a-z~-]*")
"""A target that needs no quoting; a fragment never goes to the server."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BREAKS = re.compile(r"[\r\n\0]")
_BLANKS = re.compile(r"[\0- \x7f]")
_FRAMING = {"content-length", "transfer-encoding"}
_BYTES = bytes | bytearray | memoryview


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL.

    Raises:
        ValueError: when it is no URL.

    """
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)


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


class Chunks(bytes):
    """A body as it goes on the wire in chunks (RFC 9112, section 7.1), so that a redirect can have it again."""

    @classmethod
    def of(cls, pieces: Iterable[Any]) -> Chunks:
        """A chunk for each piece, which are read to their end before anything is sent.

        Raises:
            ValueError: when one is no bytes.

        """
        framed: list[bytes] = []
        for piece in pieces:
            if not isinstance(piece, _BYTES):
                raise ValueError(f"{piece!r:.40}: a body in pieces is an iterable of bytes")
            if piece := bytes(piece):  # one of no bytes would be the end
                framed += b"%x\r\n" % len(piece), piece, b"\r\n"
        return cls(b"".join((*framed, b"0\r\n\r\n")))


def request_body(data: Any, json: Any, headers: dict[str, str]) -> bytes | None:
    """The body's bytes: ``data``, or else ``json``; its type is added to the headers unless they have one.

    Raises:
        ValueError: when ``data`` is neither text, bytes, a mapping, nor an iterable of bytes.

    """
    kind = None
    if data:
        if isinstance(data, Mapping):
            data, kind = urlencode(list(data.items()), doseq=True), "application/x-www-form-urlencoded"
        if isinstance(data, str):
            body: bytes | None = data.encode()
        elif isinstance(data, _BYTES):
            body = bytes(data)
        elif isinstance(data, Iterable):
            body = Chunks.of(data)
        else:
            raise ValueError(f"{data!r:.40}: a body is text, bytes, a mapping, or an iterable of bytes")
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
        ValueError: when the host is no name, a header's name no token, its value more than a line, or what it says of a
            body's frame is not of that body.

    """

    def __init__(self, host: str, headers: Mapping[str, str]) -> None:
        self._host = _in_ascii(host)
        self._headers = {name.lower(): _line(name, value) for name, value in headers.items()}
        if framing := _FRAMING & self._headers.keys():
            raise ValueError(f"{', '.join(sorted(framing))}: of one body, and these headers are of every request")
        self._usual = b"".join(self._headers.values())

    def write(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        """One request, whole.

        Raises:
            ValueError: as the class does, also for the method.

        """
        if not _TOKEN.fullmatch(method):
            raise ValueError(f"{method!r} is no HTTP method")
        usual, own, host = self._usual, b"", b"Host: %b\r\n" % self._host
        framing: dict[str, str] | None = None
        if headers:
            left = self._headers
            for name, value in headers.items():
                lower = name.lower()
                if lower in left:
                    left = {known: line for known, line in left.items() if known != lower}
                    usual = b"".join(left.values())
                if lower == "host":
                    host = b""
                if lower in _FRAMING:
                    framing = {**(framing or {}), lower: str(value).lower()}
                own += _line(name, value)
        if framing or type(body) is Chunks:
            own += _framed(framing or {}, type(body) is Chunks)
        elif body is not None or method in ("POST", "PUT", "PATCH"):
            own += b"Content-Length: %d\r\n" % len(body or b"")
        return b"%b %b HTTP/1.1\r\n%b%b%b\r\n%b" % (method.encode(), target.encode(), host, usual, own, body or b"")


def _in_ascii(authority: str) -> bytes:
    """A host and its port as they stand in a field: a name of other letters as the DNS knows it (RFC 3490)."""
    if _BLANKS.search(authority):
        raise ValueError(f"{authority!r} is no host")
    if authority.isascii():
        return authority.encode()
    name, colon, port = authority.partition(":")
    return b"%b%b%b" % (name.encode("idna"), colon.encode(), port.encode("ascii"))


def _framed(given: Mapping[str, str], in_chunks: bool) -> bytes:
    """What a request's own headers leave to be said of its body's frame; ValueError where they are not of that body."""
    coding = given.get("transfer-encoding")
    if in_chunks and ("content-length" in given or not (coding or "chunked").endswith("chunked")):
        raise ValueError("a body in pieces is sent in chunks, which are its last coding, and has no Content-Length")
    if coding is not None and not in_chunks:
        raise ValueError("Transfer-Encoding is of a body in pieces: give data as an iterable of bytes")
    return b"Transfer-Encoding: chunked\r\n" if in_chunks and coding is None else b""


def _line(name: str, value: str) -> bytes:
    text = str(value)
    if not _TOKEN.fullmatch(name) or _BREAKS.search(text):
        raise ValueError(f"{name!r}: {text!r} is no HTTP header; a name is a token, a value is one line")
    return f"{name}: {text}\r\n".encode("latin-1")
