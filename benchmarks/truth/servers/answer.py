"""HTTP/1.1 to the letter that load needs: requests without bodies, each answered when it is due, each on record."""

from __future__ import annotations

import asyncio
import json
import selectors
import time
from collections.abc import Callable

Service = Callable[[int, float], tuple[float, int]]
"""From the number of a request (from 0) and the moment it came, in seconds of the loop's clock, to the moment its
answer is due and its status. A due moment that has passed is now."""

BODY = b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
ANSWERS = {200: b"HTTP/1.1 200 OK\r\n" + BODY, 500: b"HTTP/1.1 500 Internal Server Error\r\n" + BODY}


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


class Answerer(asyncio.Protocol):
    """One connection. The harness's first look at the target is answered at once and goes on no record."""

    def __init__(self, service: Service, record: Record, numbers: list[int]) -> None:
        self.service, self.record, self.numbers = service, record, numbers
        self.loop = asyncio.get_running_loop()
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Serve each head that is complete."""
        came_ns = time.monotonic_ns()
        self.buffer += data
        *heads, self.buffer = self.buffer.split(b"\r\n\r\n")
        for head in heads:
            if head.startswith(b"GET /record "):
                told = self.record.to_json()
                self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told))
            elif b"python-urllib" in head.lower():
                self.transport.write(ANSWERS[200])
            else:
                due_s, status = self.service(self.numbers[0], came_ns / 1e9)
                self.numbers[0] += 1
                if due_s <= self.loop.time():
                    self.answer(came_ns, status)
                else:
                    self.loop.call_at(due_s, self.answer, came_ns, status)

    def answer(self, came_ns: int, status: int) -> None:
        """Answer now; nobody is told whose client has left."""
        self.record.requests.append((came_ns, time.monotonic_ns() - came_ns, status))
        if not self.transport.is_closing():
            self.transport.write(ANSWERS[status])


async def _serve(port: int, service: Service, record: Record) -> None:
    numbers = [0]
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Answerer(service, record, numbers), "127.0.0.1", port, backlog=1024)
    await asyncio.Event().wait()


def serve(port: int, service: Service) -> None:
    """Serve until killed.

    The loop waits in ``select``, which takes microseconds, not in ``epoll``, whose time-outs Python rounds up to whole
    milliseconds: what is due is answered within about 0.1 ms.
    """
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(_serve(port, service, Record()))
