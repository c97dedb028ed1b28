"""Many subscribers in one process: ``subscribers.py swarm|aiohttp|bare PORT CONNECTIONS SECONDS CONNECT_RATE``.

Prints one line of JSON: deliveries per second, processor time of each (us), resident memory of each connection (KiB),
connections made per second, and p50 and p99 from the server's stamp to the reading (us). ``swarm`` is ours with its
full ledger; ``aiohttp`` its ``async for`` loop that reads the JSON and keeps no account; ``bare`` counts reads.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import aiohttp
import numpy as np
import uvloop

from loadtests.interval import Interval, merge
from loadtests.job import Job
from loadtests.outbox import Outbox
from loadtests.swarm import Swarm
from loadtests.swarmscenario import DEFAULT_ADAPTER, swarm_scenario

SETTLE_S = 3.0
"""After the last one has come, until the ledger holds nothing any more that was sent meanwhile."""
NS_PER_S = 1_000_000_000


def rss_kib() -> float:
    """Resident memory of this process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024


class Tally:
    """What a client of the other two kinds counts."""

    def __init__(self) -> None:
        self.up = self.taken = 0
        self.waited_us: list[int] = []


async def measure(name: str, n: int, seconds: float, before_kib: float, up: Any, taken: Any, waited: Any) -> None:
    """Wait until all are there, let it settle, then count for so long; ``before_kib`` were resident without them."""
    begun = time.monotonic()
    while up() < n:
        await asyncio.sleep(0.01)
        if time.monotonic() - begun > 120:
            raise SystemExit(f"{up()} of {n} connections after two minutes")
    connect_s = time.monotonic() - begun
    gc.collect()
    each_kib = (rss_kib() - before_kib) / n
    await asyncio.sleep(SETTLE_S)
    first, cpu, at = taken(), time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    cpu, at, found = time.process_time() - cpu, time.monotonic() - at, taken() - first
    p50, p99 = waited()
    row = {"per_s": found / at, "us": 1e6 * cpu / max(1, found), "busy": cpu / at, "kib": each_kib}
    row |= {"connects_per_s": n / connect_s, "p50_us": p50, "p99_us": p99}
    print(json.dumps({"client": name, **{key: round(value, 1) for key, value in row.items()}}), flush=True)
    os._exit(0)


async def swarm(port: int, n: int, seconds: float, rate: float) -> None:
    """Ours, as ``loadtests swarm`` makes it."""
    settings: dict[str, object] = {"adapter": DEFAULT_ADAPTER, "send": [], "headers": {}}
    asked = swarm_scenario(f"ws://127.0.0.1:{port}/", n, rate, round((seconds + 120) * 1e9), settings, ("lost == 0",))
    quick = asked.swarm.model_copy(update={"guard": NS_PER_S // 2, "drain": NS_PER_S})
    made = asked.model_copy(update={"swarm": quick})
    batches: list[dict[str, Any]] = []
    folder = Path(tempfile.mkdtemp())
    job = Job(made, "r1", "local", "bench", 0, 1, folder)
    gc.collect()
    gc.freeze()
    before_kib = rss_kib()
    made_of = Swarm(job, time.monotonic_ns(), Outbox("bench", lambda batch: batches.append(batch["intervals"]), folder))
    running = asyncio.create_task(made_of.run())
    counts = made_of.books.ledger.counts

    def waited() -> tuple[float, float]:
        late = [row for rows in batches[-int(seconds) :] for row in rows if row["series"] == "ws deliver"]
        found = merge(map(Interval.from_json, late), series="").response
        assert counts.lost == 0, f"{counts.lost} lost"
        return found.percentile_us(50) or 0.0, found.percentile_us(99) or 0.0

    await measure("swarm", n, seconds, before_kib, lambda: made_of.books.connected, lambda: counts.received, waited)
    await running


async def plain(port: int, n: int, seconds: float, rate: float) -> None:
    """Aiohttp's own loop, a task and a queue for each connection."""
    tally = Tally()

    async def one(http: aiohttp.ClientSession, number: int) -> None:
        await asyncio.sleep(number / rate)
        async with http.ws_connect("/", compress=0) as connection:
            tally.up += 1
            async for message in connection:
                row = json.loads(message.data)
                tally.waited_us.append((time.monotonic_ns() - row["sent_ns"]) // 1000)

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(base_url=f"http://127.0.0.1:{port}", connector=connector) as http:
        before_kib = rss_kib()
        tasks = [asyncio.create_task(one(http, number)) for number in range(n)]
        counted = lambda: tally.up, lambda: len(tally.waited_us), percentiles(tally)
        await measure("aiohttp", n, seconds, before_kib, *counted)
        await asyncio.gather(*tasks)


class Bare(asyncio.Protocol):
    """Shakes hands and counts reads."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.up = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        key = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        cast(asyncio.Transport, transport).write(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + key
        )

    def data_received(self, data: bytes) -> None:
        """One read is one message, as long as one was written at a time."""
        if self.up:
            self.tally.taken += 1
        else:
            self.up = True
            self.tally.up += 1


async def bare(port: int, n: int, seconds: float, rate: float) -> None:
    """As little as can be."""
    tally, loop = Tally(), asyncio.get_running_loop()

    async def all_of_them() -> None:
        for _ in range(n):
            await loop.create_connection(lambda: Bare(tally), "127.0.0.1", port)
            await asyncio.sleep(1 / rate)

    before_kib = rss_kib()
    connecting = asyncio.create_task(all_of_them())
    await measure("bare", n, seconds, before_kib, lambda: tally.up, lambda: tally.taken, lambda: (0.0, 0.0))
    await connecting


def percentiles(tally: Tally) -> Any:
    """Those of what was waited."""
    return lambda: tuple(np.percentile(tally.waited_us[len(tally.waited_us) // 2 :], [50, 99]).tolist())


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    kinds = {"swarm": swarm, "aiohttp": plain, "bare": bare}
    uvloop.run(kinds[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5])))
