"""The swarm's own process is stopped for longer than the drain, under a backlog larger than one read."""

import signal
import time
from pathlib import Path

import psutil
import pytest

from loadtests.run import Run
from tests.endtoend.harness import children, server, start, verdict, wait_for

SCENARIO = """name = "paused"
phases = [ {{ kind = "warm-up", duration = "1s" }}, {{ kind = "steady", duration = "9s" }} ]
[target]
url = "{url}"
[settings]
path = "/"
adapter = "json:seq=event.id,sent_ns=t"
headers = {{}}
send = []
[swarm]
connect_rate = "1000/s"
drain = "500ms"
guard = "200ms"
members = [ {{ class = "loadtests.broadcastmember:BroadcastMember", count = 20 }} ]
[[objectives]]
must = ["p95 < 200ms", "lost < 2%"]
series = "ws deliver"
"""


def test_paused_swarm(tmp_path: Path) -> None:
    """Its backlog is the client's: nothing more is lost than the server loses, and latency is not held against it."""
    out, path = tmp_path / "run", tmp_path / "paused.toml"
    with server("broadcaster", "0.0005") as (url, _):
        path.write_text(SCENARIO.format(url=url))
        process = start(["run", path, "--out", out])
        counts = out / "counts.jsonl"
        wait_for(lambda: counts.exists() and '"second": 3' in counts.read_text())
        (swarm,) = children(process.pid, "swarmprocess")
        psutil.Process(swarm).send_signal(signal.SIGSTOP)
        time.sleep(3)
        psutil.Process(swarm).send_signal(signal.SIGCONT)
        said = process.communicate(timeout=60)
    ledger, told = Run(out).deliveries, verdict(out)
    print(ledger, told["sentence"])
    assert ledger["expected"] > 20 * 5 * 1000, said
    assert ledger["lost"] == pytest.approx(ledger["expected"] / 40, abs=20)  # a message at either end
    assert (ledger["late"], ledger["duplicated"], ledger["foreign"]) == (0, 0, 0)
    assert told["verdict"] == "INVALID", told["sentence"]
    assert "stood still" in told["sentence"]
