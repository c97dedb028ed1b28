"""A laboratory switch: one route made slower, and no other.

`PORTAL_SLOW="GET /api/v1/agents/{agent_id}=250ms; POST /api/v1/tasks=1.5s"` delays the answers of those routes, so that
a load test can be shown a known regression. The route is named by its template, exactly as the portal declares it.
"""

import asyncio
import difflib
import re
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_DELAY = re.compile(r"(?P<method>[A-Z]+) +(?P<path>/[^\s=]*) *= *(?P<number>\d+(?:\.\d+)?) *(?P<unit>ms|s)")
_UNIT_S = {"ms": 0.001, "s": 1.0}


class SlowError(ValueError):
    """A delay that cannot be read, or names a route that does not exist."""


@dataclass(frozen=True)
class Delay:
    """One route and how long its answers are held back."""

    method: str
    path: str
    seconds: float

    @property
    def route(self) -> str:
        """The route as series are named: `GET /api/v1/agents/{agent_id}`."""
        return f"{self.method} {self.path}"


def parse_delays(text: str) -> tuple[Delay, ...]:
    """Read `METHOD template=duration`, several separated by `;`, each route once."""
    delays: dict[str, Delay] = {}
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        match = _DELAY.fullmatch(part)
        if match is None:
            raise SlowError(f"{part!r} is not of the form 'GET /api/v1/agents/{{agent_id}}=250ms'")
        seconds = float(match["number"]) * _UNIT_S[match["unit"]]
        delay = Delay(match["method"], match["path"], seconds)
        if delay.route in delays:
            raise SlowError(f"{delay.route!r} is named twice")
        delays[delay.route] = delay
    return tuple(delays.values())


def check_delays(delays: Iterable[Delay], routes: Collection[str]) -> None:
    """Refuse a delay whose route is not among `routes`, and name the nearest that is."""
    for delay in delays:
        check_route(delay.route, routes)


def check_route(route: str, routes: Collection[str]) -> None:
    """Refuse a route that is not among `routes`, and name the nearest that is."""
    if route not in routes:
        near = difflib.get_close_matches(route, routes, n=1)
        hint = f"; the nearest is {near[0]!r}" if near else ""
        raise SlowError(f"no route {route!r}{hint}")


class Slow:
    """ASGI middleware that holds back the answers of the named routes.

    It stands outside the router, where the route is not known yet; but the router writes its choice into the scope
    before any answer begins. So the delay sits in `send`, before the first byte, when no database connection is held.
    """

    def __init__(
        self, app: ASGIApp, delays: Iterable[Delay], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._app = app
        self._seconds = {(delay.method, delay.path): delay.seconds for delay in delays}
        self._sleep = sleep

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_late(message: Message) -> None:
            if message["type"] == "http.response.start":
                path = getattr(scope.get("route"), "path", "")
                seconds = self._seconds.get((scope["method"], path))
                if seconds is not None:
                    await self._sleep(seconds)
            await send(message)

        await self._app(scope, receive, send_late)
