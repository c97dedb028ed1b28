"""The portal's own MCP server: tools, resources and a prompt put together."""

import logging
from typing import Any

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import INVALID_PARAMS
from pydantic import TypeAdapter, ValidationError
from starlette.exceptions import HTTPException

from portal import agents, tasks
from portal.mcp.scopes import Scopes
from portal.mcp.tools import LEAVES, READS, WRITES, Tools
from portal.schemas import AgentView, Key, TaskView
from portal.services import Services
from portal.settings import Settings

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

# At INFO the SDK logs session ids, which are half of what opens a session, and a line for each tool error.
logging.getLogger("mcp").setLevel(logging.WARNING)


def make_sessions(portal: Services) -> StreamableHTTPSessionManager:
    """Build the sessions of one running portal; their `run` is entered once."""
    settings = portal.settings
    server = make_server(portal)
    server.streamable_http_app(
        json_response=True,
        max_request_body_size=settings.body_bytes,
        max_sessions=settings.mcp_sessions,
        session_idle_timeout=settings.mcp_idle_s,
        transport_security=_allowed(settings),
    )
    return server.session_manager


def make_server(portal: Services) -> MCPServer[None]:
    """Build the server of one running portal, without a transport."""
    server: MCPServer[None] = MCPServer(
        "portal",
        instructions="Agents are coordinated here. Tasks are given to agents; both are read as resources.",
        version="1",
        log_level="WARNING",
        middleware=[_refuse_clearly, Scopes(portal)],
    )
    tools = Tools(portal)
    server.add_tool(tools.list_agents, annotations=READS)
    server.add_tool(tools.get_agent, annotations=READS)
    server.add_tool(tools.assign_task, annotations=WRITES)
    server.add_tool(tools.run_command, annotations=LEAVES)

    @server.resource("portal://agents/{agent_id}", mime_type="application/json")
    async def agent(agent_id: str) -> str:
        """Read an agent as REST shows it."""
        try:
            return AgentView.model_validate(await agents.find(portal, _key(agent_id))).model_dump_json()
        except HTTPException as error:
            raise ResourceNotFoundError(str(error.detail)) from error

    @server.resource("portal://tasks/{task_id}", mime_type="application/json")
    async def task(task_id: str) -> str:
        """Read a task as REST shows it."""
        try:
            return TaskView.model_validate(await tasks.find(portal, _key(task_id))).model_dump_json()
        except HTTPException as error:
            raise ResourceNotFoundError(str(error.detail)) from error

    @server.prompt()
    async def triage(task_id: str) -> str:
        """Ask which agent should have a task."""
        return (
            f"Read portal://tasks/{_key(task_id)} and list the agents that are idle. Pick the one whose kind fits the "
            "title best, say in one sentence why, and give it the task with assign_task. If the task is done or "
            "failed, or no agent is idle, change nothing and say so."
        )

    return server


async def _refuse_clearly(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Tell a prompt's wrong name or arguments as invalid params; else it has code 0 and a traceback in the log."""
    try:
        return await call_next(ctx)
    except ValueError as error:
        if ctx.method == "prompts/get":
            raise MCPError(INVALID_PARAMS, str(error)) from error
        raise


_keys: TypeAdapter[int] = TypeAdapter(Key)


def _key(text: str) -> int:
    try:
        return _keys.validate_python(text)
    except ValidationError as error:
        raise MCPError(INVALID_PARAMS, f"{text[:40]!r} is no key: a whole number from 1 is expected") from error


def _allowed(settings: Settings) -> TransportSecuritySettings:
    """Name the hosts a browser may believe it talks to: a foreign name that resolves to this machine is none."""
    names = [*_LOOPBACK, *settings.mcp_hosts]
    hosts = [host for name in names for host in (name, f"{name}:*")]
    return TransportSecuritySettings(
        allowed_hosts=hosts, allowed_origins=[f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts]
    )
