"""A single-threaded HTTP server that stands still: ``stall.py PORT STALL_S EVERY_S``.

Its only thread sleeps STALL_S once every EVERY_S, so whatever arrives meanwhile waits in line, first come first served.
"""

import asyncio
import sys
import time

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


class Answer(asyncio.Protocol):
    """Answers each request as soon as the thread is free."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self.transport, self.buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        """One answer for each end of a request's head; there are no bodies."""
        self.buffer += data
        *requests, self.buffer = self.buffer.split(b"\r\n\r\n")
        for _ in requests:
            self.transport.write(ANSWER)


async def main(port: int, stall_s: float, every_s: float) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    await loop.create_server(Answer, "127.0.0.1", port, backlog=1024)
    due = loop.time() + every_s
    while True:
        await asyncio.sleep(max(0.0, due - loop.time()))
        time.sleep(stall_s)
        due += every_s


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
