"""A WebSocket of the swarm against servers of another make, and against raw sockets that end it in every way."""

from __future__ import annotations

import asyncio
import socket
import struct
import zlib
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.utils import accept_key

from loadtests.framereader import FrameError, FrameReader
from loadtests.inflate import Inflate, keeps_context
from loadtests.websocket import WebSocket, connect


class Heard:
    """Messages as they come, and a way to wait for so many."""

    def __init__(self) -> None:
        self.messages: list[str | bytes] = []
        self.came = asyncio.Event()

    def take(self, messages: list[str | bytes], at_ns: int) -> None:
        """All of one read."""
        assert at_ns > 0
        self.messages += messages
        self.came.set()

    async def until(self, n: int) -> None:
        """So many are there."""
        while len(self.messages) < n:
            self.came.clear()
            await asyncio.wait_for(self.came.wait(), 5)


@asynccontextmanager
async def opened(url: str, **options: Any) -> Any:
    """A socket, and what it hears."""
    heard = Heard()
    async with aiohttp.ClientSession(base_url=url) as http:
        socket_ = await connect(http, "/live?room=1", heard.take, **options)
        try:
            yield socket_, heard
        finally:
            await socket_.close()


@asynccontextmanager
async def raw(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], accept: str = "", extra: str = ""
) -> Any:
    """A server that shakes hands as one should (or answers ``accept``) and then does as it is told."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = next(line[19:] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: "))
        token = accept or accept_key(key.decode())
        head = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {token}\r\n{extra}\r\n"
        )
        writer.write(head.encode())
        await answer(reader, writer)

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def frame(opcode: int, data: bytes) -> bytes:
    """As a server writes it, of less than 126 bytes."""
    return bytes((0x80 | opcode, len(data))) + data


def test_messages_both_ways() -> None:
    """Text and bytes, large and small; path, query, headers and subprotocol arrive."""
    seen: list[Any] = []

    async def echo(connection: Any) -> None:
        seen.append((connection.request.path, connection.request.headers["X-Key"], connection.subprotocol))
        async for message in connection:
            await connection.send(message)

    async def drive() -> None:
        async with serve(echo, "127.0.0.1", 0, subprotocols=["b", "c"], compression=None) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with opened(url, headers={"X-Key": "k"}, subprotocols=["a", "b"]) as (ws, heard):
                assert ws.subprotocol == "b"
                sent = ["a", "", "\u00e9" * 50_000, b"\x00\xff", b"z" * 300_000]
                for message in sent:
                    await ws.send(message)
                await heard.until(len(sent))
                assert heard.messages == sent
                assert (ws.closed, ws.close_code, ws.ending) == (False, 0, "")
            assert ws.closed

    asyncio.run(drive())
    assert seen == [("/live?room=1", "k", "b")]


def test_pings_are_answered() -> None:
    """By the frame's own payload."""

    async def pinging(connection: Any) -> None:
        waiter = await connection.ping(b"here?")
        await asyncio.wait_for(waiter, 5)
        await connection.send("answered")
        await connection.wait_closed()

    async def drive() -> None:
        async with serve(pinging, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with opened(url) as (_, heard):
                await heard.until(1)

    asyncio.run(drive())


async def _fin(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await writer.drain()
    await asyncio.sleep(0.05)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _closing(payload: bytes) -> Any:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frame(8, payload))
        await reader.read(100)  # the answer to it
        writer.close()

    return answer


async def _nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\xff\xff\xff")
    await reader.read(100)
    writer.close()


ENDS = {
    **{f"closed {code}": (_closing(struct.pack(">H", code)), code) for code in (1000, 1001, 1011, 1012, 1013, 4001)},
    "closed without a code": (_closing(b""), 1005),
    "connection ended": (_fin, 1006),
    "connection reset": (_reset, 1006),
    "frame broken": (_nonsense, 1006),
}


@pytest.mark.parametrize("name", ENDS)
def test_every_end_under_its_own_name(name: str) -> None:
    """Who ended it and how: a close frame with its code, a FIN, an RST, what is no frame."""
    answer, code = ENDS[name]

    async def drive() -> WebSocket:
        async with raw(answer) as url, opened(url) as (ws, _):
            await asyncio.wait_for(ws.wait(), 5)
            return ws

    ws = asyncio.run(drive())
    assert (ws.closed, ws.close_code, ws.ending) == (True, code, name)


def test_messages_that_come_with_the_handshake() -> None:
    """In one read with it: none is lost."""

    async def eager(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frame(1, b"first") + frame(1, b"second"))
        await reader.read(100)

    async def drive() -> None:
        async with raw(eager) as url, opened(url) as (_, heard):
            await heard.until(2)
            assert heard.messages == ["first", "second"]

    asyncio.run(drive())


def test_a_close_that_nobody_answers() -> None:
    """The server takes our close and says nothing: after a moment the socket is gone, and it is told as ours."""

    async def mute(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(100)
        await asyncio.sleep(3600)

    async def drive() -> WebSocket:
        async with raw(mute) as url, opened(url) as (ws, _):
            await asyncio.wait_for(ws.close(1001), 5)
            return ws

    ws = asyncio.run(drive())
    assert (ws.closed, ws.close_code) == (True, 1006)


@pytest.mark.parametrize(("status", "accept"), [(101, "wrong"), (200, ""), (403, ""), (503, "")])
def test_a_handshake_that_is_none(status: int, accept: str) -> None:
    """Refused, or answered with the wrong key: an error of the handshake, with its status."""

    async def refuse(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await refuse(reader, writer)

    async def nothing(_: Any, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.01)

    async def drive() -> None:
        if accept:
            async with raw(nothing, accept) as url, opened(url):
                pass
        server = await asyncio.start_server(plain, "127.0.0.1", 0)
        async with opened(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"):
            pass

    with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
        asyncio.run(drive())
    assert raised.value.status == status


@pytest.mark.parametrize("reset", [False, True])
def test_ended_by_us(reset: bool) -> None:
    """It ends for the reason that we give, and by an RST where that is asked for; the server sees which."""
    seen: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            seen.append(repr(await reader.read(100)))
        except ConnectionResetError:
            seen.append("reset")

    async def main() -> str:
        async with raw(answer) as url, opened(url) as (socket_, _):
            socket_.fail("storm", reset=reset)
            await asyncio.wait_for(socket_.wait(), 5)
            while not seen:
                await asyncio.sleep(0.001)
            return str(socket_.ending)

    assert asyncio.run(main()) == "storm"
    assert seen == ["reset" if reset else "b''"]


@pytest.mark.parametrize("context", [True, False])
def test_compressed(context: bool) -> None:
    """A server that may compress does, each message by itself or by those before; short ones, parts and bytes too."""
    seen: list[str] = []
    factory = ServerPerMessageDeflateFactory(server_no_context_takeover=not context)

    async def talk(connection: Any) -> None:
        seen.append(connection.response.headers["Sec-WebSocket-Extensions"])
        for text in SAID:
            await connection.send(text)
        await connection.wait_closed()

    async def drive() -> None:
        async with serve(talk, "127.0.0.1", 0, compression=None, extensions=[factory]) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with opened(url, compress=True) as (_, heard):
                await heard.until(len(SAID))
                assert heard.messages == [
                    "one, two",
                    "",
                    b"\x00" * 70_000,
                    "a part and another",
                    "\u00e9" * 9000,
                    "one, two",
                ]

    asyncio.run(drive())
    assert seen[0].startswith("permessage-deflate")
    assert ("server_no_context_takeover" in seen[0]) is not context


SAID: list[Any] = ["one, two", "", b"\x00" * 70_000, ["a part", " and another"], "\u00e9" * 9000, "one, two"]


@pytest.mark.parametrize(
    ("payload", "code"),
    [(b"\xff\xff\xff", 1007), (zlib.compressobj(wbits=-15).compress(b"") + bytes(100), 1007)],
)
def test_not_compressed_data(payload: bytes, code: int) -> None:
    """What says that it is compressed and is not ends the connection; nothing of it is handed over."""
    ends: list[Any] = []
    reader = FrameReader(
        lambda *_: ends.append("message"), lambda *_: None, ends.append, 1000, Inflate(1000, context=True).message
    )
    reader.data_received(frame(0x41, payload))
    (error,) = ends
    assert (error.code, str(error).startswith("a compressed message that cannot be read")) == (code, True)


def test_a_bomb() -> None:
    """A megabyte of zeros in a kilobyte is refused at the largest that is taken, and not inflated further."""
    packer = zlib.compressobj(wbits=-15)
    packed = (packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
    assert len(packed) < 1200
    inflate = Inflate(5000, context=True)
    with pytest.raises(FrameError, match="over 5,000 bytes") as refused:
        inflate.message(packed)
    assert refused.value.code == 1009
    assert Inflate(1 << 20, context=True).message(packed) == bytes(1 << 20)


@pytest.mark.parametrize(
    ("agreed", "context"),
    [
        ("permessage-deflate", True),
        ("permessage-deflate; server_no_context_takeover", False),
        ("Permessage-Deflate;client_no_context_takeover; server_max_window_bits=10", True),
        ("x-webkit-deflate-frame", None),
        ("permessage-deflate, other", None),
    ],
)
def test_what_the_server_agreed_to(agreed: str, context: bool | None) -> None:
    """Only what was asked for."""
    assert keeps_context(agreed) is context


@pytest.mark.parametrize("compress", [True, False])
def test_an_extension_that_nobody_asked_for(compress: bool) -> None:
    """Frames would mean something else than we think: the handshake is refused."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    agreed = "other" if compress else "permessage-deflate"

    async def drive() -> None:
        async with raw(answer, extra=f"Sec-WebSocket-Extensions: {agreed}\r\n") as url:
            with pytest.raises(aiohttp.WSServerHandshakeError, match="an extension that was not asked for"):
                async with opened(url, compress=compress):
                    pass

    asyncio.run(drive())


def test_a_cancelled_wait_ends_nothing() -> None:
    """Whoever waits may be cancelled: the connection goes on, and how it ends is known all the same."""

    async def main() -> None:
        async def serving(connection: Any) -> None:
            await connection.recv()
            await connection.close(1012)

        async with serve(serving, "127.0.0.1", 0, compression=None) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with opened(url) as (ours, _):
                waiting = asyncio.create_task(ours.wait())
                await ours.wait(0.001)  # as long as that, and the other waits on
                assert not waiting.done()
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
                assert (ours.closed, ours.ending) == (False, "")
                await ours.send("go on")
                while not ours.closed:
                    await asyncio.sleep(0.001)
                await ours.close()
                assert (ours.close_code, ours.ending) == (1012, "closed 1012")

    asyncio.run(main())


def test_no_answer_to_the_handshake() -> None:
    """A server that accepts and says nothing is given up in time."""

    async def main() -> None:
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        try:
            with pytest.raises(TimeoutError):
                async with opened(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout_s=0.05):
                    pass
        finally:
            server.close()

    asyncio.run(main())
