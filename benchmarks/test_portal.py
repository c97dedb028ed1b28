"""The portal's hot paths, in process: what a change of the API under test costs.

Compare with an earlier state: ``make bench ARGS=--benchmark-save=before``, change, ``--benchmark-compare``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from portal.app import create_app
from portal.hub import Hub
from portal.measured import Measured
from portal.metrics import Metrics
from portal.seed import PASSWORD
from portal.settings import Settings
from portal.timing import timed


@pytest.fixture(scope="module")
def portal() -> Iterator[TestClient]:
    """The portal as it ships, signed in."""
    with TestClient(create_app(Settings())) as client:
        form = {"username": "user000", "password": PASSWORD}
        token = client.post("/api/v1/auth/token", data=form).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


ROUTES: dict[str, tuple[str, str, Any, int]] = {
    "health": ("GET", "/healthz", None, 200),
    "read agent": ("GET", "/api/v1/agents/17", None, 200),
    "list 20 tasks": ("GET", "/api/v1/tasks?limit=20", None, 200),
    "create task": ("POST", "/api/v1/tasks", {"title": "Look into it"}, 201),
    "patch agent": ("PATCH", "/api/v1/agents/17", {"status": "busy"}, 200),
    "heartbeat": ("POST", "/api/v1/agents/17/heartbeat", None, 204),
}


@pytest.mark.parametrize("route", ROUTES)
def test_route(benchmark: Any, portal: TestClient, route: str) -> None:
    """One request through the whole application; ``health`` is the floor that the test client itself costs."""
    method, path, body, expected = ROUTES[route]
    answer = benchmark(lambda: portal.request(method, path, json=body))
    assert answer.status_code == expected


class _Subscriber:
    heard = 0

    def put(self, frame: str) -> bool:
        self.heard += 1
        return True


@pytest.mark.parametrize("subscribers", [1, 48, 1000])
def test_fan_out(benchmark: Any, subscribers: int) -> None:
    """One publication to all subscribers of a channel, sockets left out."""
    hub, listeners = Hub(), [_Subscriber() for _ in range(subscribers)]
    for listener in listeners:
        hub.subscribe(listener, ["agent.1"])

    def publish() -> None:
        hub.publish("agent.1", publisher="p1", publisher_seq=0, intended_ns=1, sent_ns=2, data={"status": "busy"})

    benchmark(publish)
    assert len({listener.heard for listener in listeners}) == 1


def test_measuring(beside: Any) -> None:
    """What naming, timing and counting adds to a request, next to an application that does nothing."""
    requests = 1_000
    headers = [
        (b"host", b"portal"),
        (b"accept", b"*/*"),
        (b"authorization", b"Bearer x"),
        (b"accept-encoding", b"gzip"),
    ]

    async def bare(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def timing(scope: Scope, receive: Receive, send: Send) -> None:
        for part in ("auth", "pool", "db"):
            with timed(part):
                pass
        await bare(scope, receive, send)

    async def nothing(*_: object) -> Any:
        return None

    async def serve(app: ASGIApp) -> None:
        for _ in range(requests):
            await app({"type": "http", "method": "GET", "headers": headers}, nothing, nothing)

    measured = Measured(timing, Metrics())
    with asyncio.Runner() as loop:
        beside(
            "measuring a request",
            lambda: loop.run(serve(measured)),
            lambda: loop.run(serve(bare)),
            requests,
            "a bare application",
        )
