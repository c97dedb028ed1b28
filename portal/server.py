"""The server under the application: uvicorn, and what is made firmer in it."""

import asyncio
import gc
import logging
import socket
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

from portal.settings import Settings

KEEP_ALIVE_S = 75
"""How long an idle connection is kept. Longer than users think: a connection closed under a request is an error that
would be counted against the portal."""

SEND_BUFFER_BYTES = 128 * 1024
"""What the kernel may hold of one WebSocket's unread frames (it doubles the number for its own book-keeping)."""

CLOSE_TIMEOUT_S = 10.0
"""How long a client may take to answer a close frame before its connection is aborted."""

_log = logging.getLogger("portal.websocket")
_log.setLevel(logging.WARNING)  # at INFO uvicorn logs each socket's whole URL, and with it ?token=


class BindError(OSError):
    """An address that cannot be bound, told in one sentence."""


class SocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's own protocol over `websockets`, with an end for those who do not read.

    Of uvicorn's implementations this one applies back-pressure in the plainest way: `send` waits before it writes while
    the transport holds more than its high-water mark (64 KiB). But it makes a close frame wait too, for ever if the
    client never reads. A close frame is the last one and tiny, so here it does not wait; and if the client has not
    taken it and answered in time, the connection is aborted rather than kept with its buffer.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _log
        self.close_timeout = CLOSE_TIMEOUT_S

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over a connection from HTTP."""
        super().connection_made(transport)
        peer = transport.get_extra_info("socket")
        if peer is not None:  # or Linux lets its own queue grow to 4 MiB before anybody here learns of a slow client
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    async def send(self, message: Any) -> None:
        """Send one ASGI message."""
        closes = message["type"] == "websocket.close"
        if closes:
            self.writable.set()
        await super().send(message)
        if closes and self.close_timer is not None:
            self.close_timer.cancel()
            self.close_timer = asyncio.get_running_loop().call_later(self.close_timeout, self.transport.abort)

    def keepalive_timeout(self) -> None:
        """Close with 1011 because no pong came; what a dead peer will never read must not hold the connection."""
        super().keepalive_timeout()
        asyncio.get_running_loop().call_later(self.close_timeout, self.transport.abort)

    def shutdown(self) -> None:
        """Close with 1012 because the server stops."""
        try:
            super().shutdown()
        except InvalidState:  # the client has just sent its own close frame: there is nothing left to say
            self.transport.close()


class Server(uvicorn.Server):
    """uvicorn, which says one line when it is ready."""

    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve."""
        await super().startup(sockets)
        if not self.should_exit:
            # What exists now stays. Out of the collector's sight it is not walked again under load, where each walk is
            # a pause in somebody's request (21 ms were measured).
            gc.collect()
            gc.freeze()
            print(f"portal ready at {self._url}", flush=True)


def bind(host: str, port: int) -> socket.socket:
    """Listen on an address, before anything else is done; port 0 takes a free one."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise BindError(f"cannot listen on {host}: {getattr(error, 'strerror', None) or error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise BindError(
            f"cannot listen on {host} port {port}: {error.strerror or error}; choose another with --port"
        ) from error
    return listener


def make_server(app: FastAPI, settings: Settings, listener: socket.socket, log_level: str) -> Server:
    """Put the application on uvicorn; `listener` says where."""
    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(
        app,
        loop="auto",  # uvloop where there is one
        http="httptools",
        ws=SocketProtocol,
        ws_max_size=settings.frame_bytes,
        ws_ping_interval=settings.ping_interval_s,
        ws_ping_timeout=settings.ping_timeout_s,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        log_level=log_level,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
    )
    return Server(config, f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
