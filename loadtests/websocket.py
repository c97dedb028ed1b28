"""A WebSocket of the swarm: aiohttp's client and handshake, and frames that are read in its transport's callback."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import socket
import struct
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import aiohttp
from aiohttp.http import WebSocketWriter

from loadtests.framereader import CLOSE, PING, PONG, FrameError, FrameReader
from loadtests.inflate import ASKED, Inflate, keeps_context
from loadtests.stages import Stages

__all__ = ["WebSocket", "connect"]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
LARGEST = 4 << 20
NO_CODE, ABNORMAL = 1005, 1006
CLOSING_S = 1.0
"""How long the other side may take to answer a close."""
_ANSWERS: set[asyncio.Task[None]] = set()  # of all connections, or nobody would keep them


class WebSocket:
    """An open connection; made by :func:`connect`.

    Attributes:
        subprotocol: that the server chose; empty without one.
        close_code: why it ended (RFC 6455, section 7.4.1): 1006 without a close frame, 0 while it is open.
        error: what ended it, where that was no close frame.
        we_close: whether we said first that it is over.
        on_pong: takes a pong's payload and when it came.

    """

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        on_messages: Callable[[list[str | bytes], int], None],
        inflate: Callable[[bytes], bytes] | None = None,
    ) -> None:
        connection = response.connection
        if connection is None or connection.transport is None or connection.protocol is None:
            raise aiohttp.ServerDisconnectedError("closed right after the handshake")
        self.subprotocol = response.headers.get("Sec-WebSocket-Protocol", "")
        self.close_code = 0
        self.error: Exception | None = None
        self.we_close = False
        self.on_pong: Callable[[bytes, int], None] | None = None
        self._connection = connection
        self._transport, shaker = connection.transport, connection.protocol
        self._writer = WebSocketWriter(shaker, self._transport, use_mask=True)
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()  # wakes who waits
        self._ended, self._close_sent, self._reset, self._failure = False, False, False, ""
        reader = FrameReader(on_messages, self._on_control, self._on_end, LARGEST, inflate, shaker)
        shaker.set_parser(reader, None)  # which hands over what came in the bytes of the handshake's answer
        self._transport.set_protocol(reader)
        response._connection, response._closed = None, True  # it gives nothing back, and its 3 KiB are free

    @property
    def ending(self) -> str:
        """How it ended, in a few words that are an error kind; empty while it is open."""
        if not self._ended:
            return ""
        if self._failure:
            return self._failure
        if self.close_code == NO_CODE:
            return "closed without a code"
        if self.close_code != ABNORMAL:
            return f"closed {self.close_code}"
        if isinstance(self.error, FrameError):
            return "frame broken"
        return "connection reset" if self._reset else "connection ended"

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._ended or self._close_sent

    async def send(self, text: str | bytes) -> None:
        """Send one message: text, or bytes as they are.

        Raises:
            ConnectionError: when the connection is gone.

        """
        binary = isinstance(text, bytes)
        data = text if isinstance(text, bytes) else text.encode()
        await self._writer.send_frame(data, aiohttp.WSMsgType.BINARY if binary else aiohttp.WSMsgType.TEXT)

    def say(self, texts: Sequence[str | bytes]) -> None:
        """Send messages, waiting for nothing; what cannot be sent any more is left."""
        for text in texts:
            if not self.closed:
                self._answer(self.send(text))

    async def wait(self, most_s: float | None = None) -> None:
        """Until it has ended, whoever ended it; a bounded wait leaves others' alone, and weighs more."""
        await (self._over if most_s is None else asyncio.wait((self._over,), timeout=most_s))

    async def close(self, code: int = 1000) -> None:
        """Say that it is over and wait a moment for the answer."""
        if not self.closed:
            self._close_sent = self.we_close = True
            with contextlib.suppress(ConnectionError):
                await self._writer.close(code)
                await self.wait(CLOSING_S)
            if not self._ended:
                self._transport.abort()
        self._end()

    def ping(self, payload: bytes) -> None:
        """Ask the other side for a pong."""
        self._answer(self._writer.send_frame(payload, aiohttp.WSMsgType.PING))

    def fail(self, why: str, *, reset: bool = False) -> None:
        """End it at once, for a reason of ours that becomes its ending; ``reset``: by an RST."""
        if not self._ended:
            self._failure = why
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.abort()

    def abort(self) -> None:
        """End it at once."""
        self._transport.abort()
        self._end()

    def pause(self) -> None:
        """Read nothing any more; what comes stays in the kernel."""
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if not self._ended:
            self._transport.resume_reading()

    @property
    def socket(self) -> socket.socket:
        """The kernel's."""
        found: socket.socket = self._transport.get_extra_info("socket")
        return found

    def _end(self) -> None:
        self._ended, self.close_code = True, self.close_code or ABNORMAL
        if not self._over.done():
            self._over.set_result(None)
        self._connection.close()

    def _on_end(self, error: Exception | None) -> None:
        self.error = self.error or error
        self._reset = isinstance(error, OSError)
        if isinstance(error, FrameError) and not self._close_sent:
            self._close_sent = True
            self._answer(self._writer.close(error.code))
        self._end()

    def _on_control(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self._answer(self._writer.send_frame(payload, aiohttp.WSMsgType.PONG))
        elif opcode == PONG and self.on_pong is not None:
            self.on_pong(payload, time.monotonic_ns())
        elif opcode == CLOSE:
            self.close_code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else NO_CODE
            if self._close_sent:
                self._end()
            else:
                self._close_sent = True
                self._answer(self._farewell(self.close_code))

    async def _farewell(self, code: int) -> None:
        """Answer the server's close with its own code, as one should, and go."""
        try:
            await self._writer.close(1000 if code == NO_CODE else code)
        finally:
            self._end()

    def _answer(self, sending: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(sending)
        _ANSWERS.add(task)
        task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        _ANSWERS.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.error = self.error or (error if isinstance(error, Exception) else None)


async def connect(
    http: aiohttp.ClientSession,
    url: str,
    on_messages: Callable[[list[str | bytes], int], None],
    *,
    headers: Mapping[str, str] | None = None,
    subprotocols: Sequence[str] = (),
    stages: Stages | None = None,
    compress: bool = False,
    timeout_s: float = 10.0,
) -> WebSocket:
    """Connect and shake hands; from then on every message goes to ``on_messages``, and ``stages`` is stamped.

    With ``compress`` the server may compress its messages; ours are sent as they are.

    Raises:
        aiohttp.WSServerHandshakeError: when the server does not agree.
        aiohttp.ClientError, OSError: when there is no connection, or no answer in ``timeout_s``.

    """
    key = base64.b64encode(os.urandom(16))
    asked = {
        **(headers or {}),
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key.decode(),
        **({"Sec-WebSocket-Extensions": ASKED} if compress else {}),
        **({"Sec-WebSocket-Protocol": ", ".join(subprotocols)} if subprotocols else {}),
    }
    untimed = aiohttp.ClientTimeout()  # its own timer would be kept, with all that it holds, when all is over
    async with asyncio.timeout(timeout_s):
        response = await http.get(url, headers=asked, read_until_eof=False, timeout=untimed, trace_request_ctx=stages)
    accepted = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()  # noqa: S324 -- the standard's own
    try:
        if response.status != 101:
            raise _refused(response, "no upgrade")
        if response.headers.get("Sec-WebSocket-Accept", "") != accepted:
            raise _refused(response, "the wrong Sec-WebSocket-Accept")
        agreed = response.headers.get("Sec-WebSocket-Extensions", "")
        context = keeps_context(agreed) if agreed else None
        if agreed and (context is None or not compress):
            raise _refused(response, f"an extension that was not asked for ({agreed})")
        return WebSocket(response, on_messages, None if context is None else Inflate(LARGEST, context=context).message)
    except BaseException:
        response.close()
        raise


def _refused(response: aiohttp.ClientResponse, why: str) -> aiohttp.WSServerHandshakeError:
    return aiohttp.WSServerHandshakeError(
        response.request_info, response.history, status=response.status, message=why, headers=response.headers
    )
