"""Several portals on a real Redis: one numbering, one order, nothing missed."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import chain
from typing import Any

import httpx
import pytest
from redis import Redis
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from portal.eventstream import EventStream, Outgoing
from portal.hub import Hub
from portal.redisfanout import RedisFanout
from portal.services import Services
from portal.settings import Settings
from tests.portal.inprocess import signed_in

pytestmark = pytest.mark.services

DEADLINE_S = 30  # against hanging for ever; nothing is measured


class Listener:
    """A subscriber that keeps events, and can be waited for."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._heard = asyncio.Event()

    def put(self, frame: str) -> bool:
        """Keep a frame."""
        self.events.append(json.loads(frame))
        self._heard.set()
        return True

    async def hear(self, count: int) -> None:
        """Wait for so many events."""
        while len(self.events) < count:
            self._heard.clear()
            await self._heard.wait()

    def numbers(self, channel: str) -> list[int]:
        """Return the numbers heard on a channel."""
        return [event["seq"] for event in self.events if event["channel"] == channel]


class Gate:
    """A pause that ends when the test says so."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        """Wait to be opened, however long that is."""
        self.reached.set()
        await self.opened.wait()


@asynccontextmanager
async def _portal(url: str) -> AsyncIterator[tuple[Services, httpx.AsyncClient]]:
    async with signed_in(Settings(redis_url=url, agents=30, tasks=60, accounts=1)) as (app, client):
        yield app.state.services, client


def _publish(fanout: RedisFanout | Any, channel: str, publisher: str = "p", seq: int = 0) -> Awaitable[int]:
    number: Awaitable[int] = fanout.publish(
        channel, publisher=publisher, publisher_seq=seq, intended_ns=1, sent_ns=2, data={}
    )
    return number


def test_every_subscriber_of_every_portal_hears_every_number_once_and_in_order(redis_url: str) -> None:
    """200 events over two channels, published by two clients of each portal at once, and PATCHes among them."""

    async def scene() -> None:
        async with _portal(redis_url) as (one, at_one), _portal(redis_url) as (two, at_two):
            listeners = []
            for hub in (one.hub, one.hub, two.hub, two.hub):
                listeners.append(Listener())
                hub.subscribe(listeners[-1], ["many.1", "many.2", "agent.7"])

            async def publish(portal: Services, publisher: str) -> list[tuple[str, int]]:
                channels = [f"many.{seq % 2 + 1}" for seq in range(50)]
                return [(name, await _publish(portal.fanout, name, publisher, n)) for n, name in enumerate(channels)]

            async def patch(client: httpx.AsyncClient) -> None:
                for number in range(5):
                    assert (await client.patch("/api/v1/agents/7", json={"name": f"n{number}"})).status_code == 200

            *acknowledged, _, _ = await asyncio.gather(
                *(publish(portal, name) for portal, name in ((one, "a"), (one, "b"), (two, "c"), (two, "d"))),
                patch(at_one),
                patch(at_two),
            )
            expected = [(f"many.{channel}", number) for channel in (1, 2) for number in range(1, 101)]
            assert sorted(chain.from_iterable(acknowledged)) == expected
            for listener in listeners:
                await listener.hear(210)
                assert listener.events == listeners[0].events
            first = listeners[0]
            assert first.numbers("many.1") == first.numbers("many.2") == list(range(1, 101))
            assert first.numbers("agent.7") == list(range(1, 11))
            assert [e["publisher_seq"] for e in first.events if e["publisher"] == "rest"] == list(range(10))
            for publisher in "abcd":
                own = [event["publisher_seq"] for event in first.events if event["publisher"] == publisher]
                assert own == list(range(50))
            assert one.hub.epoch == two.hub.epoch

    async def bounded() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await scene()

    asyncio.run(bounded())


def test_what_a_portal_missed_while_it_had_lost_redis_is_there_when_it_is_back(redis_url: str) -> None:
    """Others go on meanwhile; what was announced here in the time comes after, once."""

    async def scene() -> None:
        gate, lost, hubs = Gate(), [], (Hub(), Hub())
        away = RedisFanout(hubs[0], redis_url, lambda: lost.append("away"), gate)
        other = RedisFanout(hubs[1], redis_url, lambda: lost.append("other"), _no_pause)
        async with asyncio.timeout(DEADLINE_S), AsyncExitStack() as stack:
            await stack.enter_async_context(away.running())
            await stack.enter_async_context(other.running())
            assert await _publish(away, "away.1") == 1
            with Redis.from_url(redis_url) as client:
                client.client_kill_filter(_type="normal", skipme=True)
            await gate.reached.wait()
            assert lost.count("away") == 1
            assert not away.is_connected
            while "other" not in lost or not other.is_connected:
                await asyncio.sleep(0)
            listener = Listener()
            hubs[1].subscribe(listener, ["away.1"])
            assert [await _publish(other, "away.1") for _ in range(3)] == [2, 3, 4]
            with pytest.raises(asyncio.CancelledError):
                await _publish(away, "away.1")
            away.announce("away.1", {"version": 2}, 0)
            away.announce("away.1", {"version": 3}, 0)
            gate.opened.set()
            await listener.hear(5)
            assert listener.numbers("away.1") == [2, 3, 4, 5, 6]
            assert [event["data"].get("version") for event in listener.events] == [None, None, None, 2, 3]
            while hubs[0].after("away.1", 5).lost or not hubs[0].after("away.1", 5).frames:
                await asyncio.sleep(0)
            missed = hubs[0].after("away.1", 1)
            assert missed.lost is None
            assert [json.loads(frame) for frame in missed.frames] == listener.events

    asyncio.run(scene())


async def _no_pause(seconds: float) -> None:
    await asyncio.sleep(0)


def test_what_is_sent_twice_is_taken_once(redis_url: str) -> None:
    """A sender that does not know whether a batch arrived sends it again, with more behind it."""

    async def scene() -> None:
        stream = EventStream(redis_url)
        try:
            await stream.begin()
            while await stream.read():
                pass
            batch = [Outgoing(ticket, "twice.1", 0, '{"seq":', "}") for ticket in (1, 2, 3)]
            await stream.append(batch[:2])
            await stream.append(batch)
            assert [(event.ticket, event.seq, event.frame) for event in await stream.read()] == [
                (number, number, f'{{"seq":{number}}}') for number in (1, 2, 3)
            ]
        finally:
            await stream.close()

    asyncio.run(scene())


def test_an_emptied_redis_is_another_epoch(redis_url: str) -> None:
    """Numbers begin anew, and a portal notices by the first that does."""

    async def scene() -> None:
        lost = asyncio.Event()
        hub = Hub()
        fanout = RedisFanout(hub, redis_url, lost.set, _no_pause)
        async with asyncio.timeout(DEADLINE_S), fanout.running():
            assert [await _publish(fanout, "emptied.1") for _ in range(2)] == [1, 2]
            epoch = hub.epoch
            with Redis.from_url(redis_url) as client:
                client.flushdb()
            with pytest.raises(asyncio.CancelledError):
                await _publish(fanout, "emptied.1")
            assert lost.is_set()
            while not fanout.is_connected:
                await asyncio.sleep(0)
            assert hub.epoch != epoch
            assert await _publish(fanout, "emptied.1") == 2
            assert len(hub.after("emptied.1", 0).frames) == 2

    asyncio.run(scene())


def test_sockets_are_closed_with_1012_when_redis_is_lost(
    open_portal: Callable[..., TestClient], redis_url: str
) -> None:
    """Until then they know no difference: the event comes before its `published`."""
    portal = open_portal({"redis_url": redis_url})
    with portal.websocket_connect("/ws/agents") as socket:
        socket.send_json({"type": "subscribe", "channels": ["closed.1"]})
        assert socket.receive_json()["channels"] == {"closed.1": 0}
        frame = {"type": "publish", "channel": "closed.1", "publisher": "p", "seq": 0, "intended_ns": 1, "sent_ns": 2}
        socket.send_json(frame)
        assert [socket.receive_json()["type"] for _ in range(2)] == ["event", "published"]
        with Redis.from_url(redis_url) as client:
            client.client_kill_filter(_type="normal", skipme=True)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
        assert closed.value.code == 1012


def test_a_portal_without_its_redis_serves_all_but_sockets(open_portal: Callable[..., TestClient]) -> None:
    """The handshake is answered 503; a change is made, and waits to be told."""
    portal = open_portal({"redis_url": "redis://127.0.0.1:1/0"})
    with pytest.raises(WebSocketDisconnect) as denied, portal.websocket_connect("/ws/agents"):
        pass
    assert getattr(denied.value, "status_code", None) == 503
    assert portal.patch("/api/v1/agents/7", json={"name": "x"}).status_code == 200
