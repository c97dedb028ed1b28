"""The portal's hot paths, in process: what a change of the API under test costs.

The peer of a request is the same request to a bare Starlette route that answers as many bytes, so that a ratio says
what the portal's own work costs and not the machine's mood. Compare with an earlier state:
``make bench ARGS=--benchmark-save=before``, change, ``--benchmark-compare``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from benchmarks.inprocess import InProcess, Socket, say
from portal.app import create_app
from portal.hub import Hub
from portal.measured import Measured
from portal.metrics import Metrics
from portal.seed import PASSWORD
from portal.settings import Settings
from portal.timing import timed

LOGIN = urlencode({"username": "user000", "password": PASSWORD}).encode()
FORM = {"content-type": "application/x-www-form-urlencoded"}
BOARD = """{ agents(first: 20) { edges { node { id name tasks(first: 5) { edges { node { id title } } } } } } }"""
MCP = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
OPENING = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}},
}
GET_AGENT = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "get_agent", "arguments": {"agent_id": 17}},
}
SUBSCRIBERS = 48
PUBLISH = {
    "type": "publish",
    "id": 1,
    "channel": "agent.1",
    "publisher": "p1",
    "seq": 0,
    "intended_ns": 1,
    "sent_ns": 2,
    "data": {"status": "busy"},
}


class Hot(NamedTuple):
    """A request, and what says that its answer is right."""

    method: str
    target: str
    body: Any
    status: int
    is_right: Callable[[Any], bool]
    headers: Mapping[str, str] = MappingProxyType({})
    requests: int = 100
    """How many make one round."""


def _keys(row: dict[str, Any], *keys: str) -> bool:
    return set(keys) <= row.keys()


HOT: dict[str, Hot] = {
    "login": Hot("POST", "/api/v1/auth/token", LOGIN, 200, lambda b: _keys(b, "access_token"), FORM, requests=2),
    "v1 list agents": Hot("GET", "/api/v1/agents?limit=20", None, 200, lambda b: len(b["items"]) == 20),
    "v1 read agent": Hot("GET", "/api/v1/agents/17", None, 200, lambda b: b["agent_id"] == 17),
    "v1 patch agent": Hot("PATCH", "/api/v1/agents/18", {"status": "busy"}, 200, lambda b: b["status"] == "busy"),
    "v1 heartbeat": Hot("POST", "/api/v1/agents/19/heartbeat", None, 204, lambda b: b is None),
    "v1 create task": Hot("POST", "/api/v1/tasks", {"title": "Look"}, 201, lambda b: b["task_id"] > 5_000),
    "v1 assign": Hot("POST", "/api/v1/tasks/{open}/assign", {"agent_id": 3}, 200, lambda b: b["agent_id"] == 3),
    "v1 list tasks filtered": Hot(
        "GET", "/api/v1/tasks?status=open&limit=20", None, 200, lambda b: {r["status"] for r in b["items"]} == {"open"}
    ),
    "v2 read, not modified": Hot("GET", "/api/v2/agents/17", None, 304, lambda b: b is None, {"if-none-match": '"1"'}),
    "v2 bulk create 100": Hot(
        "POST",
        "/api/v2/tasks/bulk",
        {"items": [{"title": f"t{n}"} for n in range(100)]},
        201,
        lambda b: len(b["data"]) == 100,
        requests=10,
    ),
    "GraphQL agents with tasks": Hot(
        "POST", "/graphql", {"query": BOARD}, 200, lambda b: len(b["data"]["agents"]["edges"]) == 20, requests=10
    ),
    "MCP get_agent": Hot(
        "POST",
        "/mcp",
        GET_AGENT,
        200,
        lambda b: b["result"]["structuredContent"]["agent_id"] == 17,
        MCP | {"mcp-session-id": "{session}"},
    ),
}


@pytest.fixture(scope="module")
def portal() -> Iterator[InProcess]:
    """The portal as it ships, signed in."""
    with InProcess(create_app(Settings())) as portal:
        _, _, body = portal.run(portal.ask("POST", "/api/v1/auth/token", LOGIN, FORM))
        portal.headers["authorization"] = f"Bearer {json.loads(body)['access_token']}"
        yield portal


@pytest.fixture(scope="module")
def names(portal: InProcess) -> dict[str, str]:
    """What only the portal knows: a task that nobody has, and an MCP session."""
    _, _, body = portal.run(portal.ask("GET", "/api/v1/tasks?status=open&limit=1"))
    _, headers, _ = portal.run(portal.ask("POST", "/mcp", OPENING, MCP))
    return {"open": str(json.loads(body)["items"][0]["task_id"]), "session": headers["mcp-session-id"]}


def _bare(status: int, content: bytes) -> InProcess:
    """An application that reads the body and answers so many bytes."""

    async def answer(request: Request) -> Response:
        await request.body()
        return Response(content, status, media_type="application/json")

    return InProcess(Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST", "PATCH"])]))


@pytest.mark.parametrize("name", HOT)
def test_route(beside: Any, portal: InProcess, names: dict[str, str], name: str) -> None:
    """One request through the whole application, its answer looked at once."""
    hot = HOT[name]
    target = hot.target.format(**names)
    headers = {key: value.format(**names) for key, value in hot.headers.items()}
    status, _, content = portal.run(portal.ask(hot.method, target, hot.body, headers))
    assert status == hot.status, content
    assert hot.is_right(json.loads(content or b"null")), content

    async def ask(server: InProcess) -> None:
        for _ in range(hot.requests):
            status, _, _ = await server.ask(hot.method, target, hot.body, headers)
            assert status == hot.status

    with _bare(hot.status, content) as bare:
        beside(name, lambda: portal.run(ask(portal)), lambda: bare.run(ask(bare)), hot.requests, "a bare route")


async def _open(server: InProcess, channel: str) -> tuple[Socket, list[Socket]]:
    """A publisher's socket, and subscribers of one channel."""
    publisher, *subscribers = [Socket(server, "/ws/agents") for _ in range(SUBSCRIBERS + 1)]
    for socket in (publisher, *subscribers):
        assert (await socket.take())["type"] == "websocket.accept"
    say(subscribers, {"type": "subscribe", "channels": [channel]})
    for socket in subscribers:
        await socket.take()
    return publisher, subscribers


