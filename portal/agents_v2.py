"""The agents, over REST, version 2."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import String, bindparam, func
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from portal.agents import AgentId, add, change, find, note_beat
from portal.auth import SignedIn, needs
from portal.collection import Cursor, FilteredWalk, Limit, Order
from portal.etags import IfNoneMatch, body_tag, tagged
from portal.idempotency import IdempotencyKey
from portal.models import agents
from portal.revision import IfMatch, shown
from portal.schemas import AgentPatch, AgentStatus, Kind, NewAgent
from portal.schemas_v2 import AgentPageV2, AgentV2, PageLinks
from portal.services import Portal

router = APIRouter(prefix="/api/v2/agents", tags=["agents v2"])
"""The routes of agents, version 2."""

_READ = [Depends(needs("agents:read"))]
_WRITE = [Depends(needs("agents:write"))]

NamePrefix = Annotated[
    str | None,
    Query(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f]+$", description="What the name starts with"),
]
"""Declares a handler's parameter that receives the start of a name."""

_prefix = bindparam("name_prefix", type_=String)
_walk = FilteredWalk(
    agents,
    {
        "status": agents.c.status == bindparam("status"),
        "kind": agents.c.kind == bindparam("kind"),
        # Not LIKE: its treatment of case differs between databases, and % in a name would have to be escaped.
        "name_prefix": func.substr(agents.c.name, 1, func.length(_prefix)) == _prefix,
    },
)


@router.get("", response_model=AgentPageV2, dependencies=_READ)
async def list_agents(
    portal: Portal,
    limit: Limit = 50,
    cursor: Cursor = None,
    order: Order = "id",
    status: AgentStatus | None = None,
    kind: Kind | None = None,
    name_prefix: NamePrefix = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """List agents by key, all of them or those that pass every filter."""
    given = {"status": status, "kind": kind, "name_prefix": name_prefix}
    rows, after = await _walk.page(portal.database, limit=limit, cursor=cursor, order=order, given=given)
    page = AgentPageV2(data=[AgentV2.model_validate(row) for row in rows], page=PageLinks(next=after, limit=limit))
    body = page.model_dump_json()
    return tagged(body, body_tag(body), if_none_match)


@router.post("", response_model=AgentV2, status_code=201, dependencies=_WRITE)
async def create_agent(
    request: Request,
    body: NewAgent,
    portal: Portal,
    account: SignedIn,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Create an agent."""

    async def work(connection: AsyncConnection) -> Response:
        view = AgentV2.model_validate(await add(connection, body, portal.now_ms()))
        return shown(view, 201, f"/api/v2/agents/{view.id}")

    return await portal.once.run(request, account.who, idempotency_key, work)


@router.get("/{agent_id}", response_model=AgentV2, dependencies=_READ)
async def read_agent(agent_id: AgentId, portal: Portal, if_none_match: IfNoneMatch = None) -> Response:
    """Read one agent."""
    return shown(AgentV2.model_validate(await find(portal, agent_id)), if_none_match=if_none_match)


@router.patch("/{agent_id}", response_model=AgentV2, dependencies=_WRITE)
async def change_agent(agent_id: AgentId, body: AgentPatch, portal: Portal, if_match: IfMatch = None) -> Response:
    """Change an agent, and tell those who watch channel `agent.{agent_id}`, in the words of version 1."""
    return shown(AgentV2.model_validate(await change(portal, agent_id, body, if_match)))


@router.post("/{agent_id}/heartbeat", status_code=204, dependencies=_WRITE)
async def beat(agent_id: AgentId, portal: Portal) -> Response:
    """Note that an agent is alive. This is no change of the agent: its version stays."""
    await note_beat(portal, agent_id)
    return Response(status_code=204)
