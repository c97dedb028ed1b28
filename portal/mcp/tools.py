"""The tools: what a model can do with agents, tasks and the external service."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field
from starlette.exceptions import HTTPException

from portal import agents, tasks
from portal.mcp.commands import Command, CommandResult, TimeoutMs
from portal.schemas import AgentPage, AgentStatus, AgentView, Assignment, Key, TaskView
from portal.services import Services
from portal.timing import timed

READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
"""Hints about a tool that changes nothing."""
WRITES = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
"""Hints about a tool that changes a row."""
LEAVES = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=True)
"""Hints about a tool that reaches out of the portal."""


class Tools:
    """The tools of one portal. Their docstrings are what the model reads."""

    def __init__(self, portal: Services) -> None:
        self._portal = portal

    async def list_agents(
        self,
        status: AgentStatus | None = None,
        limit: Annotated[int, Field(ge=1, le=200)] = 50,
        cursor: Annotated[str | None, Field(max_length=200, description="`next_cursor` of the page before")] = None,
    ) -> AgentPage:
        """List agents in the order of their keys, all or those of one status."""
        with _told():
            return await agents.page_of_agents(self._portal, limit=limit, cursor=cursor, status=status)

    async def get_agent(self, agent_id: Key) -> AgentView:
        """Read one agent."""
        with _told():
            return AgentView.model_validate(await agents.find(self._portal, agent_id))

    async def assign_task(self, task_id: Key, agent_id: Key) -> TaskView:
        """Give a task to an agent, whoever had it before. A task that is done or failed stays as it is."""
        with _told():
            async with self._portal.database.write() as connection:
                given = Assignment(agent_id=agent_id)
                row = await tasks.assign(connection, task_id, given, None, self._portal.now_ms())
            return TaskView.model_validate(row)

    async def run_command(self, command: Command, timeout_ms: TimeoutMs = 2_000) -> CommandResult:
        """Run one of a few harmless commands by the external service: `date`, `uptime` or `echo words`."""
        with _told(), timed("ext"):
            return await self._portal.external.run(command, timeout_ms)


@contextmanager
def _told() -> Iterator[None]:
    """Turn what REST would answer as a problem into a tool error with the same sentence."""
    try:
        yield
    except HTTPException as error:
        raise ToolError(str(error.detail)) from error
