"""The tasks, over REST."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from sqlalchemy import Row, bindparam, insert, select
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from portal.auth import needs
from portal.collection import Cursor, Limit, Walk
from portal.models import tasks
from portal.revision import IfMatch, revise, shown
from portal.schemas import MAX_KEY, Assignment, NewTask, TaskPage, TaskPatch, TaskStatus, TaskView
from portal.services import Portal, Services

router = APIRouter(prefix="/api/v1/tasks", tags=["tasks"])
"""The routes of tasks."""

TaskId = Annotated[int, Path(ge=1, le=MAX_KEY)]
"""The key in the path."""

_READ = [Depends(needs("tasks:read"))]
_WRITE = [Depends(needs("tasks:write"))]

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
    view = await add_task(portal, body)
    return shown(view, 201, f"/api/v1/tasks/{view.task_id}")


@router.get("/{task_id}", response_model=TaskView, dependencies=_READ)
async def read_task(task_id: TaskId, portal: Portal) -> Response:
    """Read one task."""
    return shown(await find_task(portal, task_id))


@router.patch("/{task_id}", response_model=TaskView, dependencies=_WRITE)
async def change_task(task_id: TaskId, body: TaskPatch, portal: Portal, if_match: IfMatch = None) -> Response:
    """Change a task."""
    changes = body.model_dump(exclude_unset=True, exclude={"version"}) | {"updated_at_ms": portal.now_ms()}
    async with portal.database.write() as connection:
        row = await revise(connection, tasks, task_id, changes, if_match=if_match, version=body.version)
    return shown(TaskView.model_validate(row))


@router.post("/{task_id}/assign", response_model=TaskView, dependencies=_WRITE)
async def assign_task(task_id: TaskId, body: Assignment, portal: Portal, if_match: IfMatch = None) -> Response:
    """Give a task to an agent, whoever had it before; a task that has ended stays as it is (409)."""
    return shown(await give_task(portal, task_id, body, if_match))


async def find_task(portal: Services, task_id: int) -> TaskView:
    """Return one task, for whichever protocol asks."""
    async with portal.database.read() as connection:
        row: Row[Any] | None = (await connection.execute(_one, {"key": task_id})).one_or_none()
    if row is None:
        raise HTTPException(404, f"there is no task {task_id}")
    return TaskView.model_validate(row)


async def add_task(portal: Services, task: NewTask) -> TaskView:
    """Create a task; it starts open, without an agent."""
    now_ms = portal.now_ms()
    values = task.model_dump() | {"status": "open", "version": 1, "created_at_ms": now_ms, "updated_at_ms": now_ms}
    async with portal.database.write() as connection:
        row = (await connection.execute(insert(tasks).values(values).returning(tasks))).one()
    return TaskView.model_validate(row)


async def give_task(portal: Services, task_id: int, assignment: Assignment, if_match: str | None = None) -> TaskView:
    """Give a task to an agent, whoever had it before; a task that has ended stays as it is (409)."""
    changes = {"agent_id": assignment.agent_id, "status": "assigned", "updated_at_ms": portal.now_ms()}
    try:
        async with portal.database.write() as connection:
            row = await revise(
                connection,
                tasks,
                task_id,
                changes,
                if_match=if_match,
                version=assignment.version,
                only=tasks.c.status.not_in(["done", "failed"]),
                refusal=f"task {task_id} has ended",
            )
    except IntegrityError as error:  # the foreign key: looking first would leave a gap between looking and writing
        raise HTTPException(422, f"there is no agent {assignment.agent_id}") from error
    return TaskView.model_validate(row)
