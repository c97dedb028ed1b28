"""What a request costs the generator, the whole way on: plan, client, recorder, self-checks, statistics.

The real command drives the same server with the same task: as a FastHttpUser, as a LoadUser, and as an asyncio member.
What counts is the processor time of the process that sends, as it tells of itself each second. k6 stands beside them,
where it is installed, by what the kernel says of its process.
"""

from __future__ import annotations

import json
import math
import os
import resource
import shutil
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import Request, urlopen

import psutil
import pytest

from benchmarks.nginx import NGINX, nginx
from benchmarks.truth.record import Record
from loadtests.run import Run
from tests.endtoend.harness import listening, loadtests, null_server, summary

T = TypeVar("T")
Server = Callable[[], AbstractContextManager[str]]
USERS = """
from locust import FastHttpUser, constant, task
from loadtests.loaduser import LoadUser


class Lean(LoadUser):
    wait_time = constant(0)

    @task
    def page(self):
        self.client.get("/page")


class Fast(FastHttpUser):
    wait_time = constant(0)

    @task
    def page(self):
        self.client.get("/page")
"""
MEMBERS = """
from loadtests.httpmember import HttpMember


class Member(HttpMember):
    async def act(self):
        await self.http.get("/page")
"""
KINDS = {"FastHttpUser": "users.py:Fast", "LoadUser": "users.py:Lean", "member": "members.py:Member"}


@dataclass(frozen=True)
class Cost:
    """Of one kind of client, in the median second: requests, and us of a core for each."""

    per_s: float
    us: float


def drive(folder: Path, kind: str, url: str, load: str, processes: int = 1) -> Run:
    """Let one kind of client ask for a page."""
    (folder / "users.py").write_text(USERS)
    (folder / "members.py").write_text(MEMBERS)
    scenario, out = folder / "cost.toml", folder / f"{kind}-{processes}-{abs(hash(load))}"
    scenario.write_text(
        f"""name = "cost"
phases = [ {{ kind = "warm-up", duration = "3s" }}, {{ kind = "steady", duration = "8s" }} ]
users = [ {{ class = "{KINDS[kind]}" }} ]
[target]
url = "{url}"
max_rate = 5000
[load]
driver = "{"members" if kind == "member" else "users"}"
{load}
[[objectives]]
must = ["errors < 1%"]
"""
    )
    loadtests("run", scenario, "--out", out, *(("--processes", processes) if processes > 1 else ()))
    return Run(out)


def cost(folder: Path, kind: str, load: str, processes: int = 1, server: Server = null_server) -> Cost:
    """What one kind of client takes against a server; of several processes, what all of them take."""
    with server() as url:
        run = drive(folder, kind, url, load, processes)
    series = run.intervals["GET /page"]
    cpu: Counter[int] = Counter()
    for row in run.vitals:
        if row["source"] != "master" and row["source"].endswith(".swarm") == (kind == "member"):
            cpu[math.floor(row["at_s"]) - 1] += row["cpu_percent"]
    seconds = [s for s in run.header.steady_seconds() if s in cpu and s in series and series[s].completed]
    each_us = [cpu[s] * 1e4 / series[s].completed for s in seconds]
    return Cost(statistics.median(series[s].completed for s in seconds), statistics.median(each_us))


def added(folder: Path, kind: str) -> dict[str, float]:
    """What one kind adds to a server that holds each request for 5 ms, quantile by quantile, in ms.

    That is the service time in the steady state, less how long the server held what came meanwhile by its own record.
    """
    server = ["-m", "benchmarks.truth.servers.delay"]
    with listening(lambda port: [*server, str(port), "5", "0"]) as (url, process):
        psutil.Process(process.pid).cpu_affinity([max(os.sched_getaffinity(0))])
        run = drive(folder, kind, url, 'rate = "1000/s"\narrivals = "constant"\nusers = 100')
        asked = Request(f"{url}/record", headers={"User-Agent": "benchmark"})  # noqa: S310 -- our own address
        with urlopen(asked, timeout=30) as answer:  # noqa: S310
            told = json.load(answer)
    seconds = run.header.steady_seconds()
    begin_ns, end_ns = (run.header.t0_ns + second * 1_000_000_000 for second in (seconds[0], seconds[-1] + 1))
    record, service_ms = (
        Record.between(told, begin_ns, end_ns),
        summary(run.directory)["series"]["GET /page"]["service_ms"],
    )
    held_ms = {f"p{p:g}": record.percentile_ms(p) for p in (50, 99, 99.9)}
    return {name: service_ms[name] - ms for name, ms in held_ms.items() if ms is not None}


