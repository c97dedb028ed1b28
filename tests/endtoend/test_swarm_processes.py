"""The swarm's processes: one that is stopped, several that share the connections, and a target that starts again."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from loadtests.run import Run
from tests.endtoend.harness import children, loadtests, server, start, summary, verdict, wait_for

Make = Callable[..., Path]
PAUSED = """name = "paused"
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
members = [ {{ class = "loadtests.broadcastmember:BroadcastMember", count = 5 }} ]
[[objectives]]
must = ["p95 < 200ms", "lost < 2%"]
series = "ws deliver"
"""


def test_paused_swarm(tmp_path: Path) -> None:
    """Stopped for longer than the drain under a backlog of several reads, the client's own: no latency, no loss."""
    out, path = tmp_path / "run", tmp_path / "paused.toml"
    with server("broadcaster", "0.0005") as (url, _):
        path.write_text(PAUSED.format(url=url))
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
    assert ledger["expected"] > 5 * 5 * 1000, said
    assert ledger["lost"] == pytest.approx(ledger["expected"] / 40, abs=20)  # a message at either end
    assert (ledger["late"], ledger["duplicated"], ledger["foreign"]) == (0, 0, 0)
    assert told["verdict"] == "INVALID", told["sentence"]
    assert "stood still" in told["sentence"]


def test_shared_connections(scenario: Make, tmp_path: Path) -> None:
    """Two swarm processes of each Locust process know of each other's publications: every delivery is accounted for."""
    out = tmp_path / "run"
    with server("hub") as (url, _):
        path = scenario(url, member="Listener", steady="9s")
        path.write_text(path.read_text().replace("count = 4 }", "count = 9 }"))
        done = loadtests("run", path, "--processes", "2", "--swarm-processes", "2", "--out", out)
    assert done.returncode in (0, 4, 5), done.stdout + done.stderr
    ledger, figures = Run(out).deliveries, summary(out)
    assert ledger["expected"] == ledger["delivered"] > 9 * 2 * 5  # of a second: four processes come up slowly
    assert (ledger["lost"], ledger["duplicated"], ledger["foreign"]) == (0, 0, 0)
    assert figures["series"]["ws deliver last"]["count"] > 2 * 5
    told = [json.loads(line)["source"] for line in (out / "vitals.jsonl").read_text().splitlines()]
    assert len({source for source in told if ".swarm-" in source}) == 2 * 2


RESTART = """name = "restart"
phases = [ { kind = "warm-up", duration = "1s" }, { kind = "steady", duration = "13s" } ]
[target]
embedded = { module = "loadtests.nullhub" }
[settings]
hub = ""
[swarm]
connect_rate = "100/s"
drain = "1s"
guard = "300ms"
reconnect = { base = "200ms", cap = "400ms" }
members = [
  { class = "loadtests.nullmember:NullListener", count = 8 },
  { class = "loadtests.nullmember:NullSpeaker", count = 2, rate = "8/s" },
]
[[swarm.storms]]
at = "4s"
how = "restart"
[[objectives]]
must = ["p95 < 1s"]
series = "ws deliver"
"""


def test_restarted_target(tmp_path: Path) -> None:
    """The target of the run's own is ended and started again: everybody comes back and goes on."""
    out, path = tmp_path / "run", tmp_path / "restart.toml"
    path.write_text(RESTART)
    done = loadtests("run", path, "--out", out)
    run, figures = Run(out), summary(out)
    assert run.header.state == "complete", done.stdout + done.stderr
    restored = figures["series"]["ws restore"]
    assert (restored["count"], restored["ok"]) == (10, 10)
    closes = run.swarm.closes
    assert closes["we: end of the run"] == sum(n for why, n in closes.items() if why.startswith("the storm: ")) == 10
    assert sum(closes.values()) == 20
    ledger = run.deliveries
    assert ledger["recovered"] == ledger["duplicated"] == ledger["foreign"] == 0
    assert ledger["expected"] == ledger["delivered"] + ledger["lost"]
    assert ledger["delivered"] > 2 * 8 * 2, "before and after"
    assert 0 < restored["response_ms"]["max"] < 6000
