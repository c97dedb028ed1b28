"""Broadcasts numbered messages to whoever is there: ``broadcaster.py PORT [EACH_S]``; every 40th to nobody.

It speaks no HTTP beside the handshake.
"""

import asyncio
import json
import sys
import time

from websockets.asyncio.server import broadcast, serve


async def main() -> None:
    """Serve until killed."""
    async with serve(lambda connection: connection.wait_closed(), "127.0.0.1", int(sys.argv[1])) as server:
        number, due_s, each_s = 0, time.monotonic(), float(sys.argv[2]) if len(sys.argv) > 2 else 0.02
        while True:
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            if number % 40:
                row = {"event": {"id": number}, "t": time.monotonic_ns()}
                broadcast(server.connections, json.dumps(row))
            number, due_s = number + 1, due_s + each_s


if __name__ == "__main__":
    asyncio.run(main())
