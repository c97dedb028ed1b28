"""One thread that stands still: ``python -m benchmarks.truth.servers.stall PORT STALL_S EVERY_S``.

It sleeps STALL_S once every EVERY_S; whatever comes meanwhile waits in line and is answered first come first served.
"""

import asyncio
import sys
import time
from itertools import count

from benchmarks.truth.servers.answer import Answerer, Record


async def main(port: int, stall_s: float, every_s: float) -> None:
    """Serve until killed; the stalls are due on an absolute clock."""
    loop, record, numbers = asyncio.get_running_loop(), Record(), count()
    await loop.create_server(
        lambda: Answerer(lambda _, came_s: (came_s, 200), record, numbers), "127.0.0.1", port, backlog=1024
    )
    due_s = loop.time() + every_s
    while True:
        await asyncio.sleep(max(0.0, due_s - loop.time()))
        begun_ns = time.monotonic_ns()
        time.sleep(stall_s)
        record.stalls.append((begun_ns, time.monotonic_ns()))
        due_s += every_s


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
