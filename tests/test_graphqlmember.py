"""Members that answer what the server says: graphql-transport-ws, and servers that speak first."""

import asyncio
import base64
import contextlib
import hashlib
import json
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from tests.test_storms import Posts, run

MEMBERS = """
from loadtests.graphqlmember import GraphQLMember
from loadtests.member import Answer, Broadcast, Member

class Follower(GraphQLMember):
    def init_payload(self):
        return {"token": "t"}

    def channels(self):
        return ["even", "odd"] if self.index else ["even"]

    def operation(self, channel):
        return {"query": "subscription { changed }", "variables": {"which": channel}}

    def event(self, channel, data):
        return Broadcast(channel, data["changed"])

class Shaken(Member):
    hears_broadcasts = True

    def read(self, frame):
        return Answer(["and hello", b"you"]) if frame == "hello" else Broadcast("all", int(frame))
"""


class GraphQLServer:
    """Serves two channels by the protocol, keeping what it was told; ``then`` is said instead of its 20th message."""

    def __init__(self, then=None):
        self.told = []
        self.asked = []
        self.then = then

    async def serve(self, socket):
        """One connection; whoever asks before the acknowledgement is told apart by the order."""
        told = []
        self.told.append(told)
        assert socket.subprotocol == "graphql-transport-ws"
        told.append(json.loads(await socket.recv()))
        await asyncio.sleep(0.05)
        await socket.send(json.dumps({"type": "connection_ack"}))
        await socket.send(json.dumps({"type": "ping"}))
        async for text in socket:
            told.append(row := json.loads(text))
            if row["type"] == "subscribe":
                self.asked.append((socket, row["id"]))
        self.asked = [(other, which) for other, which in self.asked if other is not socket]

    async def publish(self):
        """The same numbers to all, without a gap."""
        for number in range(1000):
            await asyncio.sleep(0.02)
            for socket, which in list(self.asked):
                row = {"type": "next", "payload": {"data": {"changed": number}}}
                row = self.then if self.then and number % 20 == 19 else row
                with contextlib.suppress(ConnectionClosed):
                    await socket.send(json.dumps({"id": which} | row))

    @asynccontextmanager
    async def on_air(self):
        """Serve on loopback and give the URL."""
        async with serve(self.serve, "127.0.0.1", 0, subprotocols=["graphql-transport-ws"], compression=None) as server:
            publishing = asyncio.create_task(self.publish())
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            publishing.cancel()


def follow(station, folder):
    """Three followers for a second and a half."""
    return run(
        station, folder, [{"class": "members.py:Follower", "count": 3}], duration="1500ms", guard="100ms", code=MEMBERS
    )


def test_the_protocol(tmp_path):
    """Initialised first, subscribed after the acknowledgement, pings answered; each hears the channels it named."""
    station = GraphQLServer()
    posts = follow(station, tmp_path)
    assert len(station.told) == 3
    for told in station.told:
        assert told[0] == {"type": "connection_init", "payload": {"token": "t"}}
        asked = [row for row in told if row["type"] == "subscribe"]
        assert [row["id"] for row in asked] in (["even"], ["even", "odd"])
        assert asked[0]["payload"] == {"query": "subscription { changed }", "variables": {"which": "even"}}
        assert {"type": "pong"} in told
    subscribed = posts.series("ws subscribe")
    assert (subscribed.count, subscribed.ok) == (3, 3)
    assert subscribed.response.percentile_us(50) >= 50_000  # from the first word to the acknowledgement
    ledger = posts[-1]["ledger"]
    assert ledger["delivered"] == ledger["expected"] > 100
    assert (ledger["lost"], ledger["foreign"], ledger["away"], ledger["duplicated"]) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("then", "kind"),
    [
        ({"type": "complete"}, "subscription completed"),
        ({"type": "error", "payload": [{"message": "no"}]}, "graphql error"),
        ({"type": "next", "payload": {"data": None, "errors": [{"message": "no"}]}}, "graphql error"),
    ],
)
def test_a_subscription_that_the_server_ends(tmp_path, then, kind):
    """The connection is of no more use: it counts as lost, under its own kind, and is made again."""
    station = GraphQLServer(then)
    posts = follow(station, tmp_path)
    assert posts.series("ws connection").errors.keys() == {kind}
    assert len(station.told) > 3


class Talker:
    """Speaks in the very bytes that end the handshake, and waits for the answers."""

    def __init__(self):
        self.answers = []

    async def serve(self, reader, writer):
        """One connection, by hand."""
        head = await reader.readuntil(b"\r\n\r\n")
        key = next(
            line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")
        )
        token = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())  # noqa: S324
        upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        writer.write(upgrade + b"Sec-WebSocket-Accept: " + token + b"\r\n\r\n" + b"\x81\x05hello")
        for _ in range(2):
            first, second = await reader.readexactly(2)
            mask = await reader.readexactly(4)
            data = await reader.readexactly(second & 127)
            self.answers.append((first & 15, bytes(byte ^ mask[k % 4] for k, byte in enumerate(data))))
        await reader.read()
        writer.close()

    @asynccontextmanager
    async def on_air(self):
        """Serve on loopback and give the URL."""
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        server.close()


def test_a_server_that_speaks_first(tmp_path):
    """What it says with the handshake is read and answered, text as text and bytes as bytes."""
    talker = Talker()
    posts = run(talker, tmp_path, [{"class": "members.py:Shaken", "count": 1}], duration="700ms", code=MEMBERS)
    assert isinstance(posts, Posts)
    assert talker.answers == [(1, b"and hello"), (2, b"you")]
