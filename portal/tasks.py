"""The tasks, over REST."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from sqlalchemy import Row, bindparam, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from portal.auth import needs
from portal.collection import Cursor, Limit, Walk
from portal.etags import IfNoneMatch
from portal.models import tasks
from portal.revision import IfMatch, revise, shown
from portal.schemas import MAX_KEY, Assignment, NewTask, TaskPage, TaskPatch, TaskStatus, TaskView
from portal.services import Portal, Services

router = APIRouter(prefix="/api/v1/tasks", tags=["tasks"])
"""The routes of tasks."""

_READ = [Depends(needs("tasks:read"))]
_WRITE = [Depends(needs("tasks:write"))]

TaskId = Annotated[int, Path(ge=1, le=MAX_KEY)]
"""The key in the path."""

_walk = Walk(tasks)
_one = select(tasks).where(tasks.c.task_id == bindparam("key"))


@router.get("", response_model=TaskPage, dependencies=_READ)
async def list_tasks(
    portal: Portal, limit: Limit = 50, cursor: Cursor = None, status: TaskStatus | None = None
) -> Response:
    """List tasks in the order of their keys."""
    rows, next_cursor = await _walk.page(portal.database, limit=limit, cursor=cursor, status=status)
    page = TaskPage(items=[TaskView.model_validate(row) for row in rows], next_cursor=next_cursor)
    return Response(page.model_dump_json(), media_type="application/json")


@router.post("", response_model=TaskView, status_code=201, dependencies=_WRITE)
async def create_task(body: NewTask, portal: Portal) -> Response:
    """Create a task; it starts open, without an agent."""
    async with portal.database.write() as connection:
        row = await add(connection, body, portal.now_ms())
    return shown(TaskView.model_validate(row), 201, f"/api/v1/tasks/{row.task_id}")


@router.get("/{task_id}", response_model=TaskView, dependencies=_READ)
async def read_task(task_id: TaskId, portal: Portal, if_none_match: IfNoneMatch = None) -> Response:
    """Read one task."""
    return shown(TaskView.model_validate(await find(portal, task_id)), if_none_match=if_none_match)


@router.patch("/{task_id}", response_model=TaskView, dependencies=_WRITE)
async def change_task(task_id: TaskId, body: TaskPatch, portal: Portal, if_match: IfMatch = None) -> Response:
    """Change a task."""
    return shown(TaskView.model_validate(await change(portal, task_id, body, if_match)))


@router.post("/{task_id}/assign", response_model=TaskView, dependencies=_WRITE)
async def assign_task(task_id: TaskId, body: Assignment, portal: Portal, if_match: IfMatch = None) -> Response:
    """Give a task to an agent, whoever had it before; a task that has ended stays as it is (409)."""
    async with portal.database.write() as connection:
        row = await assign(connection, task_id, body, if_match, portal.now_ms())
    return shown(TaskView.model_validate(row))


async def find(portal: Services, task_id: int) -> Any:
    """Return one task, its columns as attributes, or raise 404."""

    async def load() -> Row[Any] | None:
        async with portal.database.read() as connection:
            return (await connection.execute(_one, {"key": task_id})).one_or_none()

    row = await portal.cache.read((tasks.name, task_id), load)
    if row is None:
        raise HTTPException(404, f"there is no task {task_id}")
    return row


async def add(connection: AsyncConnection, body: NewTask, now_ms: int) -> Row[Any]:
    """Insert one task and return its row."""
    row: Row[Any] = (await connection.execute(insert(tasks).values(new_row(body, now_ms)).returning(tasks))).one()
    return row


def new_row(body: NewTask, now_ms: int) -> dict[str, Any]:
    """Return the columns of a new task."""
    return body.model_dump() | {"status": "open", "version": 1, "created_at_ms": now_ms, "updated_at_ms": now_ms}


async def change(portal: Services, task_id: int, body: TaskPatch, if_match: str | None) -> Row[Any]:
    """Change one task and return its row."""
    changes = body.model_dump(exclude_unset=True, exclude={"version"}) | {"updated_at_ms": portal.now_ms()}
    async with portal.database.write() as connection:
        return await revise(connection, tasks, task_id, changes, if_match=if_match, version=body.version)


async def assign(
    connection: AsyncConnection, task_id: int, body: Assignment, if_match: str | None, now_ms: int
) -> Row[Any]:
    """Give one task to an agent and return its row."""
    changes = {"agent_id": body.agent_id, "status": "assigned", "updated_at_ms": now_ms}
    try:
        return await revise(
            connection,
            tasks,
            task_id,
            changes,
            if_match=if_match,
            version=body.version,
            only=tasks.c.status.not_in(["done", "failed"]),
            refusal=f"task {task_id} has ended",
        )
    except IntegrityError as error:  # the foreign key: looking first would leave a gap between looking and writing
        raise HTTPException(422, f"there is no agent {body.agent_id}") from error
