"""`/ws/agents`: one socket, its reader and its one writer."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from portal.credentials import API_KEY_HEADER, authenticate, bearer, demand
from portal.fanout import Fanout
from portal.frames import Frame, FrameError, Publish, Subscribe, parse_frame
from portal.hub import Hub, HubFullError, encode
from portal.outbox import Outbox
from portal.principal import AccessError, Principal
from portal.principal import Scope as AccessScope
from portal.problems import Problem
from portal.services import Services
from portal.settings import Settings

_log = logging.getLogger("portal")


@dataclass(frozen=True)
class Closing:
    """Why the portal closes a socket (RFC 6455, section 7.4, and IANA's registry of close codes)."""

    code: int
    reason: str


ABUSE = Closing(1008, "too many malformed frames")
"""The client does not speak the protocol."""
OVERSIZE = Closing(1009, "the frame is too long")
"""The client sent more than is read."""
FAILED = Closing(1011, "the portal failed")
"""A fault of ours."""
RESTART = Closing(1012, "events do not arrive here: connect again")
"""The portal has lost the other portals."""
SLOW = Closing(1013, "too slow: the queue is full, connect again later")
"""The client reads more slowly than its channels speak."""


class AgentSockets:
    """The ASGI application behind `/ws/agents`.

    A token or an API key is asked for before the handshake. Without a valid one there is no socket: HTTP 403, as a
    problem.
    """

    def __init__(self) -> None:
        self.open: set[Session] = set()
        """The sockets accepted and not ended."""

    @property
    def frames_queued(self) -> int:
        """How many frames wait, over all sockets."""
        return sum(session.frames_queued for session in self.open)

    def close(self, closing: Closing) -> None:
        """Close every socket."""
        for session in self.open:
            session.close(closing)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket."""
        services: Services = scope["app"].state.services
        await receive()  # websocket.connect
        try:
            principal = await _principal(services, scope)
        except AccessError as error:
            await _deny(scope, receive, send, 403, str(error))
            return
        if not services.fanout.is_connected:
            await _deny(scope, receive, send, 503, "events do not arrive here at the moment")
            return
        target, request_id = f"WS {scope['path']}", Headers(scope=scope).get("X-Request-ID")
        may = partial(demand, services, principal, target=target, request_id=request_id)
        session = Session(services.hub, services.settings, receive, send, may, services.fanout)
        self.open.add(session)  # before it is accepted, or it could miss that all are closed
        try:
            await send({"type": "websocket.accept"})
            await session.run()
        finally:
            self.open.discard(session)


class Session:
    """One accepted socket, from its first frame to its last.

    `may` raises `AccessError` for what the client has no right to.
    """

    def __init__(
        self,
        hub: Hub,
        settings: Settings,
        receive: Receive,
        send: Send,
        may: Callable[[AccessScope], None],
        fanout: Fanout | None = None,
    ) -> None:
        self._hub = hub
        self._fanout = fanout or hub
        self._settings = settings
        self._receive = receive
        self._send = send
        self._may = may
        self._closing: asyncio.Future[Closing] = asyncio.get_running_loop().create_future()
        self._outbox = Outbox(settings.queue_frames, settings.queue_bytes, lambda: self.close(SLOW))
        self._malformed = 0

    @property
    def frames_queued(self) -> int:
        """How many frames wait for the client."""
        return len(self._outbox)

    async def run(self) -> None:
        """Read and write until the client goes or the portal closes the socket."""
        reader = asyncio.create_task(self._read())
        writer = asyncio.create_task(self._write())
        try:
            await asyncio.wait((reader, writer, self._closing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.leave(self._outbox)
            # The writer may be waiting for a client that does not read. Servers wait before they write, so a frame
            # is sent whole or not at all, and the close frame that follows does not fall into the middle of one.
            reader.cancel()
            writer.cancel()
            await asyncio.wait((reader, writer))
        for task in (reader, writer):
            if not task.cancelled() and (error := task.exception()) is not None:
                _log.error("a socket failed", exc_info=error)
                self.close(FAILED)
        if self._closing.done():
            closing = self._closing.result()
            with contextlib.suppress(OSError):  # the client may have gone first
                await self._send({"type": "websocket.close", "code": closing.code, "reason": closing.reason})

    def close(self, closing: Closing) -> None:
        """Have the socket closed; the first reason counts."""
        if not self._closing.done():
            self._closing.set_result(closing)

    async def _write(self) -> None:
        try:
            while True:
                frame = await self._outbox.take()
                await self._send({"type": "websocket.send", "text": frame})
        except OSError:  # the client is gone (ASGI 2.4); the reader hears of it too
            return

    async def _read(self) -> None:
        while not self._closing.done():
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if len(text or message.get("bytes") or "") > self._settings.frame_bytes:
                self.close(OVERSIZE)
                return
            try:
                if text is None:
                    raise FrameError("frames are text")
                await self._obey(parse_frame(text))
            except FrameError as error:
                self._malformed += 1
                self._say("error", error.frame_id, detail=str(error))
            if self._malformed >= self._settings.malformed_frames:
                self.close(ABUSE)
            # Frames that arrive in one packet are read without waiting. Let the writers run between them, or a burst
            # would overflow outboxes whose sockets are perfectly ready.
            await asyncio.sleep(0)

    async def _obey(self, frame: Frame) -> None:
        try:
            if isinstance(frame, Publish):
                await self._publish(frame)
            elif isinstance(frame, Subscribe):
                self._subscribe(frame)
            else:
                self._say("unsubscribed", frame.id, channels=self._hub.unsubscribe(self._outbox, frame.channels))
        except (ValueError, HubFullError, AccessError) as error:
            raise FrameError(str(error), frame.id) from error

    async def _publish(self, frame: Publish) -> None:
        self._may("agents:write")
        seq = self._fanout.publish(
            frame.channel,
            publisher=frame.publisher,
            publisher_seq=frame.seq,
            intended_ns=frame.intended_ns,
            sent_ns=frame.sent_ns,
            data=frame.data,
        )
        if not isinstance(seq, int):
            seq = await seq
        self._say("published", frame.id, channel=frame.channel, seq=seq)

    def _subscribe(self, frame: Subscribe) -> None:
        self._may("agents:read")
        if frame.after is None:
            self._say("subscribed", frame.id, channels=self._hub.subscribe(self._outbox, frame.channels))
            return
        for name in frame.after:
            if self._hub.has(self._outbox, name):
                raise ValueError(f"after: {name} is subscribed already; unsubscribe first")
        last = self._hub.subscribe(self._outbox, frame.channels)
        # No await from here to the end, so the next event comes after those that are replayed.
        missed = {name: self._hub.after(name, seq, frame.epoch) for name, seq in frame.after.items()}
        self._say(
            "subscribed",
            frame.id,
            channels=last,
            epoch=self._hub.epoch,
            replayed={name: len(some.frames) for name, some in missed.items()},
            lost={name: {"from": some.lost[0], "to": some.lost[1]} for name, some in missed.items() if some.lost},
        )
        for event in chain.from_iterable(some.frames for some in missed.values()):
            if not self._outbox.put(event):
                break

    def _say(self, kind: str, frame_id: str | int | None, **more: object) -> None:
        self._outbox.put(encode({"type": kind, **more, "id": frame_id}))


async def _principal(services: Services, scope: Scope) -> Principal:
    headers = Headers(scope=scope)
    values: list[str] = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
    if values and "Authorization" not in headers and API_KEY_HEADER not in headers:
        return bearer(services, values[0])
    return await authenticate(services, headers)


async def _deny(scope: Scope, receive: Receive, send: Send, status: int, detail: str) -> None:
    if "websocket.http.response" in scope.get("extensions", {}):
        await Problem(status, scope["path"], detail)(scope, receive, send)
    else:  # the server then answers a bare 403 itself
        await send({"type": "websocket.close", "code": ABUSE.code, "reason": detail})
