"""What the self-checks of a process cost it at 1,000 requests a second; the aim is under 2 % of a core.

The same echo traffic with and without the probes, by turns, in a process of its own under gevent; the median difference
of processor time. The orchestrator's readings of the machine, once a second, are timed beside it.
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

from loadtests.monitor import Monitor
from tests.endtoend.harness import ROOT, null_server

PROGRAM = """
import gevent.monkey
gevent.monkey.patch_all()
import json, statistics, sys, time
import gevent
from loadtests.clientpool import PoolWaits
from loadtests.httpconnection import Connection
from loadtests.httprequest import RequestWriter
from loadtests.vitals import PROBE_S, Vitals

PORT, SECONDS, USERS, PER_S = int(sys.argv[1]), 4, 20, 1000
REQUEST = RequestWriter(f"127.0.0.1:{PORT}", {}).write("GET", "/", {}, None)

def user(first, t0_s):
    connection, k = Connection(("127.0.0.1", PORT), None, 5.0), first
    while k < PER_S * SECONDS:
        gevent.sleep(max(0.0, t0_s + k / PER_S - time.monotonic()))
        connection.exchange("GET", REQUEST, 5.0)
        k += USERS
    connection.close()

def probe(vitals, waits, until_s):
    second = 0
    while time.monotonic() < until_s:
        due_ns = time.monotonic_ns() + round(PROBE_S * 1e9)
        gevent.sleep(PROBE_S)
        vitals.woke(due_ns)
        second += 1
        if second % 100 == 0:
            vitals.row(0)
            waits.take()

def percent(probed):
    t0_s = time.monotonic() + 0.1
    jobs = [gevent.spawn(user, k, t0_s) for k in range(USERS)]
    if probed:
        jobs.append(gevent.spawn(probe, Vitals(), PoolWaits(), t0_s + SECONDS))
    begun = time.process_time()
    gevent.joinall(jobs, raise_error=True)
    return 100 * (time.process_time() - begun) / SECONDS

pairs = [(percent(True), percent(False)) for _ in range(7)]
told = {"with": statistics.median(a for a, _ in pairs), "difference": statistics.median(a - b for a, b in pairs)}
print(json.dumps(told))
"""


def test_the_checks_of_a_process(benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Percent of a core, at 1,000 requests a second."""
    monitor = Monitor()
    benchmark.pedantic(lambda: monitor.read([os.getpid()], [], []), rounds=20, warmup_rounds=1)
    if benchmark.stats is None:
        return
    with null_server() as url:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, url.rpartition(":")[2]],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(Path(ROOT))},
            capture_output=True,
            text=True,
            check=True,
        )
    told = json.loads(done.stdout)
    begun = time.process_time()
    monitor.read([os.getpid()], [], [])
    machine = 100 * (time.process_time() - begun)
    benchmark.extra_info |= told | {"machine": machine}
    with capsys.disabled():
        print(
            f"\nself-checks at 1,000/s: {told['difference']:+.2f} % of a core (the load itself takes "
            f"{told['with']:.1f} %); the machine's readings {machine:.2f} %"
        )
