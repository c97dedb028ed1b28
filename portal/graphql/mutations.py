"""What can be changed, by the rules of REST."""

from typing import Any

import strawberry

from portal import agents, tasks
from portal.graphql.context import Info
from portal.graphql.errors import refusals
from portal.graphql.types import Agent, AgentStatus, Task, key_of
from portal.schemas import AgentPatch, Assignment, NewTask


@strawberry.input(description="Changes to an agent; what is left out stays.")
class AgentChanges:
    """Changes to an agent."""

    name: str | None = strawberry.UNSET
    kind: str | None = strawberry.UNSET
    status: AgentStatus | None = strawberry.UNSET

    def named(self) -> dict[str, Any]:
        """Return the fields the client named."""
        status = self.status.value if isinstance(self.status, AgentStatus) else self.status
        given = {"name": self.name, "kind": self.kind, "status": status}
        return {name: value for name, value in given.items() if value is not strawberry.UNSET}


@strawberry.type
class Mutation:
    """The entry to all changing. `version` is the one the client believes it changes."""

    @strawberry.mutation(description="Give a task to an agent, whoever had it before.")
    async def assign_task(
        self, info: Info, task_id: strawberry.ID, agent_id: strawberry.ID, version: int | None = None
    ) -> Task:
        """Assign a task."""
        info.context.demand("tasks:write")
        with refusals():
            assignment = Assignment(agent_id=key_of(agent_id), version=version)
            services = info.context.services
            async with services.database.write() as connection:
                return Task.of(await tasks.assign(connection, key_of(task_id), assignment, None, services.now_ms()))

    @strawberry.mutation(description="Change an agent, and tell those who watch it.")
    async def update_agent(
        self,
        info: Info,
        id: strawberry.ID,
        changes: AgentChanges,
        version: int | None = None,
    ) -> Agent:
        """Change an agent."""
        info.context.demand("agents:write")
        believed = {} if version is None else {"version": version}
        with refusals():
            patch = AgentPatch.model_validate(changes.named() | believed)
            return Agent.of(await agents.change(info.context.services, key_of(id), patch, None))

    @strawberry.mutation(description="Create a task; it starts open, without an agent.")
    async def create_task(self, info: Info, title: str, priority: int = 5) -> Task:
        """Create a task."""
        info.context.demand("tasks:write")
        with refusals():
            services, task = info.context.services, NewTask(title=title, priority=priority)
            async with services.database.write() as connection:
                return Task.of(await tasks.add(connection, task, services.now_ms()))
