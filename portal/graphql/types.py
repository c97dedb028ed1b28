"""What can be asked for: agents, tasks, and pages of them."""

import re
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Annotated, Any, Generic, NewType, Self, TypeVar

import strawberry
from sqlalchemy import Row

from portal.cursor import CursorError, decode_cursor, encode_cursor
from portal.graphql.context import Info
from portal.graphql.errors import RefusedError
from portal.graphql.loaders import TasksOf
from portal.schemas import MAX_KEY, AgentView, TaskView

Long = NewType("Long", int)
"""A whole number of up to 64 bits, such as Unix milliseconds; Int has 32."""

First = Annotated[int, strawberry.argument(description="Rows on a page, 1 to 100")]
"""How many rows are asked for; its bounds are watched by the limits."""
After = Annotated[str | None, strawberry.argument(description="`endCursor` of the page before")]
"""Where a page begins."""

T = TypeVar("T")
Walked = tuple[str, str | None]
"""Names a walk by its collection and filter, as its cursors do."""

_KEY = re.compile(r"[1-9][0-9]{0,18}")


@strawberry.enum(description="What an agent is doing.")
class AgentStatus(Enum):
    """What an agent is doing."""

    IDLE = "idle"
    BUSY = "busy"
    OFFLINE = "offline"


@strawberry.enum(description="How far a task has come; DONE and FAILED are its ends.")
class TaskStatus(Enum):
    """How far a task has come."""

    OPEN = "open"
    ASSIGNED = "assigned"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@strawberry.type(description="Where a page lies among all.")
class PageInfo:
    """Where a page lies among all."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type(description="A row on a page.")
class Edge(Generic[T]):
    """A row on a page."""

    node: T
    _place: strawberry.Private[tuple[str, str | None, int]]

    @strawberry.field(description="The cursor that goes on after this row.")
    def cursor(self) -> str:
        """Encode the place of this row."""
        return encode_cursor(*self._place)


@strawberry.type(description="A page of rows in the order of their keys.")
class Connection(Generic[T]):
    """A page, in the form of the Relay cursor connections specification."""

    edges: list[Edge[T]]
    page_info: PageInfo

    @classmethod
    def of(
        cls, rows: Sequence[Row[Any]], show: Callable[[Row[Any]], T], walk: Walked, *, follows: bool, goes_on: bool
    ) -> Self:
        """Show a page that `follows` another one, and after which the walk `goes_on`."""
        keys: list[int] = [row[0] for row in rows]
        return cls(
            edges=[Edge(node=show(row), _place=(*walk, key)) for row, key in zip(rows, keys, strict=True)],
            page_info=PageInfo(
                has_next_page=goes_on,
                has_previous_page=follows,
                start_cursor=encode_cursor(*walk, keys[0]) if keys else None,
                end_cursor=encode_cursor(*walk, keys[-1]) if keys else None,
            ),
        )


@strawberry.type(description="One who works. `version` grows by one with each change a client makes.")
class Agent:
    """An agent as it is shown."""

    id: strawberry.ID
    name: str
    kind: str
    status: AgentStatus
    last_heartbeat_at_ms: Long | None
    version: int
    created_at_ms: Long
    updated_at_ms: Long

    @classmethod
    def of(cls, row: Row[Any] | AgentView) -> "Agent":
        """Show a row."""
        return cls(
            id=strawberry.ID(str(row.agent_id)),
            name=row.name,
            kind=row.kind,
            status=AgentStatus(row.status),
            last_heartbeat_at_ms=row.last_heartbeat_at_ms,  # type: ignore[arg-type]
            version=row.version,
            created_at_ms=Long(row.created_at_ms),
            updated_at_ms=Long(row.updated_at_ms),
        )

    @strawberry.field(description="The tasks of this agent.")
    async def tasks(
        self, info: Info, first: First = 20, after: After = None, status: TaskStatus | None = None
    ) -> "Connection[Task]":
        """Read a page of this agent's tasks, together with those of the other agents asked for."""
        info.context.demand("tasks:read")
        agent_id, of_status = int(self.id), status.value if status else None
        walk = (f"agent.{agent_id}.tasks", of_status)
        try:
            start = decode_cursor(after, *walk) if after is not None else 0
        except CursorError as error:
            raise RefusedError("INVALID", str(error)) from error
        # One row more than asked for tells whether there is a next page, without counting.
        rows = await info.context.loaders.tasks_of.load(TasksOf(agent_id, first + 1, start, of_status))
        return Connection[Task].of(rows[:first], Task.of, walk, follows=after is not None, goes_on=len(rows) > first)


@strawberry.type(description="Something to do. `version` grows by one with each change.")
class Task:
    """A task as it is shown."""

    id: strawberry.ID
    title: str
    status: TaskStatus
    priority: int
    version: int
    created_at_ms: Long
    updated_at_ms: Long
    _agent_id: strawberry.Private[int | None]

    @classmethod
    def of(cls, row: Row[Any] | TaskView) -> "Task":
        """Show a row."""
        return cls(
            id=strawberry.ID(str(row.task_id)),
            title=row.title,
            status=TaskStatus(row.status),
            priority=row.priority,
            version=row.version,
            created_at_ms=Long(row.created_at_ms),
            updated_at_ms=Long(row.updated_at_ms),
            _agent_id=row.agent_id,
        )

    @strawberry.field(description="The agent that has this task.")
    async def agent(self, info: Info) -> Agent | None:
        """Read the agent, together with those of the other tasks asked for."""
        info.context.demand("agents:read")
        row = await info.context.loaders.agent.load(self._agent_id) if self._agent_id is not None else None
        return Agent.of(row) if row is not None else None


@strawberry.type(description="An agent or a task as its latest change left it.")
class Activity:
    """A latest change."""

    at_ms: Long
    subject: Annotated[Agent | Task, strawberry.union("Subject", description="What changed.")]


def key_of(given: strawberry.ID) -> int:
    """Read a key, or refuse it."""
    if not _KEY.fullmatch(given) or int(given) > MAX_KEY:
        raise RefusedError("INVALID", f"id: a whole number from 1 to {MAX_KEY} was expected")
    return int(given)
