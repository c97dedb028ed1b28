"""What the portal knows of itself, for Prometheus."""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol

from fastapi import APIRouter
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from portal.database import Database
from portal.hub import Hub
from portal.services import Portal
from portal.settings import is_loopback
from portal.websocket import AgentSockets

router = APIRouter()
"""The route of metrics."""

BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
"""Upper bounds. Each is written for every route at every scrape, so there are no more than 1 ms to 10 s asks for."""
UNMATCHED = "(unmatched)"
"""The route of every path that no template matches."""
LAG_INTERVAL_S = 0.1
"""How often the event loop's lag is measured."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class CacheCounters(Protocol):
    """What is asked of a cache: how often it had the answer, and how many rows it was to forget."""

    hits: int
    misses: int
    forgotten: int


class Metrics:
    """One portal's numbers, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.in_flight = 0
        """HTTP requests under way."""
        self._requests = Histogram(
            "portal_request_seconds",
            "Time from a request to the end of its answer.",
            ("route", "method", "status"),
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self._series: dict[tuple[str, str, int], Histogram] = {}  # labels() is dearer than a look-up
        self._waits = Histogram(
            "portal_database_wait_seconds",
            "Time requests waited for a database connection.",
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self._lags = Histogram(
            "portal_loop_lag_seconds",
            "How late the event loop woke a task.",
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self._lag = Gauge("portal_loop_lag_last_seconds", "The newest such lag.", registry=self.registry)
        ProcessCollector(registry=self.registry)

    def watch(
        self, database: Database, hub: Hub, sockets: AgentSockets, cache: CacheCounters | None = None
    ) -> Collector:
        """Read these at each scrape, until the collector that is returned is unregistered."""
        collector = _Readings(self, database, hub, sockets, cache)
        self.registry.register(collector)
        return collector

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Note an answered request; status 0 is one that got no answer."""
        key = (route, method if method in _METHODS else "(other)", status)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._requests.labels(*map(str, key))
        series.observe(seconds)

    def observe_wait(self, seconds: float) -> None:
        """Note how long a request waited for a database connection."""
        self._waits.observe(seconds)

    async def follow_lag(
        self,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Measure for ever how late the event loop wakes."""
        while True:
            asked_ns = clock_ns()
            await sleep(LAG_INTERVAL_S)
            lag_s = max(0.0, (clock_ns() - asked_ns) / 1e9 - LAG_INTERVAL_S)
            self._lags.observe(lag_s)
            self._lag.set(lag_s)


class _Readings(Collector):
    def __init__(
        self, metrics: Metrics, database: Database, hub: Hub, sockets: AgentSockets, cache: CacheCounters | None
    ) -> None:
        self._metrics, self._database, self._hub, self._sockets, self._cache = metrics, database, hub, sockets, cache

    def collect(self) -> Iterator[Metric]:
        """Read everything once."""
        yield GaugeMetricFamily("portal_requests_in_flight", "HTTP requests under way.", self._metrics.in_flight)
        yield GaugeMetricFamily(
            "portal_database_connections_in_use", "Connections lent.", self._database.connections_in_use
        )
        yield GaugeMetricFamily("portal_sockets_open", "WebSockets accepted and not ended.", len(self._sockets.open))
        yield GaugeMetricFamily("portal_frames_queued", "Frames that wait for a socket.", self._sockets.frames_queued)
        yield CounterMetricFamily("portal_events_published", "Events numbered.", self._hub.published)
        yield CounterMetricFamily("portal_events_dropped", "Deliveries refused by a full outbox.", self._hub.dropped)
        if self._cache is not None:
            yield CounterMetricFamily("portal_cache_hits", "Answers the cache had.", self._cache.hits)
            yield CounterMetricFamily("portal_cache_misses", "Answers it had not.", self._cache.misses)
            yield CounterMetricFamily("portal_cache_forgotten", "Rows forgotten for a write.", self._cache.forgotten)


@router.get("/metrics", include_in_schema=False)
async def show_metrics(request: Request, portal: Portal) -> Response:
    """Show every number: to this machine only, or to whoever holds the token when there is one."""
    token = portal.settings.metrics_token
    if token is not None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
            raise HTTPException(401, "the metrics token is needed", {"WWW-Authenticate": "Bearer"})
    elif request.client is None or not is_loopback(request.client.host):
        raise HTTPException(403, "metrics are shown to loopback only, unless PORTAL_METRICS_TOKEN is set")
    metrics: Metrics = request.app.state.metrics
    # Tens of milliseconds with many routes: in a thread they are shared with the event loop, slice by slice.
    text = await asyncio.to_thread(generate_latest, metrics.registry)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
