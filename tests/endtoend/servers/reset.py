"""A server that resets every fifth connection's request instead of answering: ``reset.py PORT FILE``.

It writes how many requests to ``/reset`` it has read into FILE.
"""

import asyncio
import sys
from pathlib import Path

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


class Answer(asyncio.Protocol):
    """Answers or aborts."""

    seen = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self.transport, self.buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        """Every fifth request is one too many for this connection; the harness's first look is not counted."""
        self.buffer += data
        *requests, self.buffer = self.buffer.split(b"\r\n\r\n")
        for head in requests:
            if b"python-urllib" in head.lower():
                self.transport.write(ANSWER)
                continue
            Answer.seen += 1
            Path(sys.argv[2]).write_text(str(Answer.seen))
            if Answer.seen % 5 == 0:
                self.transport.abort()
                return
            self.transport.write(ANSWER)


async def main(port: int) -> None:
    """Serve until killed."""
    await asyncio.get_running_loop().create_server(Answer, "127.0.0.1", port, backlog=1024)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
