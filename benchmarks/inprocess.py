"""An ASGI application asked in process: no sockets, no client library, so that what is timed is the application."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import uvloop
from starlette.types import ASGIApp, Message

JSON = "application/json"
Headers = dict[str, str]


class InProcess:
    """Runs an application from its start-up to its shutdown, on an event loop such as the portal's server has."""

    def __init__(self, app: ASGIApp, headers: Headers | None = None) -> None:
        self.app = app
        self.headers: Headers = {"host": "127.0.0.1:8000"} | (headers or {})
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._up: asyncio.Queue[Message] = asyncio.Queue()

    def __enter__(self) -> InProcess:
        """Start it up."""
        self._living = self._runner.get_loop().create_task(
            self.app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, self._events.get, self._up.put)
        )
        self._turn("lifespan.startup")
        return self

    def __exit__(self, *_: object) -> None:
        """Shut it down."""
        self._turn("lifespan.shutdown")
        self.run(asyncio.wait([self._living]))
        self._runner.close()

    def _turn(self, event: str) -> None:
        self._events.put_nowait({"type": event})
        assert self.run(self._up.get())["type"] == f"{event}.complete"

    def run(self, awaitable: Any) -> Any:
        """Run a coroutine on the application's loop."""

        async def awaited() -> Any:
            return await awaitable

        return self._runner.run(awaited())

    def scope(self, method: str, target: str, headers: Headers | None = None, kind: str = "http") -> dict[str, Any]:
        """The scope of a request or, by its kind, of a WebSocket."""
        url = urlsplit(target)
        return {
            "type": kind,
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": url.path,
            "raw_path": url.path.encode(),
            "root_path": "",
            "query_string": url.query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in (self.headers | (headers or {})).items()],
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 8000),
            "state": {},
        }

    async def ask(
        self, method: str, target: str, body: Any = None, headers: Headers | None = None
    ) -> tuple[int, Headers, bytes]:
        """One request and its whole answer; a body goes as JSON, one of bytes as it is."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        begun: Message = {}
        parts: list[bytes] = []
        asked, answered = False, asyncio.Event()

        async def receive() -> Message:
            nonlocal asked
            if asked:
                await answered.wait()  # a client that stays until it has its answer
                return {"type": "http.disconnect"}
            asked = True
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = message
                return
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                answered.set()

        sent = {"content-length": str(len(content))} | ({} if isinstance(body, bytes) else {"content-type": JSON})
        await self.app(self.scope(method, target, sent | (headers or {})), receive, send)
        told = {name.decode().lower(): value.decode() for name, value in begun["headers"]}
        return begun["status"], told, b"".join(parts)


class Socket:
    """The client's end of a WebSocket of an application."""

    def __init__(self, server: InProcess, path: str) -> None:
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self.answers: asyncio.Queue[Message] = asyncio.Queue()
        self._task = asyncio.get_running_loop().create_task(
            server.app(server.scope("GET", path, kind="websocket") | {"subprotocols": []}, self._inbox.get, self._hear)
        )
        self.send({"type": "websocket.connect"})

    async def _hear(self, message: Message) -> None:
        self.answers.put_nowait(message)

    def send(self, message: Message) -> None:
        """Let a message of the client's arrive."""
        self._inbox.put_nowait(message)

    async def take(self, count: int = 1) -> Message:
        """Wait for so many messages, and return the last."""
        for _ in range(count):
            message = await self.answers.get()
        return message

    async def close(self) -> None:
        """Go away."""
        self.send({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait([self._task])


def say(sockets: Iterable[Socket], frame: Any) -> None:
    """Let the same frame arrive on each socket."""
    for socket in sockets:
        socket.send({"type": "websocket.receive", "text": json.dumps(frame)})
