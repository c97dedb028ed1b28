"""The application: rooms put together."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, nullcontext

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route, WebSocketRoute

from portal import admin, agents, agents_v2, auth, health, lab, metrics, openapi, problems, tasks, tasks_v2
from portal.apikeys import ApiKeys
from portal.audit import Audit
from portal.cache import Cache, MemoryCache
from portal.database import Database, temporary_url
from portal.families import Families
from portal.faults import Faults
from portal.graphql import endpoint as graphql
from portal.graphql.sockets import GraphQLSockets
from portal.headers import SecurityHeaders
from portal.history import History
from portal.hub import Hub
from portal.idempotency import Once
from portal.lab import Lab
from portal.mcp import integrations
from portal.mcp.endpoint import McpEndpoint
from portal.mcp.external import External
from portal.mcp.server import make_sessions
from portal.measured import MeasuredFastAPI
from portal.metrics import Metrics
from portal.migrations import migrate
from portal.models import metadata
from portal.passwords import Passwords, hash_demo
from portal.problems import BodyLimit
from portal.rate import Buckets
from portal.ratelimit import RateLimit
from portal.rediscache import RedisCache
from portal.redisfanout import RedisFanout
from portal.seed import PASSWORD, seed
from portal.services import Services
from portal.session import RESTART
from portal.settings import Settings, SettingsError
from portal.slow import Slow, SlowError, check_delays
from portal.templates import Templates
from portal.tokens import Tokens
from portal.versions import Deprecation
from portal.websocket import AgentSockets

ROUTERS = (
    agents.router,
    tasks.router,
    agents_v2.router,
    tasks_v2.router,
    auth.router,
    admin.router,
    integrations.router,
    graphql.router,
    health.router,
    metrics.router,
)
"""The rooms with HTTP routes."""


def create_app(
    settings: Settings | None = None,
    *,
    clock: Callable[[], float] = time.time,
    monotonic_ns: Callable[[], int] = time.monotonic_ns,
    perf_ns: Callable[[], int] = time.perf_counter_ns,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> FastAPI:
    """Build a portal; its database opens when the application starts.

    Without `settings` they are read from the environment; then some other server binds, to an address that is not known
    here, and laboratory switches are refused. `clock` and `monotonic_ns` tell the time to all of it, `perf_ns` tells
    it to what is measured of requests, and `sleep` is what a delayed route waits with.
    """
    settings = settings or Settings.from_environment(os.environ, host="an unknown address")
    templates = Templates(route for router in ROUTERS for route in router.routes)
    sockets = AgentSockets(Buckets(settings.rate_limit, monotonic_ns) if settings.rate_limit else None)
    graphql_sockets = GraphQLSockets()
    app = MeasuredFastAPI(
        title="The portal where agents are coordinated",
        version="2",
        lifespan=_lifespan(settings, sockets, graphql_sockets, clock, monotonic_ns),
        redirect_slashes=False,
    )
    app.state.metrics = Metrics()
    app.state.perf_ns = perf_ns
    app.state.access_log = settings.log == "json"
    for router in ROUTERS:
        app.include_router(router)
    app.router.routes.append(WebSocketRoute("/ws/agents", sockets))
    app.router.routes.append(WebSocketRoute("/graphql", graphql_sockets))
    app.router.routes.append(Route("/mcp", McpEndpoint()))
    problems.install(app, templates)
    openapi.install(app)
    app.add_middleware(BodyLimit, body_bytes=settings.body_bytes)
    app.add_middleware(Deprecation)
    if settings.delays:
        try:
            check_delays(settings.delays, templates.names)
        except SlowError as error:
            raise SettingsError(f"PORTAL_SLOW: {error}") from error
        app.add_middleware(Slow, delays=settings.delays, sleep=sleep)
    if settings.lab:
        app.include_router(lab.router)
        app.state.lab = Lab(templates.names, sleep)
        app.add_middleware(Faults, lab=app.state.lab, templates=templates)
    if settings.rate_limit is not None:
        app.add_middleware(RateLimit, rate=settings.rate_limit, monotonic_ns=monotonic_ns)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "X-API-Key",
                "X-Request-ID",
                "If-Match",
                "If-None-Match",
                "Idempotency-Key",
            ],
            expose_headers=["ETag", "Location", "Retry-After", "RateLimit", "RateLimit-Policy", "WWW-Authenticate"],
        )
    app.add_middleware(SecurityHeaders)
    return app


def _lifespan(
    settings: Settings,
    sockets: AgentSockets,
    graphql_sockets: GraphQLSockets,
    clock: Callable[[], float],
    monotonic_ns: Callable[[], int],
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    def close_sockets() -> None:
        sockets.close(RESTART)
        graphql_sockets.close(RESTART)

    def revoke(credential: str) -> None:
        sockets.revoke(credential)
        graphql_sockets.revoke(credential)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with ExitStack() as stack:
            url = settings.database_url or stack.enter_context(temporary_url())
            cache: Cache = MemoryCache(rows=settings.cache_rows, ttl_s=settings.cache_ttl_s, monotonic_ns=monotonic_ns)
            if settings.redis_url is not None:
                cache = RedisCache(settings.redis_url, url, ttl_s=settings.cache_ttl_s, monotonic_ns=monotonic_ns)
            database = Database(
                url, connections=settings.pool_connections, wait_s=settings.pool_wait_s, on_change=cache.forget
            )
            passwords = Passwords()
            stack.callback(passwords.close)
            hub = Hub(history=History(settings.history_frames, settings.history_bytes))
            shared = RedisFanout(hub, settings.redis_url, close_sockets) if settings.redis_url else None
            numbers: Metrics = app.state.metrics
            stack.callback(numbers.registry.unregister, numbers.watch(database, hub, sockets, cache))
            if settings.lab:
                stack.callback(app.state.lab.stop)
            stack.callback(asyncio.create_task(numbers.follow_lag()).cancel)
            external = External(settings, monotonic_ns=monotonic_ns)
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
                audit = Audit(database, clock=clock)
                families = Families(
                    database,
                    access_token_s=settings.access_token_s,
                    refresh_token_s=settings.refresh_token_s,
                    clock=clock,
                )
                await families.load()
                api_keys = ApiKeys(database, clock=clock, monotonic_ns=monotonic_ns)
                families.on_revoked = api_keys.on_revoked = revoke
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
                    families=families,
                    api_keys=api_keys,
                    failed_logins=Buckets(settings.failed_logins, monotonic_ns),
                    audit=audit,
                    cache=cache,
                    hub=hub,
                    fanout=shared or hub,
                    external=external,
                    once=Once(database, lambda: int(clock() * 1000)),
                    clock=clock,
                    monotonic_ns=monotonic_ns,
                )
                app.state.mcp_sessions = make_sessions(app.state.services)
                reload = asyncio.create_task(families.run(asyncio.sleep))
                try:
                    async with (
                        audit.running(),
                        app.state.mcp_sessions.run(),
                        shared.running() if shared else nullcontext(),
                    ):
                        yield
                finally:
                    reload.cancel()
                    await asyncio.wait((reload,))
            finally:
                await external.close()
                await cache.close()
                await database.close()

    return lifespan
