"""What comes in and goes out over REST."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from portal.principal import Scope

MAX_KEY = 2**63 - 1
"""The largest key or version that a database column holds."""

AgentStatus = Literal["idle", "busy", "offline"]
"""What an agent is doing."""
TaskStatus = Literal["open", "assigned", "running", "done", "failed"]
"""How far a task has come; `done` and `failed` are its ends."""

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80, pattern=r"^[^\x00-\x1f]*$")]
"""One line of at most 80 characters."""
Title = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")
]
"""One line of at most 200 characters."""
Kind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
"""A word such as `planner`."""
Key = Annotated[int, Field(ge=1, le=MAX_KEY)]
"""A row's key or version."""
Priority = Annotated[int, Field(ge=0, le=9)]
"""From 0 to 9, the most urgent."""


class AgentView(BaseModel):
    """An agent as it is shown."""

    model_config = ConfigDict(from_attributes=True)

    agent_id: int
    name: str
    kind: str
    status: AgentStatus
    last_heartbeat_at_ms: int | None
    version: int
    created_at_ms: int
    updated_at_ms: int


class TaskView(BaseModel):
    """A task as it is shown."""

    model_config = ConfigDict(from_attributes=True)

    task_id: int
    title: str
    status: TaskStatus
    priority: int
    agent_id: int | None
    version: int
    created_at_ms: int
    updated_at_ms: int


class AgentPage(BaseModel):
    """One page of agents; `next_cursor` is null on the last."""

    items: list[AgentView]
    next_cursor: str | None


class TaskPage(BaseModel):
    """One page of tasks; `next_cursor` is null on the last."""

    items: list[TaskView]
    next_cursor: str | None


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _describe_patch(schema: dict[str, Any]) -> None:
    """Say in the description what `_changes_something` asks for: no nulls, and something besides the version."""
    names = schema["properties"]
    for name, described in names.items():
        (value,) = (choice for choice in described["anyOf"] if choice != {"type": "null"})
        names[name] = {"title": described["title"], **value}
    schema["anyOf"] = [{"required": [name]} for name in names if name != "version"]


class _Patch(_Body):
    model_config = ConfigDict(json_schema_extra=_describe_patch)

    version: Key | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> "_Patch":
        for name in self.model_fields_set:
            if getattr(self, name) is None:
                raise ValueError(f"{name} cannot be null")
        if not self.model_fields_set - {"version"}:
            raise ValueError("nothing to change")
        return self


class NewAgent(_Body):
    """An agent to be created."""

    name: Name
    kind: Kind = "coder"
    status: AgentStatus = "idle"


class AgentPatch(_Patch):
    """Changes to an agent; what is left out stays. `version` is the one the client believes it changes."""

    name: Name | None = None
    kind: Kind | None = None
    status: AgentStatus | None = None


class NewTask(_Body):
    """A task to be created; it starts open."""

    title: Title
    priority: Priority = 5


class TaskPatch(_Patch):
    """Changes to a task; what is left out stays. Its agent is changed by assigning it."""

    title: Title | None = None
    status: TaskStatus | None = None
    priority: Priority | None = None


class Assignment(_Body):
    """The agent a task is given to."""

    agent_id: Key
    version: Key | None = None


class TokenPair(BaseModel):
    """The answer to a login."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 (a scheme, not a secret)
    expires_in: int


class RefreshRequest(_Body):
    """A refresh token to be exchanged for a new pair."""

    refresh_token: str


class NewKey(_Body):
    """An API key to be made."""

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(get_args(Scope)))]
    expires_in_s: Annotated[int, Field(ge=1, le=10 * 365 * 86_400)] | None = None


class KeyView(BaseModel):
    """An API key as it is shown, without its secret."""

    model_config = ConfigDict(from_attributes=True)

    key_id: int
    name: str
    scopes: Annotated[
        list[Scope], BeforeValidator(lambda scopes: scopes.split() if isinstance(scopes, str) else scopes)
    ]
    made_by: str
    created_at_ms: int
    expires_at_ms: int | None
    revoked_at_ms: int | None


class KeyMade(KeyView):
    """An API key as it is shown once, with its text."""

    key: str


class KeyPage(BaseModel):
    """One page of API keys; `next_cursor` is null on the last."""

    items: list[KeyView]
    next_cursor: str | None


class AuditView(BaseModel):
    """One row of the audit log; `who` is null where nobody was known."""

    model_config = ConfigDict(from_attributes=True)

    audit_id: int
    at_ms: int
    who: str | None
    what: str
    target: str
    outcome: str
    request_id: str | None


class AuditPage(BaseModel):
    """One page of the audit log; `next_cursor` is null on the last."""

    items: list[AuditView]
    next_cursor: str | None
