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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loadtests.run import Run
from tests.endtoend.harness import loadtests, null_server, summary

USERS = """
from locust import FastHttpUser, constant, task
from loadtests.loaduser import LoadUser


class Lean(LoadUser):
    wait_time = constant(0)

    @task
    def page(self):
        self.client.get("{path}", name="/page")


class Fast(FastHttpUser):
    wait_time = constant(0)

    @task
    def page(self):
        self.client.get("{path}", name="/page")
"""
MEMBERS = """
from loadtests.httpmember import HttpMember


class Member(HttpMember):
    async def act(self):
        await self.http.get("{path}", name="/page")
"""
KINDS = {"FastHttpUser": "users.py:Fast", "LoadUser": "users.py:Lean", "member": "members.py:Member"}


@dataclass(frozen=True)
class Cost:
    """Of one kind of client, in the median second: requests, us of a core for each; and its service times."""

    per_s: float
    us: float
    service_ms: dict[str, float]


def cost(folder: Path, kind: str, load: str, path: str = "/page", processes: int = 1) -> Cost:
    """Let one kind of client ask for a path of the null server; of several processes, what all of them take."""
    (folder / "users.py").write_text(USERS.format(path=path))
    (folder / "members.py").write_text(MEMBERS.format(path=path))
    driver = "members" if kind == "member" else "users"
    scenario, out = folder / "cost.toml", folder / f"{kind}-{processes}-{abs(hash(load + path))}"
    with null_server() as url:
        scenario.write_text(
            f"""name = "cost"
phases = [ {{ kind = "warm-up", duration = "3s" }}, {{ kind = "steady", duration = "8s" }} ]
users = [ {{ class = "{KINDS[kind]}" }} ]
[target]
url = "{url}"
max_rate = 5000
[load]
driver = "{driver}"
{load}
[[objectives]]
must = ["errors < 1%"]
"""
        )
        loadtests("run", scenario, "--out", out, *(("--processes", processes) if processes > 1 else ()))
    run = Run(out)
    series = run.intervals["GET /page"]
    cpu: Counter[int] = Counter()
    for row in run.vitals:
        if row["source"] != "master" and row["source"].endswith(".swarm") == (driver == "members"):
            cpu[math.floor(row["at_s"]) - 1] += row["cpu_percent"]
    seconds = [s for s in run.header.steady_seconds() if s in cpu and s in series and series[s].completed]
    each_us = [cpu[s] * 1e4 / series[s].completed for s in seconds]
    per_s = statistics.median(series[s].completed for s in seconds)
    return Cost(per_s, statistics.median(each_us), summary(out)["series"]["GET /page"]["service_ms"])


def _beside(benchmark: Any, of: Callable[[str], Cost]) -> dict[str, Cost]:
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
def test_a_request(benchmark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], load: str) -> None:
    """Processor time, as multiples of FastHttpUser's."""
    found = _beside(benchmark, lambda kind: cost(tmp_path, kind, load))
    with capsys.disabled():
        for kind, one in found.items():
            times = found.get("FastHttpUser", one).us / one.us
            print(f"\n{load!r}: {kind:>12} {one.us:4.0f} us a request, {one.per_s:,.0f}/s: {times:.1f} times", end="")


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
    load = 'rate = "1000/s"\narrivals = "constant"\nusers = 100'
    found = _beside(benchmark, lambda kind: cost(tmp_path, kind, load, "/delay/5"))
    with capsys.disabled():
        for kind, one in found.items():
            added = ", ".join(f"{name} {one.service_ms[name] - 5:.2f}" for name in ("p50", "p99", "p99.9"))
            print(f"\n{kind:>12} adds (ms) {added}", end="")
