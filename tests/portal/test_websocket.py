"""`/ws/agents`, frame by frame."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse, WebSocketTestSession
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect

from portal.hub import Hub
from portal.settings import Settings
from portal.websocket import Session


def _publish(seq: int, channel: str = "agent.7", **more: Any) -> dict[str, Any]:
    frame = {"type": "publish", "id": seq, "channel": channel, "publisher": "p3", "seq": seq}
    return frame | {"intended_ns": 5, "sent_ns": 6, "data": {"n": seq}} | more


def _close_code(socket: WebSocketTestSession) -> int:
    """Read to the end and return the code of the close frame."""
    try:
        while True:
            socket.receive_json()
    except WebSocketDisconnect as closed:
        return closed.code


def test_a_token_is_asked_for_before_the_handshake(anonymous: TestClient) -> None:
    """Without a valid one: 403, as a problem. A refresh token is not one."""
    pair = anonymous.post("/api/v1/auth/token", data={"username": "user000", "password": "agents-at-work"}).json()
    for url, headers in (
        ("/ws/agents", {}),
        ("/ws/agents?token=", {}),
        ("/ws/agents?token=nonsense", {}),
        ("/ws/agents", {"Authorization": "Bearer nonsense"}),
        (f"/ws/agents?token={pair['refresh_token']}", {}),
    ):
        with pytest.raises(WebSocketDenialResponse) as caught, anonymous.websocket_connect(url, headers=headers):
            pass
        assert caught.value.status_code == 403
        assert caught.value.json()["status"] == 403
    for url, headers in (
        (f"/ws/agents?token={pair['access_token']}", {}),
        ("/ws/agents", {"Authorization": f"Bearer {pair['access_token']}"}),
    ):
        with anonymous.websocket_connect(url, headers=headers) as socket:
            socket.send_json({"type": "subscribe", "channels": ["agent.1"]})
            assert socket.receive_json()["type"] == "subscribed"


def test_publishing_reaches_every_subscriber_and_is_acknowledged(open_portal: Callable[..., TestClient]) -> None:
    """The numbers of the hub are gapless, and the acknowledgement names the same one."""
    portal = open_portal()
    with (
        portal.websocket_connect("/ws/agents") as publisher,
        portal.websocket_connect("/ws/agents") as one,
        portal.websocket_connect("/ws/agents") as two,
    ):
        for socket in (one, two):
            socket.send_json({"type": "subscribe", "channels": ["agent.7", "agent.8"], "id": "s"})
            assert socket.receive_json() == {"type": "subscribed", "channels": {"agent.7": 0, "agent.8": 0}, "id": "s"}
        for seq in range(5):
            publisher.send_json(_publish(seq))
        publisher.send_json(_publish(5, "agent.9"))
        acks = [publisher.receive_json() for _ in range(6)]
        assert acks[:5] == [{"type": "published", "id": n, "channel": "agent.7", "seq": n + 1} for n in range(5)]
        assert acks[5] == {"type": "published", "id": 5, "channel": "agent.9", "seq": 1}
        for socket in (one, two):
            assert [socket.receive_json() for _ in range(5)] == [
                {
                    "type": "event",
                    "channel": "agent.7",
                    "seq": n + 1,
                    "publisher": "p3",
                    "publisher_seq": n,
                    "intended_ns": 5,
                    "sent_ns": 6,
                    "data": {"n": n},
                }
                for n in range(5)
            ]


def test_a_late_subscriber_learns_where_the_channel_stands(open_portal: Callable[..., TestClient]) -> None:
    """The next event it gets is the one after."""
    portal = open_portal()
    with portal.websocket_connect("/ws/agents") as socket:
        socket.send_json(_publish(0))
        assert socket.receive_json()["seq"] == 1
        socket.send_json({"type": "subscribe", "channels": ["agent.7"]})
        assert socket.receive_json()["channels"] == {"agent.7": 1}
        socket.send_json(_publish(1))
        assert [socket.receive_json() for _ in range(2)] == [
            {
                "type": "event",
                "channel": "agent.7",
                "seq": 2,
                "publisher": "p3",
                "publisher_seq": 1,
                "intended_ns": 5,
                "sent_ns": 6,
                "data": {"n": 1},
            },
            {"type": "published", "id": 1, "channel": "agent.7", "seq": 2},
        ]
        socket.send_json({"type": "unsubscribe", "channels": ["agent.7"], "id": 3})
        assert socket.receive_json() == {"type": "unsubscribed", "channels": {"agent.7": 2}, "id": 3}
        socket.send_json(_publish(2))
        assert socket.receive_json()["type"] == "published"


def test_a_rest_patch_publishes_the_changed_agent(open_portal: Callable[..., TestClient]) -> None:
    """By publisher `rest`, at the server's own monotonic time; what changed nothing says nothing."""
    portal = open_portal(monotonic_ns=lambda: 123_456_789)
    with portal.websocket_connect("/ws/agents") as socket:
        socket.send_json({"type": "subscribe", "channels": ["agent.7"]})
        socket.receive_json()
        assert portal.patch("/api/v1/agents/8", json={"name": "x"}).status_code == 200  # another agent
        assert portal.patch("/api/v1/agents/7", json={"name": "x", "version": 9}).status_code == 409
        bodies = [portal.patch("/api/v1/agents/7", json={"name": f"n{i}"}).json() for i in range(3)]
        for number, body in enumerate(bodies):
            assert socket.receive_json() == {
                "type": "event",
                "channel": "agent.7",
                "seq": number + 1,
                "publisher": "rest",
                "publisher_seq": number,
                "intended_ns": 123_456_789,
                "sent_ns": 123_456_789,
                "data": body,
            }


