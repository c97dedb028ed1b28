"""What an MCP request needs, as the REST routes of the same name do."""

from collections.abc import Mapping
from typing import Any

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp_types import INVALID_REQUEST

from portal.credentials import demand
from portal.principal import AccessError, Principal, Scope
from portal.services import Services

_TOOLS: dict[str, Scope] = {
    "list_agents": "agents:read",
    "get_agent": "agents:read",
    "assign_task": "tasks:write",
    "run_command": "agents:write",
}
_RESOURCES: dict[str, Scope] = {"portal://agents/": "agents:read", "portal://tasks/": "tasks:read"}


def needed(method: str, params: Mapping[str, Any]) -> Scope | None:
    """Return the scope that a request asks for, None for one that touches no row."""
    if method == "tools/call":
        return _TOOLS.get(str(params.get("name")))
    if method == "resources/read":
        uri = str(params.get("uri"))
        return next((scope for prefix, scope in _RESOURCES.items() if uri.startswith(prefix)), None)
    return None


class Scopes:
    """Middleware of the MCP server: refuses what the request's principal may not do."""

    def __init__(self, portal: Services) -> None:
        self._portal = portal

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Handle one request."""
        scope = needed(ctx.method, ctx.params or {})
        if scope is not None and ctx.request is not None:
            principal: Principal = ctx.request.scope["principal"]
            try:
                demand(self._portal, principal, scope, f"MCP {ctx.method}")
            except AccessError as error:
                raise MCPError(INVALID_REQUEST, str(error)) from error
        return await call_next(ctx)
