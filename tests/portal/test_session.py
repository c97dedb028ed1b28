"""One socket's reader and writer on a wire of the test's own: overflow, bursts, hanging up."""

import asyncio
import json
from typing import Any

import pytest
from starlette.types import Message

from portal.hub import Hub
from portal.session import Session
from portal.settings import Settings


def _publish(seq: int) -> dict[str, Any]:
    frame = {"type": "publish", "id": seq, "channel": "agent.7", "publisher": "p3", "seq": seq}
    return frame | {"intended_ns": 5, "sent_ns": 6, "data": {"n": seq}}


def _may(channel: str, action: str) -> None:
    """Let every client do everything."""


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
        sessions = [asyncio.create_task(Session(hub, settings, w.receive, w.send, _may).run()) for w in (slow, quick)]
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
        session = asyncio.create_task(Session(hub, Settings(queue_bytes=3_000), wire.receive, wire.send, _may).run())
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
        sessions = [
            asyncio.create_task(Session(hub, settings, w.receive, w.send, _may).run()) for w in (publisher, listener)
        ]
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
        session = asyncio.create_task(Session(hub, Settings(), wire.receive, wire.send, _may).run())
        wire.say({"type": "subscribe", "channels": ["agent.1"]})
        wire.hang_up()
        await session
        assert wire.closed() == []
        other = Wire()
        session = asyncio.create_task(Session(hub, Settings(), other.receive, other.send, _may).run())
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
        await Session(hub, Settings(), wire.receive, wire.send, _may).run()
        assert wire.closed() == [1011]

    asyncio.run(scene())
