"""A rate limit for all of HTTP: per principal, and per address for whoever has not signed in."""

from collections.abc import Callable, Hashable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from portal.credentials import authenticate
from portal.principal import AccessError
from portal.problems import Problem
from portal.rate import Buckets, Level, Rate

UNLIMITED = frozenset({"/healthz", "/readyz"})
"""Paths that those ask who watch whether the portal lives."""


class RateLimit:
    """ASGI middleware that answers 429 to who asks too often, and tells everyone how far they are from it."""

    def __init__(self, app: ASGIApp, rate: Rate, monotonic_ns: Callable[[], int]) -> None:
        self._app = app
        self._buckets = Buckets(rate, monotonic_ns)
        self._policy = f'"default";q={rate.count};w={rate.period_s}'

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in UNLIMITED:
            await self._app(scope, receive, send)
            return
        level = self._buckets.take(await _key(scope))
        if not level.allowed:
            rate = self._buckets.rate
            detail = f"more than {rate.count} requests in {rate.period_s} s"
            headers = self._headers(level) | {"Retry-After": str(level.retry_after_s)}
            await Problem(429, scope["path"], detail, headers)(scope, receive, send)
            return

        async def send_told(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers(level))
            await send(message)

        await self._app(scope, receive, send_told)

    def _headers(self, level: Level) -> dict[str, str]:
        # draft-ietf-httpapi-ratelimit-headers-10
        return {"RateLimit-Policy": self._policy, "RateLimit": f'"default";r={level.remaining};t={level.full_in_s}'}


async def _key(scope: Scope) -> Hashable:
    try:
        principal = await authenticate(scope["app"].state.services, Headers(scope=scope))
    except AccessError:
        return ("address", (scope.get("client") or ("", 0))[0])
    scope["principal"] = principal  # the route need not look again
    return principal.who
