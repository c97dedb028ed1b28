"""What a delivery costs the swarm with its full ledger, beside aiohttp's own loop and a bare client, one core each.

Server and client have a core of their own, by turns: each kind of client meets the same server for the same time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.endtoend.harness import free_port

HERE = Path(__file__).parent
SECONDS = 8.0
CORES = sorted(os.sched_getaffinity(0))


def _pinned(core: int, script: str, *arguments: object) -> subprocess.Popen[str]:
    def pin() -> None:
        os.sched_setaffinity(0, {core})

    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=pin, cwd=HERE.parent)


def client(kind: str, connections: int, per_s: float, batch: int = 1, groups: int = 20, connect: float = 2000) -> Any:
    """What one kind of client tells of a server that sends ``per_s`` messages to each of its subscribers."""
    port = free_port()
    server = _pinned(CORES[-1], "broadcaster.py", port, per_s, batch, groups)
    try:
        time.sleep(1)
        asking = _pinned(CORES[0], "subscribers.py", kind, port, connections, SECONDS, connect)
        said, _ = asking.communicate(timeout=240)
    finally:
        server.kill()
        server.wait()
    return json.loads(said)


def _line(what: str, row: Any, wanted: float) -> str:
    return (
        f"{what} {row['client']:>8}: {row['per_s']:>8,.0f}/s of {wanted:,.0f}, {row['us']:5.1f} us each, "
        f"{100 * row['busy']:3.0f} % of a core, {row['kib']:5.1f} KiB a connection, {row['connects_per_s']:,.0f} "
        f"connects/s, p50 {row['p50_us'] / 1000:.2f} ms, p99 {row['p99_us'] / 1000:.2f} ms"
    )


@pytest.mark.skipif(len(CORES) < 2, reason="server and client need a core each")
@pytest.mark.parametrize(
    ("connections", "per_s", "batch"),
    [
        pytest.param(1000, 5.0, 1, id="1,000 subscribers, 5,000/s"),
        pytest.param(1000, 10.0, 1, id="1,000 subscribers, 10,000/s"),
        pytest.param(1000, 20.0, 1, id="1,000 subscribers, 20,000/s"),
        pytest.param(5000, 2.0, 1, id="5,000 subscribers, 10,000/s"),
        pytest.param(5000, 4.0, 1, id="5,000 subscribers, 20,000/s"),
        pytest.param(1000, 60.0, 1, id="1,000 subscribers, 60,000/s"),
        pytest.param(1000, 152.0, 8, id="1,000 subscribers, 152,000/s in writes of 8"),
    ],
)
def test_a_delivery(
    benchmark: Any, capsys: pytest.CaptureFixture[str], connections: int, per_s: float, batch: int
) -> None:
    """Ours beside aiohttp's loop and a bare client, in the same minute."""
    if not benchmark.enabled:
        pytest.skip("only measured: make bench")
    wanted = connections * per_s
    ours = benchmark.pedantic(lambda: client("swarm", connections, per_s, batch), rounds=1)
    peer, least = client("aiohttp", connections, per_s, batch), client("bare", connections, per_s, batch)
    benchmark.extra_info |= {"us": ours["us"], "of aiohttp": ours["us"] / peer["us"]}
    with capsys.disabled():
        for row in (ours, peer, least):
            print("\n" + _line(f"{connections:,} subscribers, writes of {batch},", row, wanted), end="")
        print(f"\n  ours costs {ours['us'] / peer['us']:.2f} of aiohttp's loop, which keeps no account")


@pytest.mark.skipif(len(CORES) < 2, reason="server and client need a core each")
def test_ten_thousand(benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten thousand connections of one process."""
    if not benchmark.enabled:
        pytest.skip("only measured: make bench")
    ours = benchmark.pedantic(lambda: client("swarm", 10_000, 1.0), rounds=1)
    others = [client(kind, 10_000, 1.0) for kind in ("aiohttp", "bare")]
    with capsys.disabled():
        for row in (ours, *others):
            print("\n" + _line("10,000 subscribers", row, 10_000), end="")
