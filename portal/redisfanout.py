"""Fan-out over several processes: events go to a stream in Redis, and from there to the hub of each process."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import islice
from typing import Any

from portal.eventstream import BATCH, BLOCK_MS, EventStream, Outgoing
from portal.hub import REST, Hub, encode

WAITING_ANNOUNCEMENTS = 10_000
"""How many announcements wait for a Redis that is away."""
RETRY_S = (0.1, 5.0)
"""The first pause before connecting again, and the longest: each is twice the one before."""

_log = logging.getLogger("portal")


class SequenceError(RuntimeError):
    """An event is missing: this process was slower than the stream forgets, or Redis was emptied."""


class RedisFanout:
    """Brings events to the stream, and those of the stream to the hub.

    Once it has lost Redis it calls `on_loss`, which closes every socket: their clients come back and resume, from what
    the stream has kept meanwhile.
    """

    def __init__(
        self,
        hub: Hub,
        url: str,
        on_loss: Callable[[], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._hub = hub
        self._stream = EventStream(url)
        self._on_loss = on_loss
        self._sleep = sleep
        self._tickets = 0
        self._outgoing: deque[Outgoing] = deque()
        self._filled = asyncio.Event()
        self._numbered: dict[int, asyncio.Future[int]] = {}
        self._is_connected = False

    @property
    def is_connected(self) -> bool:
        """Whether events arrive."""
        return self._is_connected

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve, from the first attempt to connect on, whatever comes of it."""
        tried = asyncio.Event()
        task = asyncio.create_task(self._run(tried))
        try:
            await tried.wait()
            yield
        finally:
            task.cancel()
            await asyncio.wait((task,))
            await self._stream.close()

    def publish(
        self, name: str, *, publisher: str, publisher_seq: int, intended_ns: int, sent_ns: int, data: dict[str, Any]
    ) -> Awaitable[int]:
        """Publish an event, and return what gives its number once it has been delivered here.

        Raises ValueError for data that JSON cannot hold, and HubFullError, as the hub does. What is returned is
        cancelled when Redis is lost; then nobody knows whether the event was published.
        """
        self._hub.check_room(name)
        said = {"publisher": publisher, "publisher_seq": publisher_seq}
        tail = encode(said | {"intended_ns": intended_ns, "sent_ns": sent_ns, "data": data})
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if self._is_connected:
            self._numbered[self._queue(name, tail)] = future
        else:
            future.cancel()
        return future

    def announce(self, name: str, data: dict[str, Any], now_ns: int) -> None:
        """Publish a change made over REST; it waits while Redis is away."""
        if len(self._outgoing) >= WAITING_ANNOUNCEMENTS:
            self._hub.dropped += 1
            _log.error("an announcement is dropped: Redis is away and %d wait for it", WAITING_ANNOUNCEMENTS)
            return
        said = {"publisher": REST, "intended_ns": now_ns, "sent_ns": now_ns, "data": data}
        self._queue(name, encode(said)[:-1] + ',"publisher_seq":', announced=1)

    def _queue(self, name: str, tail: str, announced: int = 0) -> int:
        head = encode({"type": "event", "channel": name})[:-1] + ',"seq":'
        self._tickets += 1
        self._outgoing.append(Outgoing(self._tickets, name, announced, head, "," + tail[1:]))
        self._filled.set()
        return self._tickets

    async def _run(self, tried: asyncio.Event) -> None:
        pause_s, longest_s = RETRY_S
        while True:
            try:
                await self._load()
                pause_s = RETRY_S[0]
                self._is_connected = True
                tried.set()
                await self._follow()
            except Exception as error:  # whatever it is, events do not arrive any more
                _log.warning("Redis is lost (%s): there are no sockets until it is back", type(error).__name__)
            self._lose()
            tried.set()
            await self._sleep(pause_s)
            pause_s = min(2 * pause_s, longest_s)

    async def _follow(self) -> None:
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._write())]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in ended:
            task.result()

    def _lose(self) -> None:
        was_connected, self._is_connected = self._is_connected, False
        self._outgoing = deque(event for event in self._outgoing if event.announced)
        if was_connected:
            self._on_loss()
        for future in self._numbered.values():
            future.cancel()
        self._numbered.clear()

    async def _load(self) -> None:
        self._hub.begin(*await self._stream.begin())
        while events := await self._stream.read():
            for event in events:
                self._hub.restore(event.channel, event.seq, event.frame)

    async def _read(self) -> None:
        while True:
            for event in await self._stream.read(BLOCK_MS):
                if not self._hub.take(event.channel, event.seq, event.frame):
                    raise SequenceError
                future = self._numbered.pop(event.ticket, None) if event.origin == self._stream.origin else None
                if future is not None and not future.done():  # its socket may have been closed
                    future.set_result(event.seq)
                await asyncio.sleep(0)  # let the sockets' writers run between events that come together

    async def _write(self) -> None:
        while True:
            if not self._outgoing:
                self._filled.clear()
                await self._filled.wait()
            batch = list(islice(self._outgoing, BATCH))
            await self._stream.append(batch)
            for _ in batch:
                self._outgoing.popleft()
