"""One accepted socket: its reader and its one writer."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

from starlette.types import Receive, Send

from portal.fanout import Fanout
from portal.frames import Frame, FrameError, Publish, Subscribe, Unsubscribe, parse_frame
from portal.hub import Hub, HubFullError, encode
from portal.outbox import Outbox
from portal.presence import CHANNEL, Presence
from portal.principal import AccessError
from portal.rights import Action
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
REVOKED = Closing(4401, "the login has ended, or the key has been revoked")
"""What opened the socket is not accepted any more; the code is one of those for private use."""


class Session:
    """One accepted socket, from its first frame to its last.

    `may` raises `AccessError` for what the client has no right to, and `admit` for a frame that is one too many.
    """

    def __init__(
        self,
        hub: Hub,
        settings: Settings,
        receive: Receive,
        send: Send,
        may: Callable[[str, Action], None],
        fanout: Fanout | None = None,
        presence: Presence | None = None,
        admit: Callable[[], None] = lambda: None,
    ) -> None:
        self._hub = hub
        self._fanout = fanout or hub
        self._presence = presence or Presence()
        self._settings = settings
        self._receive = receive
        self._send = send
        self._may = may
        self._admit = admit
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
            self._presence.unwatch(self._outbox)
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
            self._admit()
            if isinstance(frame, Publish):
                await self._publish(frame)
            elif isinstance(frame, Subscribe):
                self._subscribe(frame)
            else:
                self._unsubscribe(frame)
        except (ValueError, HubFullError, AccessError) as error:
            raise FrameError(str(error), frame.id) from error

    async def _publish(self, frame: Publish) -> None:
        self._may(frame.channel, "publish")
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
        for name in frame.channels:
            self._may(name, "subscribe")
            if name.startswith("presence.") and name != CHANNEL:
                raise ValueError(f"{name}: there is no such channel, only {CHANNEL}")
        after = frame.after or {}
        for name in after:
            if name == CHANNEL:
                raise ValueError(f"after: {name} keeps nothing, it is told anew to whoever subscribes")
            if self._hub.has(self._outbox, name):
                raise ValueError(f"after: {name} is subscribed already; unsubscribe first")
        last = self._hub.subscribe(self._outbox, (name for name in frame.channels if name != CHANNEL))
        # No await from here to the end, so the next event comes after those that are replayed.
        missed = {name: self._hub.after(name, seq, frame.epoch) for name, seq in after.items()}
        resumed = {
            "epoch": self._hub.epoch,
            "replayed": {name: len(some.frames) for name, some in missed.items()},
            "lost": {name: {"from": some.lost[0], "to": some.lost[1]} for name, some in missed.items() if some.lost},
        }
        watches = CHANNEL in frame.channels
        last |= {CHANNEL: self._presence.seq} if watches else {}
        self._say("subscribed", frame.id, channels=last, **({} if frame.after is None else resumed))
        if watches:
            self._presence.watch(self._outbox)
        for event in chain.from_iterable(some.frames for some in missed.values()):
            if not self._outbox.put(event):
                break

    def _unsubscribe(self, frame: Unsubscribe) -> None:
        last = self._hub.unsubscribe(self._outbox, (name for name in frame.channels if name != CHANNEL))
        if CHANNEL in frame.channels:
            self._presence.unwatch(self._outbox)
            last[CHANNEL] = self._presence.seq
        self._say("unsubscribed", frame.id, channels=last)

    def _say(self, kind: str, frame_id: str | int | None, **more: object) -> None:
        self._outbox.put(encode({"type": kind, **more, "id": frame_id}))
