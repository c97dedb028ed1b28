"""Subscriptions at `/graphql`, message by message."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect

from portal.app import create_app
from portal.graphql.sockets import GraphQLSockets
from portal.hub import Hub
from portal.services import Services
from portal.settings import Settings
from portal.tokens import Tokens

PROTOCOL = ["graphql-transport-ws"]
DEADLINE_S = 30  # against hanging for ever; nothing is measured
WATCH = {"query": "subscription($id: ID!) {agentChanged(id: $id) {id status version}}", "variables": {"id": "3"}}


def _init(socket: WebSocketTestSession, portal: TestClient) -> None:
    socket.send_json({"type": "connection_init", "payload": {"authorization": portal.headers["Authorization"]}})
    assert socket.receive_json() == {"type": "connection_ack"}


def _close_code(socket: WebSocketTestSession) -> int:
    """Read to the end and return the code of the close frame."""
    try:
        while True:
            socket.receive_json()
    except WebSocketDisconnect as closed:
        return closed.code


def _subscribe(socket: WebSocketTestSession, portal: TestClient, name: str, payload: dict[str, Any]) -> None:
    """Subscribe, and wait until the hub knows: a query that comes later is answered later."""
    socket.send_json({"type": "subscribe", "id": name, "payload": payload})
    socket.send_json({"type": "subscribe", "id": f"after {name}", "payload": {"query": "{agent(id: 1) {id}}"}})
    assert [socket.receive_json()["type"] for _ in range(2)] == ["next", "complete"]


def test_each_change_of_an_agent_arrives_whoever_makes_it(open_portal: Callable[..., TestClient]) -> None:
    """Over REST or GraphQL; what clients publish on its channel does not, nor do other agents' changes."""
    portal = open_portal()
    with (
        portal.websocket_connect("/graphql", PROTOCOL) as watcher,
        portal.websocket_connect("/ws/agents") as publisher,
    ):
        assert watcher.accepted_subprotocol == PROTOCOL[0]
        _init(watcher, portal)
        _subscribe(watcher, portal, "w", WATCH)
        portal.patch("/api/v1/agents/4", json={"status": "busy"})
        portal.patch("/api/v1/agents/3", json={"status": "busy"})
        event = {"type": "publish", "channel": "agent.3", "publisher": "p", "seq": 0, "intended_ns": 0, "sent_ns": 0}
        publisher.send_json(event)
        publisher.receive_json()
        update = "mutation {updateAgent(id: 3, changes: {status: OFFLINE}) {version}}"
        portal.post("/graphql", json={"query": update})
        for status, version in (("BUSY", 2), ("OFFLINE", 3)):
            agent = {"id": "3", "status": status, "version": version}
            assert watcher.receive_json() == {"id": "w", "type": "next", "payload": {"data": {"agentChanged": agent}}}
        watcher.send_json({"type": "complete", "id": "w"})
        _subscribe(watcher, portal, "v", WATCH | {"variables": {"id": "5"}})
        portal.patch("/api/v1/agents/3", json={"status": "busy"})
        portal.patch("/api/v1/agents/5", json={"status": "busy"})
        assert watcher.receive_json()["id"] == "v"


def test_a_token_comes_with_connection_init_or_with_the_handshake(portal: TestClient, anonymous: TestClient) -> None:
    """Without a valid one 4403; with nothing but a subscription 4401."""
    refresh = anonymous.post("/api/v1/auth/token", data={"username": "user000", "password": "agents-at-work"}).json()[
        "refresh_token"
    ]
    for headers, payload in (
        ({}, None),
        ({}, {"authorization": "Bearer nonsense"}),
        ({}, {"authorization": f"Bearer {refresh}"}),
        ({}, {"authorization": portal.headers["Authorization"].removeprefix("Bearer ")}),
        ({}, {"authorization": 7}),
        ({"Authorization": "Bearer nonsense"}, {}),
        ({"Authorization": portal.headers["Authorization"]}, {"authorization": "Bearer nonsense"}),
    ):
        with anonymous.websocket_connect("/graphql", PROTOCOL, headers=headers) as socket:
            socket.send_json({"type": "connection_init", "payload": payload})
            assert _close_code(socket) == 4403, (headers, payload)
    with anonymous.websocket_connect("/graphql", PROTOCOL) as socket:
        socket.send_json({"type": "subscribe", "id": "w", "payload": WATCH})
        assert _close_code(socket) == 4401
    handshake = {"Authorization": portal.headers["Authorization"]}
    for headers, payload in ((handshake, {}), ({}, {"Authorization": handshake["Authorization"]})):
        with anonymous.websocket_connect("/graphql", PROTOCOL, headers=headers) as socket:
            socket.send_json({"type": "connection_init", "payload": payload})
            assert socket.receive_json() == {"type": "connection_ack"}


