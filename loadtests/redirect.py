"""Where a reply sends a request on to, and what of it goes there."""

from __future__ import annotations

from collections.abc import Mapping, Set
from urllib.parse import urljoin, urlsplit

from loadtests.httpreply import Reply
from loadtests.httpresponse import Request

__all__ = ["redirect_target", "redirected"]

_REDIRECTS = {301, 302, 303, 307, 308}


def redirect_target(reply: Reply) -> bytes | None:
    """What its Location says; None where it is no redirect."""
    if reply.status not in _REDIRECTS:
        return None
    return next((value for known, value in reply.headers if known.lower() == b"location"), None)


def redirected(request: Request, status: int, target: bytes) -> Request:
    """The request that a redirect asks for (RFC 9110, section 15.4); secrets stay with their origin."""
    method, url, headers, body, usual = request
    there = urljoin(url, target.decode("latin-1"))
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, body = "GET", None
        headers = {name: value for name, value in headers.items() if not name.lower().startswith("content-")}
    headers = _without({"cookie"}, headers)
    if urlsplit(there)[:2] != urlsplit(url)[:2]:
        headers, usual = _without({"authorization"}, headers), _without({"authorization", "cookie"}, usual)
    return Request(method, there, headers, body, usual)


def _without(names: Set[str], headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in names}
