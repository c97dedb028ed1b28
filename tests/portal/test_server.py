"""The portal over real sockets, in this process: what no test client can show."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import websockets
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection, connect

from portal import server as server_module
from portal.app import create_app
from portal.seed import PASSWORD
from portal.server import BindError, Server, bind, make_server
from portal.settings import Settings

DEADLINE_S = 30  # against hanging for ever; nothing is measured


@asynccontextmanager
async def _serving(app: FastAPI, settings: Settings) -> AsyncIterator[tuple[Server, str]]:
    listener = bind("127.0.0.1", 0)
    server = make_server(app, settings, listener, "error")
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield server, f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def _sign_in(url: str) -> dict[str, str]:
    async with httpx.AsyncClient(base_url=url) as client:
        form = {"username": "user000", "password": PASSWORD}
        token = (await client.post("/api/v1/auth/token", data=form)).json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


async def _ask(client: ClientConnection, frame: dict[str, Any]) -> dict[str, Any]:
    await client.send(json.dumps(frame))
    answer: dict[str, Any] = json.loads(await client.recv())
    return answer


async def _close_code(client: ClientConnection) -> int | None:
    """Read to the end and return the code of the server's close frame, if there was one."""
    try:
        while True:
            await client.recv()
    except websockets.ConnectionClosed as error:
        return int(error.rcvd.code) if error.rcvd else None


async def _outrun(app: FastAPI, publisher: ClientConnection, reader: ClientConnection) -> int:
    """Publish long events until the one who does not read is thrown out; return how many were read by the other."""
    sequence = 0
    while len(app.state.services.hub.subscribers("agent.1")) == 2:
        assert sequence < 1_000, "a thousand times 60 kB were buffered for one who does not read"
        assert (await _ask(publisher, _long_event(sequence)))["seq"] == sequence + 1
        assert json.loads(await reader.recv())["seq"] == sequence + 1
        sequence += 1
    return sequence


def _long_event(sequence: int) -> dict[str, Any]:
    frame = {"type": "publish", "channel": "agent.1", "publisher": "p", "seq": sequence, "intended_ns": 0, "sent_ns": 0}
    return frame | {"data": {"filler": "x" * 60_000}}


def test_one_who_does_not_read_is_closed_with_1013_and_others_are_not() -> None:
    """Real buffers, real back-pressure: the reader misses nothing, the sleeper wakes to a close frame."""

    async def scene() -> None:
        settings = Settings(agents=1, tasks=1, accounts=1, queue_frames=8)
        app = create_app(settings)
        async with _serving(app, settings) as (_, url):
            headers = await _sign_in(url)
            address = url.replace("http", "ws") + "/ws/agents"
            async with (
                connect(address, additional_headers=headers, max_queue=1) as sleeper,  # stops at one unread message
                connect(address, additional_headers=headers) as reader,
                connect(address, additional_headers=headers) as publisher,
            ):
                for client in (sleeper, reader):
                    await _ask(client, {"type": "subscribe", "channels": ["agent.1"]})
                count = await _outrun(app, publisher, reader)
                assert await _close_code(sleeper) == 1013
                assert (await _ask(publisher, _long_event(count)))["seq"] == count + 1
                assert json.loads(await reader.recv())["seq"] == count + 1

    asyncio.run(scene())


