"""The tasks, over REST, version 2."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import bindparam, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from portal.auth import SignedIn, needs
from portal.collection import Cursor, FilteredWalk, Limit, Order
from portal.etags import IfNoneMatch, body_tag, tagged
from portal.idempotency import IdempotencyKey
from portal.models import tasks
from portal.revision import IfMatch, shown
from portal.schemas import MAX_KEY, Assignment, NewTask, TaskPatch, TaskStatus
from portal.schemas_v2 import NewTasks, PageLinks, TaskPageV2, TasksCreated, TaskV2
from portal.services import Portal
from portal.tasks import TaskId, add, assign, change, find, new_row

router = APIRouter(prefix="/api/v2/tasks", tags=["tasks v2"])
"""The routes of tasks, version 2."""

_READ = [Depends(needs("tasks:read"))]
_WRITE = [Depends(needs("tasks:write"))]

AgentKey = Annotated[int | None, Query(ge=1, le=MAX_KEY, description="Tasks of this agent")]
"""Declares a handler's parameter that receives an agent to filter by."""
PriorityBound = Annotated[int | None, Query(ge=0, le=9)]
"""Declares a handler's parameter that receives a bound of the priority, itself included."""

_walk = FilteredWalk(
    tasks,
    {
        "status": tasks.c.status == bindparam("status"),
        "agent": tasks.c.agent_id == bindparam("agent"),
        "priority_ge": tasks.c.priority >= bindparam("priority_ge"),
        "priority_le": tasks.c.priority <= bindparam("priority_le"),
    },
)
_insert_many = insert(tasks).returning(tasks)  # sorted by parameters, SQLite would get a statement for each row


@router.get("", response_model=TaskPageV2, dependencies=_READ)
async def list_tasks(
    portal: Portal,
    limit: Limit = 50,
    cursor: Cursor = None,
    order: Order = "id",
    status: TaskStatus | None = None,
    agent: AgentKey = None,
    priority_ge: PriorityBound = None,
    priority_le: PriorityBound = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """List tasks by key, all of them or those that pass every filter."""
    given = {"status": status, "agent": agent, "priority_ge": priority_ge, "priority_le": priority_le}
    rows, after = await _walk.page(portal.database, limit=limit, cursor=cursor, order=order, given=given)
    page = TaskPageV2(data=[TaskV2.model_validate(row) for row in rows], page=PageLinks(next=after, limit=limit))
    body = page.model_dump_json()
    return tagged(body, body_tag(body), if_none_match)


@router.post("", response_model=TaskV2, status_code=201, dependencies=_WRITE)
async def create_task(
    request: Request,
    body: NewTask,
    portal: Portal,
    account: SignedIn,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Create a task; it starts open, without an agent."""

    async def work(connection: AsyncConnection) -> Response:
        view = TaskV2.model_validate(await add(connection, body, portal.now_ms()))
        return shown(view, 201, f"/api/v2/tasks/{view.id}")

    return await portal.once.run(request, account.who, idempotency_key, work)


@router.post("/bulk", response_model=TasksCreated, status_code=201, dependencies=_WRITE)
async def create_tasks(
    request: Request,
    body: NewTasks,
    portal: Portal,
    account: SignedIn,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Create 1 to 500 tasks, all or none."""

    async def work(connection: AsyncConnection) -> Response:
        now_ms = portal.now_ms()
        rows = (await connection.execute(_insert_many, [new_row(item, now_ms) for item in body.items])).all()
        created = TasksCreated(data=sorted((TaskV2.model_validate(row) for row in rows), key=lambda task: task.id))
        return Response(created.model_dump_json(), 201, media_type="application/json")

    return await portal.once.run(request, account.who, idempotency_key, work)


@router.get("/{task_id}", response_model=TaskV2, dependencies=_READ)
async def read_task(task_id: TaskId, portal: Portal, if_none_match: IfNoneMatch = None) -> Response:
    """Read one task."""
    return shown(TaskV2.model_validate(await find(portal, task_id)), if_none_match=if_none_match)


@router.patch("/{task_id}", response_model=TaskV2, dependencies=_WRITE)
async def change_task(task_id: TaskId, body: TaskPatch, portal: Portal, if_match: IfMatch = None) -> Response:
    """Change a task."""
    return shown(TaskV2.model_validate(await change(portal, task_id, body, if_match)))


@router.post("/{task_id}/assign", response_model=TaskV2, dependencies=_WRITE)
async def assign_task(
    request: Request,
    task_id: TaskId,
    body: Assignment,
    portal: Portal,
    account: SignedIn,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Give a task to an agent, whoever had it before; a task that has ended stays as it is (409)."""

    async def work(connection: AsyncConnection) -> Response:
        return shown(TaskV2.model_validate(await assign(connection, task_id, body, if_match, portal.now_ms())))

    return await portal.once.run(request, account.who, idempotency_key, work)