def _beside(benchmark: Any, of: Callable[[str], T]) -> dict[str, T]:
    """The three of them, the member being what is benchmarked."""
    found = {"member": benchmark.pedantic(lambda: of("member"), rounds=1)}
    found |= {kind: of(kind) for kind in KINDS if kind != "member"} if benchmark.enabled else {}
    return {kind: found[kind] for kind in KINDS if kind in found}


@pytest.mark.parametrize(
    "load",
    [
        pytest.param('model = "closed"\nusers = 100', id="closed, 100 users"),
        pytest.param('rate = "1000/s"\narrivals = "constant"\nusers = 100', id="1,000 a second"),
    ],
)
@pytest.mark.parametrize(
    "server",
    [
        pytest.param(nginx, marks=pytest.mark.skipif(NGINX is None, reason="needs nginx: apt-get install nginx-light")),
        null_server,
    ],
)
def test_a_request(
    benchmark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], load: str, server: Server
) -> None:
    """Processor time, as multiples of FastHttpUser's.

    nginx often answers before a client at a fixed rate has fallen asleep over it; for the null server, which is Python
    as well, every client sleeps and is woken once more for nearly every request, which is no cost of its own.
    """
    found = _beside(benchmark, lambda kind: cost(tmp_path, kind, load, server=server))
    with capsys.disabled():
        for kind, one in found.items():
            times = found.get("FastHttpUser", one).us / one.us
            told = f"{kind:>12} {one.us:4.0f} us a request, {one.per_s:,.0f}/s: {times:.1f} times"
            print(f"\n{server.__name__}, {load!r}: {told}", end="")


def test_two_processes(benchmark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Members in two processes, on two cores that the server takes its own share of."""
    load = 'model = "closed"\nusers = 100'
    two = benchmark.pedantic(lambda: cost(tmp_path, "member", load, processes=2), rounds=1)
    one = cost(tmp_path, "member", load) if benchmark.enabled else two
    with capsys.disabled():
        print(f"\ntwo processes: {two.us:.1f} us a request over both, {two.per_s:,.0f}/s; one: {one.us:.1f} us", end="")


@pytest.mark.skipif(not shutil.which("k6"), reason="needs k6")
def test_k6(benchmark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same closed loop: 100 users who ask again when they are answered."""
    if not benchmark.enabled:
        pytest.skip("only measured: make bench")
    script, told = tmp_path / "k6.js", tmp_path / "k6.json"
    with null_server() as url:
        script.write_text(
            "import http from 'k6/http';\nexport const options = { vus: 100, duration: '8s' };\n"
            f"export default function () {{ http.get('{url}/page'); }}\n"
        )
        command = ["k6", "run", "--quiet", "--no-usage-report", f"--summary-export={told}", str(script)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        benchmark.pedantic(lambda: subprocess.run(command, check=True, capture_output=True), rounds=1)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    taken_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    requests = json.loads(told.read_text())["metrics"]["http_reqs"]["count"]
    with capsys.disabled():
        print(f"\nk6: {1e6 * taken_s / requests:.0f} us a request, start and end included", end="")


def test_an_idle_member(benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Its session and its connection, kept alive."""
    root = Path(__file__).resolve().parents[1]
    with null_server() as url:
        command = [sys.executable, "benchmarks/idlemembers.py", "2000", url]
        told = {"cwd": root, "env": os.environ | {"PYTHONPATH": str(root)}, "text": True, "check": True}
        ran = benchmark.pedantic(lambda: subprocess.run(command, stdout=subprocess.PIPE, **told), rounds=1)
    with capsys.disabled():
        print(f"\nan idle member: {float(ran.stdout):.1f} KiB", end="")


def test_added_time(benchmark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What each adds to a server that takes 5 ms, at 1,000/s from 100 users."""
    found = _beside(benchmark, lambda kind: added(tmp_path, kind))
    with capsys.disabled():
        for kind, one in found.items():
            print(f"\n{kind:>12} adds (ms) {', '.join(f'{name} {ms:.2f}' for name, ms in one.items())}", end="")
