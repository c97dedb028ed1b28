"""What a request costs the generator, the whole way on: plan, client, recorder, self-checks, Locust's statistics.

The real command drives the same server with the same task twice, as a LoadUser and as a FastHttpUser; what counts is
the processor time of the process of the users, as it tells of itself each second.
"""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from typing import Any

import pytest

from loadtests.run import Run
from tests.endtoend.harness import loadtests, null_server

USERS = """
from locust import FastHttpUser, constant, task
from loadtests.loaduser import LoadUser


class Lean(LoadUser):
    wait_time = constant(0)

    @task
    def page(self):
        self.client.get("/page", name="/page")


class Fast(FastHttpUser):
    wait_time = constant(0)

    @task
    def page(self):
        self.client.get("/page", name="/page")
"""


def _cost(folder: Path, user: str, load: str) -> tuple[float, float]:
    """Requests a second, and microseconds of processor time a request, in the median second of the steady state."""
    (folder / "users.py").write_text(USERS)
    with null_server() as url:
        path = folder / f"{user}.toml"
        path.write_text(
            f"""name = "cost"
phases = [ {{ kind = "warm-up", duration = "3s" }}, {{ kind = "steady", duration = "8s" }} ]
users = [ {{ class = "users.py:{user}" }} ]
[target]
url = "{url}"
max_rate = 5000
[load]
{load}
[[objectives]]
must = ["errors < 1%"]
"""
        )
        out = folder / f"{user}-{load[:12].strip().replace(' ', '')}".replace('"', "")
        loadtests("run", path, "--out", out)
    run = Run(out)
    series = next(by for name, by in run.intervals.items() if name.startswith("GET "))
    cpu = {math.floor(row["at_s"]) - 1: row["cpu_percent"] for row in run.vitals if row["source"] == "generator"}
    seconds = [s for s in run.header.steady_seconds() if s in cpu and series.get(s) and series[s].completed]
    each_us = [cpu[s] * 1e4 / series[s].completed for s in seconds]
    return statistics.median(series[s].completed for s in seconds), statistics.median(each_us)


@pytest.mark.parametrize(
    "load",
    [
        pytest.param('model = "closed"\nusers = 100', id="closed, 100 users"),
        pytest.param('rate = "1000/s"\narrivals = "constant"\nusers = 100', id="1,000 a second"),
    ],
)
def test_a_request(benchmark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], load: str) -> None:
    """LoadUser beside FastHttpUser."""
    lean_per_s, lean_us = benchmark.pedantic(lambda: _cost(tmp_path, "Lean", load), rounds=1)
    if benchmark.stats is None:
        return
    fast_per_s, fast_us = _cost(tmp_path, "Fast", load)
    benchmark.extra_info |= {"us": lean_us, "ratio": fast_us / lean_us}
    with capsys.disabled():
        print(
            f"\n{json.dumps(load)}: LoadUser {lean_us:.0f} us of a core a request ({lean_per_s:,.0f}/s), "
            f"FastHttpUser {fast_us:.0f} us ({fast_per_s:,.0f}/s), {fast_us / lean_us:.2f} times"
        )
