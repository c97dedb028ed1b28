"""A server that answers every request after the same time, any number at once: ``delay.py PORT DELAY_S``."""

import asyncio
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


class Answer(asyncio.Protocol):
    """One answer for each end of a request's head; there are no bodies."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self.transport, self.buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        """Answer each request in a while."""
        self.buffer += data
        *requests, self.buffer = self.buffer.split(b"\r\n\r\n")
        for _ in requests:
            asyncio.get_running_loop().call_later(float(sys.argv[2]), self.transport.write, ANSWER)


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Answer, "127.0.0.1", int(sys.argv[1]), backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
