"""Where a reply sends a request on to, and what of it goes there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urljoin

from loadtests.asked import Request
from loadtests.httpreply import fields_of
from loadtests.httprequest import origin
from loadtests.redaction import is_secret

__all__ = ["redirect_target", "redirected"]

_REDIRECTS = {301, 302, 303, 307, 308}


def redirect_target(status: int, head: bytes) -> bytes | None:
    """What a reply's Location says; None where it is no redirect."""
    if status not in _REDIRECTS:
        return None
    return next((value for known, value in fields_of(head) if known.lower() == b"location"), None)


def redirected(request: Request, status: int, target: bytes) -> Request:
    """The request that a redirect asks for.

    Where it leads to another origin, fields with security implications stay behind, "not limited to Authorization and
    Cookie" (RFC 9110, section 15.4). curl drops those two, Go and urllib3 Proxy-Authorization as well; an X-API-Key is
    no more meant for another origin, so here it is whatever a run's files would not show. A Cookie of the request's own
    was for one address.

    Raises:
        ValueError: when the target is no URL.

    """
    method, url, headers, body, usual = request
    there = urljoin(url, target.decode("latin-1"))
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, body = "GET", None
        headers = _without(lambda name: name.startswith(("content-", "transfer-")), headers)
    headers = _without(lambda name: name == "cookie", headers)
    if origin(there) != origin(url):
        headers, usual = _without(is_secret, headers), _without(is_secret, usual)
    return Request(method, there, headers, body, usual)


def _without(left_behind: Callable[[str], bool], headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if not left_behind(name.lower())}