def test_a_page_of_another_origin_gets_no_socket(portal: TestClient) -> None:
    """A browser says where its page is from."""
    with (
        pytest.raises(WebSocketDisconnect),
        portal.websocket_connect("/graphql", PROTOCOL, headers={"Origin": "https://elsewhere.example"}),
    ):
        pass


def test_queries_are_answered_and_limits_hold_on_a_socket(portal: TestClient) -> None:
    """An operation that is refused ends alone; the socket stays."""
    with portal.websocket_connect("/graphql", PROTOCOL) as socket:
        _init(socket, portal)
        deep = "subscription {agentChanged(id: 1) {tasks {edges {node {agent {tasks {edges {node {id}}}}}}}}}"
        costly = "{agents(first: 100) {edges {node {tasks {edges {cursor}}}}}}"
        for query, code in ((deep, "TOO_DEEP"), (costly, "TOO_COSTLY"), ("{nothing}", "INVALID")):
            socket.send_json({"type": "subscribe", "id": "q", "payload": {"query": query}})
            answer = socket.receive_json()
            assert (answer["type"], answer["id"]) == ("error", "q")
            assert [error["extensions"]["code"] for error in answer["payload"]] == [code]
        socket.send_json({"type": "subscribe", "id": "q", "payload": {"query": "{agent(id: 1) {id}}"}})
        assert socket.receive_json()["payload"] == {"data": {"agent": {"id": "1"}}}
        assert socket.receive_json() == {"type": "complete", "id": "q"}
        socket.send_json({"type": "ping"})
        assert socket.receive_json() == {"type": "pong"}


def test_a_socket_remembers_no_rows(open_portal: Callable[..., TestClient]) -> None:
    """What changed between two queries is seen by the second."""
    portal = open_portal()
    with portal.websocket_connect("/graphql", PROTOCOL) as socket:
        _init(socket, portal)
        for version in (1, 2):
            socket.send_json({"type": "subscribe", "id": "q", "payload": {"query": "{agent(id: 3) {version}}"}})
            assert socket.receive_json()["payload"] == {"data": {"agent": {"version": version}}}
            assert socket.receive_json()["type"] == "complete"
            portal.patch("/api/v1/agents/3", json={"status": "busy"})


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", 4400),
        ("[]", 4400),
        ("7", 4400),
        ("{}", 4400),
        ('{"type": ["ping"]}', 4400),
        ('{"type": "start"}', 4400),
        ('{"type": "subscribe", "id": "q"}', 4400),
        ('{"type": "subscribe", "id": ["q"], "payload": {"query": "{a}"}}', 4400),
        ('{"type": "subscribe", "id": "q", "payload": []}', 4400),
        ('{"type": "subscribe", "id": "q", "payload": {"query": 7}}', 4400),
        ('{"type": "subscribe", "id": "q", "payload": {"query": "{", "variables": {"a": "%s"}}}' % ("x" * 900), 4400),
        ('{"type": "complete", "id": {}}', 4400),
        ('{"type": "connection_init"}', 4429),
        ("[" * 60_000, 4400),
        (" " * 70_000, 1009),
    ],
)
def test_what_is_no_message_closes_the_socket(portal: TestClient, text: str, code: int) -> None:
    """The codes are those of the graphql-transport-ws protocol, and RFC 6455's for what is too long."""
    with portal.websocket_connect("/graphql", PROTOCOL) as socket:
        _init(socket, portal)
        socket.send_text(text)
        assert _close_code(socket) == code


def test_binary_foreign_protocols_and_a_second_use_of_an_id_close_it_too(portal: TestClient) -> None:
    """4400, 4406 and 4409."""
    with portal.websocket_connect("/graphql", PROTOCOL) as socket:
        socket.send_bytes(b"{}")
        assert _close_code(socket) == 4400
    with portal.websocket_connect("/graphql", ["graphql-ws"]) as socket:
        assert _close_code(socket) == 4406
    with portal.websocket_connect("/graphql", PROTOCOL) as socket:
        _init(socket, portal)
        for _ in range(2):
            socket.send_json({"type": "subscribe", "id": "w", "payload": WATCH})
        assert _close_code(socket) == 4409


class Client:
    """The other end of one socket's ASGI channel, which may stop reading."""

    def __init__(self, services: Services) -> None:
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._services = services
        self.sent: list[Message] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self.say({"type": "websocket.connect"})

    async def serve(self, init_s: float = 10) -> None:
        """Let the portal serve this socket to its end."""

        class App:
            class state:  # noqa: N801 (as Starlette names it)
                services = self._services

        scope = {"type": "websocket", "path": "/graphql", "headers": [], "subprotocols": PROTOCOL, "app": App}
        await GraphQLSockets(init_s)(scope, self._incoming.get, self._take)

    async def _take(self, message: Message) -> None:
        if message["type"] == "websocket.send":
            await self.reading.wait()
        self.sent.append(message)

    def say(self, message: dict[str, Any]) -> None:
        """Say something on the wire."""
        self._incoming.put_nowait(message)

    def send(self, message: dict[str, Any]) -> None:
        """Say something in the protocol."""
        self.say({"type": "websocket.receive", "text": json.dumps(message)})

    def heard(self) -> list[dict[str, Any]]:
        """Return the messages that were read."""
        return [json.loads(message["text"]) for message in self.sent if message["type"] == "websocket.send"]

    def closed(self) -> list[int]:
        """Return the codes of the close frames."""
        return [message["code"] for message in self.sent if message["type"] == "websocket.close"]