def test_malformed_frames_are_answered_and_abuse_closes_with_1008(open_portal: Callable[..., TestClient]) -> None:
    """Text that is no frame, binary, and NaN are errors; the fourth closes where four are too many."""
    portal = open_portal({"malformed_frames": 4})
    with portal.websocket_connect("/ws/agents") as socket:
        socket.send_text("hello")
        error = socket.receive_json()
        assert (error["type"], error["id"]) == ("error", None)
        socket.send_bytes(b'{"type":"subscribe","channels":["agent.1"]}')
        assert socket.receive_json() == {"type": "error", "id": None, "detail": "frames are text"}
        socket.send_text(json.dumps(_publish(3, data={"x": float("nan")})))
        assert socket.receive_json()["id"] == 3
        socket.send_json({"type": "subscribe", "channels": ["agent.7"]})  # a good frame between is still understood
        assert socket.receive_json()["channels"] == {"agent.7": 0}
        socket.send_text("{}")
        assert _close_code(socket) == 1008


def test_a_frame_that_is_too_long_closes_with_1009(open_portal: Callable[..., TestClient]) -> None:
    """Nothing of it is read."""
    portal = open_portal({"frame_bytes": 100})
    with portal.websocket_connect("/ws/agents") as socket:
        socket.send_text(" " * 101)
        assert _close_code(socket) == 1009


