"""What comes in and goes out over REST in version 2, where it differs from version 1."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from portal.schemas import AgentStatus, NewTask, TaskStatus

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _moment(value: Any) -> Any:
    return _EPOCH + timedelta(milliseconds=value) if isinstance(value, int) else value


def _link(value: Any) -> Any:
    return {"id": value, "href": f"/api/v2/agents/{value}"} if isinstance(value, int) else value


Moment = Annotated[datetime, BeforeValidator(_moment)]
"""RFC 3339 in UTC, read from a row's Unix milliseconds."""


class AgentLink(BaseModel):
    """The agent of a task, and where it is."""

    id: int
    href: str


class AgentV2(BaseModel):
    """An agent as version 2 shows it."""

    model_config = ConfigDict(from_attributes=True)

    id: Annotated[int, Field(validation_alias="agent_id")]
    name: str
    kind: str
    status: AgentStatus
    last_heartbeat_at: Annotated[Moment | None, Field(validation_alias="last_heartbeat_at_ms")]
    version: int
    created_at: Annotated[Moment, Field(validation_alias="created_at_ms")]
    updated_at: Annotated[Moment, Field(validation_alias="updated_at_ms")]


class TaskV2(BaseModel):
    """A task as version 2 shows it."""

    model_config = ConfigDict(from_attributes=True)

    id: Annotated[int, Field(validation_alias="task_id")]
    title: str
    status: TaskStatus
    priority: int
    agent: Annotated[
        Annotated[AgentLink, BeforeValidator(_link)] | None,
        Field(validation_alias="agent_id"),
    ]
    version: int
    created_at: Annotated[Moment, Field(validation_alias="created_at_ms")]
    updated_at: Annotated[Moment, Field(validation_alias="updated_at_ms")]


class PageLinks(BaseModel):
    """Where a walk goes on; `next` is null on the last page."""

    next: str | None
    limit: int


class AgentPageV2(BaseModel):
    """One page of agents."""

    data: list[AgentV2]
    page: PageLinks


class TaskPageV2(BaseModel):
    """One page of tasks."""

    data: list[TaskV2]
    page: PageLinks


class NewTasks(BaseModel):
    """Tasks to be created together, all or none."""

    model_config = ConfigDict(extra="forbid")

    items: Annotated[list[NewTask], Field(min_length=1, max_length=500)]


class TasksCreated(BaseModel):
    """Tasks that were created together, in the order of their keys."""

    data: list[TaskV2]