@asynccontextmanager
async def _services(**settings: Any) -> AsyncIterator[Services]:
    app = create_app(Settings(agents=3, tasks=0, accounts=0, **settings))
    async with app.router.lifespan_context(app):
        yield app.state.services


async def _settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def _watching(services: Services) -> Client:
    client = Client(services)
    token = services.tokens.issue("user000", "access", fam="here", role="operator")
    client.send({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
    client.send({"type": "subscribe", "id": "w", "payload": WATCH})
    return client


def _change(services: Services, version: int) -> None:
    times = {"last_heartbeat_at_ms": None, "created_at_ms": 0, "updated_at_ms": 0}
    agent = {"agent_id": 3, "name": "a", "kind": "coder", "status": "busy", "version": version}
    services.hub.announce("agent.3", agent | times, 0)


def test_a_slow_consumer_is_closed_with_1013_while_others_keep_receiving() -> None:
    """Five messages may wait and one is on its way; the seventh is one too many for the one who does not read."""

    async def scene() -> None:
        async with _services(queue_frames=5) as services:
            slow, quick = _watching(services), _watching(services)
            served = [asyncio.create_task(client.serve()) for client in (slow, quick)]
            await _settle()
            assert len(services.hub.subscribers("agent.3")) == 2
            slow.reading.clear()
            for version in range(6):
                _change(services, version)
                await _settle()
            assert slow.closed() == []
            _change(services, 6)
            await _settle()
            assert slow.closed() == [1013]
            assert served[0].done()
            assert len(services.hub.subscribers("agent.3")) == 1
            _change(services, 7)
            await _settle()
            versions = [one["payload"]["data"]["agentChanged"]["version"] for one in quick.heard()[1:]]
            assert versions == list(range(8))
            quick.say({"type": "websocket.disconnect", "code": 1000})
            await served[1]
            assert quick.closed() == []
            assert services.hub.subscribers("agent.3") == ()

    asyncio.run(scene())


def test_a_burst_that_does_not_fit_closes_the_socket_too() -> None:
    """Six events in one moment, before anybody can run, are more than the five that may wait."""

    async def scene() -> None:
        async with _services(queue_frames=5) as services:
            client = _watching(services)
            served = asyncio.create_task(client.serve())
            await _settle()
            for version in range(6):
                _change(services, version)
            await asyncio.wait_for(served, DEADLINE_S)
            assert client.closed() == [1013]

    asyncio.run(scene())


def test_a_burst_in_one_packet_overflows_no_ready_socket() -> None:
    """A hundred messages that are read without waiting, to a queue of ten: the writer runs between them."""

    async def scene() -> None:
        async with _services(queue_frames=10) as services:
            client = Client(services)
            for _ in range(100):
                client.send({"type": "ping"})
            client.say({"type": "websocket.disconnect", "code": 1000})
            await client.serve()
            assert client.heard()[:90] == [{"type": "pong"}] * 90  # the last may still wait when the client goes
            assert client.closed() == []

    asyncio.run(scene())


def test_who_never_says_connection_init_is_closed_with_4408() -> None:
    """A socket that nobody has vouched for does not stay."""

    async def scene() -> None:
        async with _services() as services:
            client = Client(services)
            await client.serve(init_s=0)
            assert client.closed() == [4408]

    asyncio.run(scene())


def test_a_hub_without_room_refuses_the_subscription_alone() -> None:
    """The operation ends with a code; the socket stays."""

    async def scene() -> None:
        async with _services() as services:
            client = _watching(dataclasses.replace(services, hub=Hub(max_channels=0)))
            served = asyncio.create_task(client.serve())
            await _settle()
            _, refused, ended = client.heard()
            assert [error["extensions"]["code"] for error in refused["payload"]["errors"]] == ["UNAVAILABLE"]
            assert ended == {"id": "w", "type": "complete"}
            assert client.closed() == []
            client.say({"type": "websocket.disconnect", "code": 1000})
            await served

    asyncio.run(scene())


def test_a_fault_of_ours_closes_with_1011(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client is told that it was not its doing."""

    def broken(*_: object) -> str:
        raise RuntimeError("a fault")

    async def scene() -> None:
        async with _services() as services:
            client = _watching(services)
            monkeypatch.setattr(Tokens, "read", broken)
            await client.serve()
            assert client.closed() == [1011]

    asyncio.run(scene())
