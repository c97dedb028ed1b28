"""The agents, over REST."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from sqlalchemy import Row, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from portal.auth import needs
from portal.changes import note_change
from portal.collection import Cursor, Limit, Walk
from portal.etags import IfNoneMatch
from portal.models import agents
from portal.revision import IfMatch, revise, shown
from portal.schemas import MAX_KEY, AgentPage, AgentPatch, AgentStatus, AgentView, NewAgent
from portal.services import Portal, Services

router = APIRouter(prefix="/api/v1/agents", tags=["agents"])
"""The routes of agents."""

_READ = [Depends(needs("agents:read"))]
_WRITE = [Depends(needs("agents:write"))]

AgentId = Annotated[int, Path(ge=1, le=MAX_KEY)]
"""The key in the path."""

_walk = Walk(agents)
_one = select(agents).where(agents.c.agent_id == bindparam("key"))
_beat = update(agents).where(agents.c.agent_id == bindparam("key")).values(last_heartbeat_at_ms=bindparam("now_ms"))


@router.get("", response_model=AgentPage, dependencies=_READ)
async def list_agents(
    portal: Portal, limit: Limit = 50, cursor: Cursor = None, status: AgentStatus | None = None
) -> Response:
    """List agents in the order of their keys."""
    rows, next_cursor = await _walk.page(portal.database, limit=limit, cursor=cursor, status=status)
    page = AgentPage(items=[AgentView.model_validate(row) for row in rows], next_cursor=next_cursor)
    return Response(page.model_dump_json(), media_type="application/json")


@router.post("", response_model=AgentView, status_code=201, dependencies=_WRITE)
async def create_agent(body: NewAgent, portal: Portal) -> Response:
    """Create an agent."""
    async with portal.database.write() as connection:
        row = await add(connection, body, portal.now_ms())
    return shown(AgentView.model_validate(row), 201, f"/api/v1/agents/{row.agent_id}")


@router.get("/{agent_id}", response_model=AgentView, dependencies=_READ)
async def read_agent(agent_id: AgentId, portal: Portal, if_none_match: IfNoneMatch = None) -> Response:
    """Read one agent."""
    return shown(AgentView.model_validate(await find(portal, agent_id)), if_none_match=if_none_match)


@router.patch("/{agent_id}", response_model=AgentView, dependencies=_WRITE)
async def change_agent(agent_id: AgentId, body: AgentPatch, portal: Portal, if_match: IfMatch = None) -> Response:
    """Change an agent, and tell those who watch channel `agent.{agent_id}`."""
    return shown(AgentView.model_validate(await change(portal, agent_id, body, if_match)))


@router.post("/{agent_id}/heartbeat", status_code=204, dependencies=_WRITE)
async def beat(agent_id: AgentId, portal: Portal) -> Response:
    """Note that an agent is alive. This is no change of the agent: its version stays."""
    await note_beat(portal, agent_id)
    return Response(status_code=204)


async def find(portal: Services, agent_id: int) -> Any:
    """Return one agent, its columns as attributes, or raise 404."""

    async def load() -> Row[Any] | None:
        async with portal.database.read() as connection:
            return (await connection.execute(_one, {"key": agent_id})).one_or_none()

    row = await portal.cache.read((agents.name, agent_id), load)
    if row is None:
        raise _unknown(agent_id)
    return row


async def add(connection: AsyncConnection, body: NewAgent, now_ms: int) -> Row[Any]:
    """Insert one agent and return its row."""
    row: Row[Any] = (await connection.execute(insert(agents).values(new_row(body, now_ms)).returning(agents))).one()
    return row


def new_row(body: NewAgent, now_ms: int) -> dict[str, Any]:
    """Return the columns of a new agent."""
    return body.model_dump() | {"version": 1, "created_at_ms": now_ms, "updated_at_ms": now_ms}


async def change(portal: Services, agent_id: int, body: AgentPatch, if_match: str | None) -> Row[Any]:
    """Change one agent, announce it on its channel, and return its row."""
    changes = body.model_dump(exclude_unset=True, exclude={"version"}) | {"updated_at_ms": portal.now_ms()}
    async with portal.database.write() as connection:
        row = await revise(connection, agents, agent_id, changes, if_match=if_match, version=body.version)
    # No await between the commit and the announcement: on SQLite, where one writer commits in order, the events of an
    # agent leave in the order of its versions.
    portal.fanout.announce(f"agent.{agent_id}", AgentView.model_validate(row).model_dump(), portal.monotonic_ns())
    return row


async def note_beat(portal: Services, agent_id: int) -> None:
    """Note that an agent is alive, or raise 404."""
    async with portal.database.write() as connection:
        note_change(agents, agent_id)
        result = await connection.execute(_beat, {"key": agent_id, "now_ms": portal.now_ms()})
    if result.rowcount == 0:
        raise _unknown(agent_id)


async def page_of_agents(portal: Services, *, limit: int, cursor: str | None, status: str | None) -> AgentPage:
    """Return one page of agents, for whichever protocol asks."""
    rows, next_cursor = await _walk.page(portal.database, limit=limit, cursor=cursor, status=status)
    return AgentPage(items=[AgentView.model_validate(row) for row in rows], next_cursor=next_cursor)


def _unknown(agent_id: int) -> HTTPException:
    return HTTPException(404, f"there is no agent {agent_id}")
