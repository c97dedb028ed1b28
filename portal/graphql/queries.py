"""What can be read."""

import strawberry
from sqlalchemy import bindparam, select

from portal.collection import Walk
from portal.graphql.context import Info
from portal.graphql.errors import refusals
from portal.graphql.types import (
    Activity,
    After,
    Agent,
    AgentStatus,
    Connection,
    First,
    Long,
    Task,
    TaskStatus,
    key_of,
)
from portal.models import agents, tasks

_agents = Walk(agents)
_tasks = Walk(tasks)
_newest_agents = (
    select(agents).order_by(agents.c.updated_at_ms.desc(), agents.c.agent_id.desc()).limit(bindparam("first"))
)
_newest_tasks = select(tasks).order_by(tasks.c.updated_at_ms.desc(), tasks.c.task_id.desc()).limit(bindparam("first"))


@strawberry.type
class Query:
    """The entry to all reading."""

    @strawberry.field(description="One agent, null where there is none.")
    async def agent(self, info: Info, id: strawberry.ID) -> Agent | None:
        """Read one agent."""
        info.context.demand("agents:read")
        row = await info.context.loaders.agent.load(key_of(id))
        return Agent.of(row) if row is not None else None

    @strawberry.field(description="Agents in the order of their keys.")
    async def agents(
        self, info: Info, first: First = 20, after: After = None, status: AgentStatus | None = None
    ) -> Connection[Agent]:
        """Read a page of agents."""
        info.context.demand("agents:read")
        of_status = status.value if status else None
        with refusals():
            rows, following = await _agents.page(
                info.context.services.database, limit=first, cursor=after, status=of_status
            )
        return Connection[Agent].of(
            rows, Agent.of, (agents.name, of_status), follows=after is not None, goes_on=following is not None
        )

    @strawberry.field(description="One task, null where there is none.")
    async def task(self, info: Info, id: strawberry.ID) -> Task | None:
        """Read one task."""
        info.context.demand("tasks:read")
        row = await info.context.loaders.task.load(key_of(id))
        return Task.of(row) if row is not None else None

    @strawberry.field(description="Tasks in the order of their keys.")
    async def tasks(
        self, info: Info, first: First = 20, after: After = None, status: TaskStatus | None = None
    ) -> Connection[Task]:
        """Read a page of tasks."""
        info.context.demand("tasks:read")
        of_status = status.value if status else None
        with refusals():
            rows, following = await _tasks.page(
                info.context.services.database, limit=first, cursor=after, status=of_status
            )
        return Connection[Task].of(
            rows, Task.of, (tasks.name, of_status), follows=after is not None, goes_on=following is not None
        )

    @strawberry.field(description="The agents and tasks that changed last, the newest first.")
    async def activity(self, info: Info, first: First = 20) -> list[Activity]:
        """Read the newest rows of both tables and merge them."""
        info.context.demand("agents:read", "tasks:read")
        async with info.context.services.database.read() as connection:
            changed_agents = (await connection.execute(_newest_agents, {"first": first})).all()
            changed_tasks = (await connection.execute(_newest_tasks, {"first": first})).all()
        subjects: list[Agent | Task] = [*map(Agent.of, changed_agents), *map(Task.of, changed_tasks)]
        subjects.sort(key=lambda subject: subject.updated_at_ms, reverse=True)  # stable: an agent before a task
        return [Activity(at_ms=Long(subject.updated_at_ms), subject=subject) for subject in subjects[:first]]
