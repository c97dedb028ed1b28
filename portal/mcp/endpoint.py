"""`/mcp`: who is let in, and whose session is whose."""

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecurityMiddleware
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.types import Receive, Scope, Send

from portal.credentials import authenticate
from portal.principal import Principal
from portal.services import services_of
from portal.timing import timed

_REFUSALS = {
    400: "Content-Type must be application/json",
    403: "Origin must be loopback or a name in PORTAL_MCP_HOSTS",
    421: "Host must be loopback or a name in PORTAL_MCP_HOSTS",
}


class McpEndpoint:
    """The ASGI application behind `/mcp`. A token is asked for before anything of the request is read."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        scope["principal"] = principal = await authorize(HTTPConnection(scope))
        sessions: StreamableHTTPSessionManager = scope["app"].state.mcp_sessions
        await check_origin(Request(scope), sessions)
        # The SDK binds a session to its user; the token itself is checked here and goes no further.
        scope["user"] = AuthenticatedUser(
            AccessToken(token="", client_id=principal.who, subject=principal.who, scopes=[])
        )
        await sessions.handle_request(scope, receive, send)


async def authorize(connection: HTTPConnection) -> Principal:
    """Return whom a request comes from, or raise 401, as REST does."""
    known: Principal | None = connection.scope.get("principal")  # the rate limit may have looked already
    if known is not None:
        return known
    with timed("auth"):
        return await authenticate(await services_of(connection), connection.headers)


async def check_origin(request: Request, sessions: StreamableHTTPSessionManager) -> None:
    """Refuse a foreign Host or Origin, and a body that is no JSON, as a problem; the SDK would answer in plain text."""
    checks = TransportSecurityMiddleware(sessions.security_settings)
    refusal = await checks.validate_request(request, is_post=request.method == "POST")
    if refusal is not None:
        raise HTTPException(refusal.status_code, _REFUSALS[refusal.status_code])
