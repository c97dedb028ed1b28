"""Broadcasts numbered messages to the first so many: ``crowded.py PORT PLACES``; others are answered 503."""

import asyncio
import json
import sys
import time
from typing import Any

from websockets.asyncio.server import ServerConnection, broadcast, serve


async def main() -> None:
    """Serve until killed."""
    taken = 0

    def place(connection: ServerConnection, _: Any) -> Any:
        nonlocal taken
        taken += 1
        return connection.respond(503, "full\n") if taken > int(sys.argv[2]) else None

    async with serve(lambda one: one.wait_closed(), "127.0.0.1", int(sys.argv[1]), process_request=place) as server:
        number, due_s = 0, time.monotonic()
        while True:
            due_s += 0.05
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            broadcast(server.connections, json.dumps({"seq": number, "sent_ns": time.monotonic_ns()}))
            number += 1


if __name__ == "__main__":
    asyncio.run(main())
