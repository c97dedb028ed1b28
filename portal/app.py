"""The application: rooms put together."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager

from fastapi import FastAPI
from starlette.routing import WebSocketRoute

from portal import agents, auth, health, problems, tasks
from portal.database import Database, temporary_url
from portal.hub import Hub
from portal.migrations import migrate
from portal.models import metadata
from portal.passwords import Passwords, hash_demo
from portal.problems import BodyLimit
from portal.seed import PASSWORD, seed
from portal.services import Services
from portal.settings import Settings, SettingsError
from portal.slow import Slow, SlowError, check_delays
from portal.templates import Templates
from portal.tokens import Tokens
from portal.websocket import AgentSockets

ROUTERS = (agents.router, tasks.router, auth.router, health.router)
"""The rooms with HTTP routes."""


def create_app(
    settings: Settings | None = None,
    *,
    clock: Callable[[], float] = time.time,
    monotonic_ns: Callable[[], int] = time.monotonic_ns,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> FastAPI:
    """Build a portal; its database opens when the application starts.

    Without `settings` they are read from the environment; then some other server binds, to an address that is not known
    here, and laboratory switches are refused. `clock` and `monotonic_ns` tell the time to all of it, and `sleep`
    is what a delayed route waits with.
    """
    settings = settings or Settings.from_environment(os.environ, host="an unknown address")
    templates = Templates(route for router in ROUTERS for route in router.routes)
    app = FastAPI(
        title="The portal where agents are coordinated",
        version="1",
        lifespan=_lifespan(settings, clock, monotonic_ns),
        redirect_slashes=False,
    )
    for router in ROUTERS:
        app.include_router(router)
    app.router.routes.append(WebSocketRoute("/ws/agents", AgentSockets()))
    problems.install(app, templates)
    app.add_middleware(BodyLimit, body_bytes=settings.body_bytes)
    if settings.delays:
        try:
            check_delays(settings.delays, templates.names)
        except SlowError as error:
            raise SettingsError(f"PORTAL_SLOW: {error}") from error
        app.add_middleware(Slow, delays=settings.delays, sleep=sleep)
    return app


def _lifespan(
    settings: Settings, clock: Callable[[], float], monotonic_ns: Callable[[], int]
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with ExitStack() as stack:
            url = settings.database_url or stack.enter_context(temporary_url())
            database = Database(url)
            passwords = Passwords()
            stack.callback(passwords.close)
            try:
                async with database.transaction() as connection:
                    # A temporary file is gone before the next revision; tests hold both ways to one schema.
                    await connection.run_sync(migrate if settings.database_url else metadata.create_all)
                    await seed(
                        connection,
                        agent_count=settings.agents,
                        task_count=settings.tasks,
                        account_count=settings.accounts,
                        password_hash=hash_demo(PASSWORD),
                    )
                app.state.services = Services(
                    settings=settings,
                    database=database,
                    passwords=passwords,
                    tokens=Tokens(
                        settings.secret,
                        access_token_s=settings.access_token_s,
                        refresh_token_s=settings.refresh_token_s,
                        clock=clock,
                    ),
                    hub=Hub(),
                    clock=clock,
                    monotonic_ns=monotonic_ns,
                )
                yield
            finally:
                await database.close()

    return lifespan
