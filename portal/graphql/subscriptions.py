"""What can be watched."""

import json
from collections.abc import AsyncGenerator

import strawberry

from portal.graphql.context import Info
from portal.graphql.errors import RefusedError
from portal.graphql.types import Agent, key_of
from portal.hub import REST, HubFullError
from portal.outbox import Outbox
from portal.schemas import AgentView


@strawberry.type
class Subscription:
    """The entry to all watching."""

    @strawberry.subscription(
        description="An agent, each time a client has changed it; its versions come without a gap."
    )
    async def agent_changed(
        self,
        info: Info,
        id: strawberry.ID,
    ) -> AsyncGenerator[Agent, None]:
        """Follow an agent's channel; what clients publish there themselves is no change of it."""
        info.context.demand("agents:read")
        services, settings = info.context.services, info.context.services.settings
        if not services.fanout.is_connected:
            raise RefusedError("UNAVAILABLE", "events do not arrive here at the moment")
        outbox = Outbox(settings.queue_frames, settings.queue_bytes, info.context.on_overflow)
        try:
            services.hub.subscribe(outbox, [f"agent.{key_of(id)}"])
        except HubFullError as error:
            raise RefusedError("UNAVAILABLE", str(error)) from error
        try:
            while True:
                event = json.loads(await outbox.take())
                if event["publisher"] == REST:
                    yield Agent.of(AgentView.model_validate(event["data"]))
        finally:
            services.hub.leave(outbox)
