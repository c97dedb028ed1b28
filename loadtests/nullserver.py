"""A server that does nothing, and takes exactly as long as it is told: what the harness itself is held against.

``python -m loadtests.nullserver --port PORT``. A request's path says how it is answered, with ``ok`` as its body:

    /                    at once, as is every path that is not below; /delay/MS/ANYTHING is as /delay/MS
    /delay/MS            MS later
    /fail/OF             the last of every OF with status 500
    /slow/BAD/OF/MS      of every OF in a row BAD, evenly spread, MS later
    /stall/MS/EVERY_MS   as by one that stands still for the first MS of every EVERY_MS
"""

from __future__ import annotations

import argparse
import asyncio
import os
import select
import selectors
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from itertools import count

from loadtests.duration import NS_PER_S

__all__ = ["BACKLOG", "Answerer", "PreciseSelector", "Service", "is_bad", "service_of"]

Service = Callable[[int, float], tuple[float, int]]
"""From the number of a request (from 0) and the moment it came, in seconds of the loop's clock, to the moment its
answer is due and its status. A due moment that has passed is now."""

_OK = b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
ANSWERS = {200: b"HTTP/1.1 200 OK\r\n" + _OK, 500: b"HTTP/1.1 500 Internal Server Error\r\n" + _OK}
BACKLOG = 4096


def is_bad(number: int, bad: int, of: int) -> bool:
    """Whether the number-th request (from 0) is one of the bad: where ``floor(number bad / of + 1/2)`` steps up."""
    return (2 * number * bad + of) // (2 * of) != (2 * (number + 1) * bad + of) // (2 * of)


def _delay(ms: float) -> Service:
    return lambda number, came_s: (came_s + ms / 1000, 200)


def _fail(of: float) -> Service:
    return lambda number, came_s: (came_s, 500 if number % of == of - 1 else 200)


def _slow(bad: float, of: float, ms: float) -> Service:
    return lambda number, came_s: (came_s + ms / 1000 * is_bad(number, int(bad), int(of)), 200)


def _stall(ms: float, every_ms: float) -> Service:
    def service(number: int, came_s: float) -> tuple[float, int]:
        within_s = came_s % (every_ms / 1000)
        return came_s + max(0.0, ms / 1000 - within_s), 200

    return service


_KINDS: Mapping[str, tuple[Callable[..., Service], int]] = {
    "delay": (_delay, 1),
    "fail": (_fail, 1),
    "slow": (_slow, 3),
    "stall": (_stall, 2),
}


def service_of(path: str) -> Service:
    """How requests of a path are answered."""
    kind, *numbers = path.strip("/").split("/")
    make, needed = _KINDS.get(kind, (None, 0))
    if make is None or len(numbers) < needed or not all(number.isdecimal() for number in numbers[:needed]):
        return lambda number, came_s: (came_s, 200)
    return make(*map(float, numbers[:needed]))


class Answerer(asyncio.Protocol):
    """One connection; its requests have no bodies. What they have in common is in ``services`` and ``numbers``."""

    def __init__(self, services: Mapping[bytes, Service], numbers: Mapping[bytes, count[int]]) -> None:
        self.services, self.numbers = services, numbers
        self.loop = asyncio.get_running_loop()
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101 -- for the type checker
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Serve each head that is complete; the harness's first look at the target is no request."""
        came_ns = time.monotonic_ns()
        self.buffer += data
        *heads, self.buffer = self.buffer.split(b"\r\n\r\n")
        for head in heads:
            if b"python-urllib" in head.lower():
                self.transport.write(ANSWERS[200])
            else:
                self.serve(head[head.index(b" ") + 1 : head.index(b" HTTP/")], came_ns)

    def serve(self, path: bytes, came_ns: int) -> None:
        """See to it that it is answered when it is due."""
        due_s, status = self.services[path](next(self.numbers[path]), came_ns / NS_PER_S)
        if due_s <= self.loop.time():
            self.answer(came_ns, status)
        else:
            self.loop.call_at(due_s, self.answer, came_ns, status)

    def answer(self, came_ns: int, status: int) -> None:
        """Answer now; nobody is told whose client has left."""
        if not self.transport.is_closing():
            self.transport.write(ANSWERS[status])


class PreciseSelector(selectors.EpollSelector):
    """Wakes within about 0.1 ms of a timer: ``select`` takes microseconds, ``epoll`` whole milliseconds, rounded up."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait on epoll's own descriptor, then ask it what is ready."""
        if timeout is not None and timeout > 0:
            select.select([self.fileno()], [], [], timeout)
            timeout = 0
        return super().select(timeout)


class _Services(dict[bytes, Service]):
    def __missing__(self, path: bytes) -> Service:
        service = self[path] = service_of(path.decode("latin-1"))
        return service


async def _serve(host: str, port: int) -> None:
    services = _Services()
    numbers: defaultdict[bytes, count[int]] = defaultdict(count)
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Answerer(services, numbers), host, port, backlog=BACKLOG)
    await asyncio.Event().wait()


def main() -> None:
    """Serve until killed; where there are several processors, on the last of them."""
    parser = argparse.ArgumentParser(prog="loadtests.nullserver", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(usable) > 1:
        os.sched_setaffinity(0, usable[-1:])
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(PreciseSelector())) as runner:
        runner.run(_serve(arguments.host, arguments.port))


if __name__ == "__main__":
    main()