class Wire:
    """Both ends of one socket's ASGI channel, with a client that may stop reading."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[Message] = asyncio.Queue()
        self.sent: list[Message] = []
        self.reading = asyncio.Event()
        self.reading.set()

    async def receive(self) -> Message:
        """Wait for what the client says."""
        return await self.incoming.get()

    async def send(self, message: Message) -> None:
        """Take a message as fast as the client reads; a close frame does not wait."""
        if message["type"] == "websocket.send":
            await self.reading.wait()
        self.sent.append(message)

    def say(self, frame: dict[str, Any]) -> None:
        """Let the client say something."""
        self.incoming.put_nowait({"type": "websocket.receive", "text": json.dumps(frame)})

    def hang_up(self) -> None:
        """Let the client go."""
        self.incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})

    def heard(self) -> list[dict[str, Any]]:
        """Return the frames the client was sent."""
        return [json.loads(message["text"]) for message in self.sent if message["type"] == "websocket.send"]

    def closed(self) -> list[int]:
        """Return the codes of the close frames the client was sent."""
        return [message["code"] for message in self.sent if message["type"] == "websocket.close"]


async def _settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def test_a_slow_consumer_is_closed_with_1013_while_others_keep_receiving() -> None:
    """Five frames may wait and one is on its way; the seventh is one too many for the one who does not read."""

    async def scene() -> None:
        hub, settings = Hub(), Settings(queue_frames=5)
        slow, quick = Wire(), Wire()
        sessions = [asyncio.create_task(Session(hub, settings, w.receive, w.send).run()) for w in (slow, quick)]
        for wire in (slow, quick):
            wire.say({"type": "subscribe", "channels": ["agent.1"]})
        await _settle()
        slow.reading.clear()

        async def publish(seq: int) -> None:
            hub.publish("agent.1", publisher="p", publisher_seq=seq, intended_ns=0, sent_ns=0, data={})
            await _settle()

        for seq in range(6):
            await publish(seq)
        assert slow.closed() == []
        await publish(6)
        assert slow.closed() == [1013]
        assert sessions[0].done()
        for seq in range(7, 20):
            await publish(seq)
        assert [frame["seq"] for frame in quick.heard()[1:]] == list(range(1, 21))
        assert quick.closed() == []
        assert [frame["type"] for frame in slow.heard()] == ["subscribed"]
        quick.hang_up()
        await sessions[1]

    asyncio.run(scene())


def test_bytes_close_a_slow_consumer_too() -> None:
    """A few long frames weigh as much as many short ones."""

    async def scene() -> None:
        hub, wire = Hub(), Wire()
        session = asyncio.create_task(Session(hub, Settings(queue_bytes=3_000), wire.receive, wire.send).run())
        wire.say({"type": "subscribe", "channels": ["agent.1"]})
        await _settle()
        wire.reading.clear()
        for seq in range(4):
            hub.publish("agent.1", publisher="p", publisher_seq=seq, intended_ns=0, sent_ns=0, data={"x": "y" * 1_000})
            await _settle()
        await session
        assert wire.closed() == [1013]

    asyncio.run(scene())


def test_a_burst_in_one_packet_overflows_no_ready_socket() -> None:
    """A thousand frames that are read without waiting, to outboxes of ten: the writers run between them."""

    async def scene() -> None:
        hub, settings = Hub(), Settings(queue_frames=10)
        publisher, listener = Wire(), Wire()
        sessions = [asyncio.create_task(Session(hub, settings, w.receive, w.send).run()) for w in (publisher, listener)]
        listener.say({"type": "subscribe", "channels": ["agent.7"]})
        await _settle()
        for seq in range(1_000):
            publisher.say(_publish(seq))
        publisher.hang_up()
        await sessions[0]
        await _settle()
        assert [frame["seq"] for frame in listener.heard()[1:]] == list(range(1, 1_001))
        listener.hang_up()
        await sessions[1]

    asyncio.run(scene())


def test_a_client_that_hangs_up_is_forgotten() -> None:
    """Nothing is left in the hub, and nothing is sent to nobody."""

    async def scene() -> None:
        hub, wire = Hub(max_channels=1), Wire()
        session = asyncio.create_task(Session(hub, Settings(), wire.receive, wire.send).run())
        wire.say({"type": "subscribe", "channels": ["agent.1"]})
        wire.hang_up()
        await session
        assert wire.closed() == []
        other = Wire()
        session = asyncio.create_task(Session(hub, Settings(), other.receive, other.send).run())
        other.say({"type": "subscribe", "channels": ["agent.2"]})  # room for it only if the first channel is forgotten
        other.hang_up()
        await session
        assert other.heard() == [] or other.heard()[0]["type"] == "subscribed"
        assert hub.subscribe(_Nobody(), ["agent.3"]) == {"agent.3": 0}

    asyncio.run(scene())


class _Nobody:
    def put(self, frame: str) -> bool:
        return True


def test_a_fault_of_ours_closes_with_1011(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client is told that it was not its doing."""

    def broken(*_: object) -> None:
        raise RuntimeError("a fault")

    async def scene() -> None:
        hub, wire = Hub(), Wire()
        monkeypatch.setattr(hub, "subscribe", broken)
        wire.say({"type": "subscribe", "channels": ["agent.1"]})
        await Session(hub, Settings(), wire.receive, wire.send).run()
        assert wire.closed() == [1011]

    asyncio.run(scene())