def test_one_who_never_wakes_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection, and all that was buffered for it, is not kept for ever."""
    monkeypatch.setattr(server_module, "CLOSE_TIMEOUT_S", 0.01)

    async def scene() -> None:
        settings = Settings(agents=1, tasks=1, accounts=1, queue_frames=8)
        app = create_app(settings)
        async with _serving(app, settings) as (server, url), asyncio.timeout(DEADLINE_S):
            headers = await _sign_in(url)
            address = url.replace("http", "ws") + "/ws/agents"
            async with (
                connect(address, additional_headers=headers) as sleeper,
                connect(address, additional_headers=headers) as reader,
                connect(address, additional_headers=headers) as publisher,
            ):
                for client in (sleeper, reader):
                    await _ask(client, {"type": "subscribe", "channels": ["agent.1"]})
                sleeper.transport.pause_reading()
                await _outrun(app, publisher, reader)
                while len(server.server_state.connections) > 2:
                    await asyncio.sleep(0)
                sleeper.transport.resume_reading()

    asyncio.run(scene())


def test_stopping_closes_sockets_with_1012() -> None:
    """A client that sees 1012 knows that the service restarts, and waits before it comes again."""

    async def scene() -> None:
        settings = Settings(agents=1, tasks=1, accounts=1)
        async with (
            _serving(create_app(settings), settings) as (server, url),
            connect(url.replace("http", "ws") + "/ws/agents", additional_headers=await _sign_in(url)) as client,
        ):
            await _ask(client, {"type": "subscribe", "channels": ["agent.1"]})
            server.should_exit = True
            assert await _close_code(client) == 1012

    asyncio.run(scene())


@pytest.mark.parametrize("reads", [True, False], ids=["answers no ping", "reads nothing either"])
def test_a_dead_peer_is_dropped(reads: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A raw socket that knows no pong is pinged, closed with 1011 and forgotten, be its buffers full or empty."""
    monkeypatch.setattr(server_module, "CLOSE_TIMEOUT_S", 0.01)

    async def scene() -> None:
        few = Settings(agents=1, tasks=1, accounts=1, ping_interval_s=0.02, ping_timeout_s=0.02)
        app = create_app(few)
        async with _serving(app, few) as (server, url), asyncio.timeout(DEADLINE_S):
            reader, writer = await _raw_socket(url, (await _sign_in(url))["Authorization"])
            hub = app.state.services.hub
            while not hub.subscribers("agent.1"):
                await asyncio.sleep(0)
            if not reads:
                for sequence in range(16):
                    fields = {"publisher": "p", "publisher_seq": sequence, "intended_ns": 0, "sent_ns": 0}
                    hub.publish("agent.1", data={"filler": "x" * 60_000}, **fields)
            while server.server_state.connections or hub.subscribers("agent.1"):
                await asyncio.sleep(0)
            if reads:
                heard = await reader.read()
                assert b"\x89\x04" in heard  # a ping of four bytes (RFC 6455, section 5.2)
                assert heard.endswith(b"\x88\x18\x03\xf3keepalive ping timeout")  # 1011 (section 7.4.1)
            writer.close()

    asyncio.run(scene())


async def _raw_socket(url: str, authorization: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Subscribe to agent.1 by hand (RFC 6455, sections 4.1 and 5.2), and read no more than a few kB ahead."""
    host, port = url.removeprefix("http://").split(":")
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # or the kernel reads a megabyte for us
    peer.connect((host, int(port)))
    reader, writer = await asyncio.open_connection(sock=peer, limit=1024)
    writer.write(
        f"GET /ws/agents HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        f"Authorization: {authorization}\r\n\r\n".encode()
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    frame = b'{"type":"subscribe","channels":["agent.1"]}'
    writer.write(bytes((0x81, 0x80 | len(frame), 0, 0, 0, 0)) + frame)  # masked with zeros
    return reader, writer


def test_without_a_token_the_handshake_is_403_and_too_long_a_frame_1009() -> None:
    """As uvicorn carries them: a problem as the answer to the handshake, and its own limit on frames."""

    async def scene() -> None:
        settings = Settings(agents=1, tasks=1, accounts=1, frame_bytes=1_000)
        async with _serving(create_app(settings), settings) as (_, url):
            address = url.replace("http", "ws") + "/ws/agents"
            with pytest.raises(websockets.InvalidStatus) as denied:
                await connect(address)
            assert denied.value.response.status_code == 403
            assert json.loads(denied.value.response.body)["title"] == "Forbidden"
            async with connect(address, additional_headers=await _sign_in(url)) as client:
                assert client.response is not None
                assert "Sec-WebSocket-Extensions" not in client.response.headers  # no compression
                await client.send(" " * 1_001)
                assert await _close_code(client) == 1009

    asyncio.run(scene())


def test_an_address_that_cannot_be_bound_is_told_in_a_sentence() -> None:
    """A port that is taken, an address that is not ours, a name that does not exist."""
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(BindError, match=f"127.0.0.1 port {port}.*--port"):
            bind("127.0.0.1", port)
    with pytest.raises(BindError, match=r"192\.0\.2\.1"):  # a documentation address (RFC 5737)
        bind("192.0.2.1", 0)
    with pytest.raises(BindError, match="cannot listen on xxx"):
        bind("x" * 64, 0)  # longer than any name can be, so nobody is asked
