"""`/ws/agents`: who comes in, and all who are in."""

from functools import partial
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from portal.credentials import API_KEY_HEADER, authenticate, bearer, demand_channel
from portal.presence import Presence
from portal.principal import AccessError, Principal
from portal.problems import Problem
from portal.rate import Buckets
from portal.services import Services
from portal.session import ABUSE, REVOKED, Closing, Session


class AgentSockets:
    """The ASGI application behind `/ws/agents`.

    A token or an API key is asked for before the handshake. Without a valid one there is no socket: HTTP 403, as a
    problem.
    """

    def __init__(self, frames: Buckets | None = None) -> None:
        self._frames = frames  # one bucket per principal, who may have many sockets
        self.open: set[Session] = set()
        """The sockets accepted and not ended."""
        self.presence = Presence()
        self._credentials: dict[Session, str] = {}

    @property
    def frames_queued(self) -> int:
        """How many frames wait, over all sockets."""
        return sum(session.frames_queued for session in self.open)

    def close(self, closing: Closing) -> None:
        """Close every socket."""
        for session in self.open:
            session.close(closing)

    def revoke(self, credential: str) -> None:
        """Close the sockets that a credential opened."""
        for session, its in self._credentials.items():
            if its == credential:
                session.close(REVOKED)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket."""
        services: Services = scope["app"].state.services
        await receive()  # websocket.connect
        try:
            principal = await _principal(services, scope)
        except AccessError as error:
            await _deny(scope, receive, send, 403, str(error))
            return
        if not services.fanout.is_connected:
            await _deny(scope, receive, send, 503, "events do not arrive here at the moment")
            return
        target, request_id = f"WS {scope['path']}", Headers(scope=scope).get("X-Request-ID")
        may = partial(demand_channel, services, principal, target=target, request_id=request_id)
        session = Session(
            services.hub,
            services.settings,
            receive,
            send,
            may,
            services.fanout,
            self.presence,
            partial(self._admit, principal.who),
        )
        self.open.add(session)  # before it is accepted, or it could miss that all are closed
        self._credentials[session] = principal.credential
        self.presence.enter(principal.who)
        try:
            await send({"type": "websocket.accept"})
            await session.run()
        finally:
            self.open.discard(session)
            del self._credentials[session]
            self.presence.leave(principal.who)

    def _admit(self, who: str) -> None:
        if self._frames is None or (level := self._frames.take(who)).allowed:
            return
        rate = self._frames.rate
        raise AccessError(
            f"too many frames: {rate.count} in {rate.period_s} s are allowed, try again in {level.retry_after_s} s",
            status=429,
        )


async def _principal(services: Services, scope: Scope) -> Principal:
    headers = Headers(scope=scope)
    values: list[str] = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
    if values and "Authorization" not in headers and API_KEY_HEADER not in headers:
        return bearer(services, values[0])
    return await authenticate(services, headers)


async def _deny(scope: Scope, receive: Receive, send: Send, status: int, detail: str) -> None:
    if "websocket.http.response" in scope.get("extensions", {}):
        await Problem(status, scope["path"], detail)(scope, receive, send)
    else:  # the server then answers a bare 403 itself
        await send({"type": "websocket.close", "code": ABUSE.code, "reason": detail})
