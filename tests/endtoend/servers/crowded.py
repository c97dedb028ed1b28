"""Broadcasts numbered messages to the first so many that come with a header: ``crowded.py PORT PLACES AUTHORIZATION``.

Those that come later are answered 503, the others 401. What one says at first, ``{"auth": WORD}``, is said to it again.
"""

import asyncio
import json
import sys
import time
from typing import Any

from websockets.asyncio.server import ServerConnection, broadcast, serve


async def main() -> None:
    """Serve until killed."""
    taken = 0

    def place(connection: ServerConnection, request: Any) -> Any:
        nonlocal taken
        if request.headers.get("Authorization") != sys.argv[3]:
            return connection.respond(401, "who?\n")
        taken += 1
        return connection.respond(503, "full\n") if taken > int(sys.argv[2]) else None

    async def answer(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(f"welcome {json.loads(message)['auth']}")

    async with serve(answer, "127.0.0.1", int(sys.argv[1]), process_request=place) as server:
        number, due_s = 0, time.monotonic()
        while True:
            due_s += 0.05
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            broadcast(server.connections, json.dumps({"seq": number, "sent_ns": time.monotonic_ns()}))
            number += 1


if __name__ == "__main__":
    asyncio.run(main())
