"""The null server with one service for every request, each of them on record."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from itertools import count

from loadtests.nullserver import BACKLOG, PreciseSelector, Service
from loadtests.nullserver import Answerer as NullAnswerer

__all__ = ["Answerer", "Record", "Service", "serve"]


class Record:
    """What the server did, in its own times: it is asked for at ``/record``."""

    def __init__(self) -> None:
        self.requests: list[tuple[int, int, int]] = []
        """When each answered request came, how long it was held, both in nanoseconds, and its status."""
        self.stalls: list[tuple[int, int]] = []
        """Begin and end of each stall in nanoseconds."""

    def to_json(self) -> bytes:
        """Both lists."""
        return json.dumps({"requests": self.requests, "stalls": self.stalls}).encode()


class Answerer(NullAnswerer):
    """One connection; requests are numbered by ``numbers``, whatever their connection and path."""

    def __init__(self, service: Service, record: Record, numbers: count[int]) -> None:
        super().__init__(defaultdict(lambda: service), defaultdict(lambda: numbers))
        self.record = record

    def serve(self, path: bytes, came_ns: int) -> None:
        """Tell what is on record, or let the service say when to answer."""
        if path == b"/record":
            told = self.record.to_json()
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told))
        else:
            super().serve(path, came_ns)

    def answer(self, came_ns: int, status: int) -> None:
        """Answer now, for the record too."""
        self.record.requests.append((came_ns, time.monotonic_ns() - came_ns, status))
        super().answer(came_ns, status)


async def _serve(port: int, service: Service, record: Record) -> None:
    numbers = count()
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Answerer(service, record, numbers), "127.0.0.1", port, backlog=BACKLOG)
    await asyncio.Event().wait()


def serve(port: int, service: Service) -> None:
    """Serve until killed; what is due is answered within about 0.1 ms."""
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(PreciseSelector())) as runner:
        runner.run(_serve(port, service, Record()))
