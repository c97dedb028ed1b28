"""Whatever a server does to them, each request is reported once, under the right outcome, and sent once.

On both loops: production has uvloop's, whose transports are not those of asyncio.
"""

import asyncio
import time
from pathlib import Path

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadtests.asyncrequests import AsyncRequests
from loadtests.interval import merge
from loadtests.job import Job
from loadtests.recorder import Recorder
from tests.casefile import outcomes, skipped
from tests.fates import FATES, FEW, Fated, path_of
from tests.listening import papers
from tests.recorded import scenario_of

LOOPS = pytest.mark.parametrize("loop", [asyncio, uvloop], ids=lambda loop: loop.__name__)


class Asker:
    """Whose requests they are."""

    intended_ns = cert = None


def ask(fates, at_once, loop):
    """Ask for each fate, so many at a time; the server, what was counted, and the recorded series."""
    server = Fated()
    job = Job(scenario_of(server.url), "r", "local", "s", 0, 1, Path())
    recorder = Recorder(time.monotonic_ns())
    requests = AsyncRequests(job, recorder)

    async def main():
        session = requests.session(Asker())
        left = list(fates)

        async def worker():
            while left:
                await session.get(path_of(left.pop()), name="/")

        await asyncio.gather(*(worker() for _ in range(at_once)))
        session.close()

    with asyncio.Runner(loop_factory=loop.new_event_loop) as runner:
        runner.run(main())
    server.stop()
    rows = [row for row in recorder.fold() if row.series == "GET /"]
    return server, requests.accounting(), merge(rows, series="GET /")


@LOOPS
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(fates=FEW, at_once=st.sampled_from([1, 3]))
def test_exactly_once(loop, fates, at_once):
    """As many begun, ended, recorded and seen by the server as were asked; and each became what its fate says."""
    server, counted, series = ask(fates, at_once, loop)
    n, wanted = len(fates), [FATES[fate].kind for fate in fates]
    assert (counted["requests_begun"], counted["requests_in_flight"]) == (n, 0)
    assert server.seen == n + fates.count("redirected")
    assert series.count == n == series.ok + series.error_count + series.timeouts
    assert series.ok == wanted.count("ok")
    assert series.timeouts == wanted.count("timeout")
    kinds = {kind: wanted.count(kind) for kind in wanted if kind not in ("ok", "timeout")}
    assert series.errors == kinds


@LOOPS
@pytest.mark.parametrize("fate", sorted(FATES))
def test_each_fate(loop, fate):
    """Between two that are well: neither suffers."""
    server, counted, series = ask(["well", fate, "well"], 1, loop)
    assert counted["requests_begun"] == 3
    assert server.seen == 3 + (fate == "redirected")
    assert series.ok == 2 + (FATES[fate].kind == "ok")


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def said(request, tmp_path_factory):
    """What became of the cases in asynchttpcases.py."""
    return outcomes("tests.asynchttpcases", 120, request.param, **papers(tmp_path_factory.mktemp("papers")))


def test_every_case_holds(said):
    """None fails, and there are as many as were written."""
    assert {name: told for name, told in said.items() if told and name not in skipped(said)} == {}
    assert len(said) >= 155


def test_no_case_was_skipped(said):
    """Where one was, it says why."""
    if skipped(said):
        pytest.skip(str(skipped(said)))