async def _publish(publisher: Socket, subscribers: list[Socket], events: int = 20) -> dict[str, Any]:
    """Publish some events, wait until all have come to all, and return the last."""
    for _ in range(events):
        say([publisher], PUBLISH)
    for socket in subscribers:
        last = await socket.take(events)
    await publisher.take(events)
    heard: dict[str, Any] = json.loads(last["text"])
    return heard


async def _close(*sockets: Socket) -> None:
    for socket in sockets:
        await socket.close()


def test_publish(beside: Any, portal: InProcess) -> None:
    """One publication from socket to sockets, next to a bare Starlette route that sends each a frame as long."""
    publisher, subscribers = portal.run(_open(portal, PUBLISH["channel"]))
    event = portal.run(_publish(publisher, subscribers))
    assert (event["type"], event["seq"], event["data"]) == ("event", 20, PUBLISH["data"])
    frame, open_sockets = json.dumps(event, separators=(",", ":")), list[WebSocket]()

    async def serve(socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            if '"subscribe"' in text:
                open_sockets.append(socket)
            else:
                for each in open_sockets:
                    await each.send_text(frame)
            await socket.send_text('{"type":"answer"}')

    with InProcess(Starlette(routes=[WebSocketRoute("/ws/agents", serve)])) as bare:
        bares_publisher, bares_subscribers = bare.run(_open(bare, PUBLISH["channel"]))
        beside(
            f"a publication to {SUBSCRIBERS} sockets",
            lambda: portal.run(_publish(publisher, subscribers)),
            lambda: bare.run(_publish(bares_publisher, bares_subscribers)),
            20,
            "a bare route",
        )
        assert bare.run(_publish(bares_publisher, bares_subscribers)) == event
        portal.run(_close(publisher, *subscribers))
        bare.run(_close(bares_publisher, *bares_subscribers))


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
