"""A server that does nothing but broadcast: ``broadcaster.py PORT MESSAGES_PER_S BATCH GROUPS``.

Its subscribers are served in so many groups, one after the other over the time between two writes, so that what is due
to all of them does not come in one burst; each message bears the moment of its write. ``BATCH`` messages share a write.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import sys
import time
from typing import cast

import uvloop

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
STARTS_S = 0.5


class Subscriber(asyncio.Protocol):
    """One connection; whatever it sends after the handshake is not read."""

    def __init__(self, groups: list[set[Subscriber]], number: itertools.count[int]) -> None:
        self.group = groups[next(number) % len(groups)]
        self.head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the handshake."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Shake hands."""
        if self in self.group:
            return
        self.head += data
        if not self.head.endswith(b"\r\n\r\n"):
            return
        key = next(line[19:] for line in self.head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: "))
        token = base64.b64encode(hashlib.sha1(key + GUID).digest())  # noqa: S324 -- the standard's own
        upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self.transport.write(upgrade + b"Sec-WebSocket-Accept: " + token + b"\r\n\r\n")
        self.head = b""
        self.group.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is served no more."""
        self.group.discard(self)


def frame(sequence: int) -> bytes:
    """A message of some 70 bytes, as the swarm's own adapter reads it."""
    text = f'{{"seq":{sequence},"sent_ns":{time.monotonic_ns()},"channel":"news"}}'.encode()
    return bytes((0x81, len(text))) + text


async def main(port: int, per_s: float, batch: int, groups: int) -> None:
    """Serve until killed."""
    found: list[set[Subscriber]] = [set() for _ in range(groups)]
    number, loop = itertools.count(), asyncio.get_running_loop()
    await loop.create_server(lambda: Subscriber(found, number), "127.0.0.1", port, backlog=4096)
    sequence, due = 0, loop.time() + STARTS_S
    while True:
        for k, group in enumerate(found):
            await asyncio.sleep(max(0.0, due + k * batch / per_s / groups - loop.time()))
            data = b"".join(frame(sequence + i) for i in range(batch))
            for subscriber in tuple(group):
                subscriber.transport.write(data)
        sequence += batch
        due += batch / per_s


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
