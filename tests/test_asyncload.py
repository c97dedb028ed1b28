"""An HTTP load of members against a server in the same loop, uvloop's as in a run: nothing is unaccounted for."""

import asyncio
import subprocess
import sys
import time
from collections import Counter

import pytest
import uvloop

from loadtests.asyncload import AsyncLoad
from loadtests.asyncrequests import AsyncRequests
from loadtests.interval import merge
from loadtests.job import Job
from loadtests.plan import Plan
from loadtests.recorder import Recorder
from loadtests.scenario import Scenario
from loadtests.series import raised_in

LOOPS = pytest.mark.parametrize("loop", [asyncio, uvloop], ids=lambda loop: loop.__name__)

MEMBERS = """
import asyncio
import contextlib
import time
from loadtests.httpmember import HttpMember

class Reader(HttpMember):
    async def prepare(self):
        await self.http.get("/login")
        self.http.headers["X-Member"] = str(self.index)

    async def act(self):
        await self.http.get("/page")

class Thinker(HttpMember):
    async def act(self):
        await self.http.post("/one", json={"n": 1})
        await self.think(0.05)
        with await self.http.get("/two", catch_response=True) as answer:
            if answer.json()["path"] != "/three":
                answer.failure("not three")

class Broken(HttpMember):
    async def act(self):
        await self.http.get("/page")
        raise KeyError("mine")

class Hasty(HttpMember):
    async def act(self):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.02):
                await self.http.get("/page")

class HastyChecker(HttpMember):
    async def act(self):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.02):
                await self.http.get("/page", catch_response=True)

class BrokenChecker(HttpMember):
    async def act(self):
        with contextlib.suppress(KeyError):
            with await self.http.get("/page", catch_response=True) as answer:
                answer.json()["nothing of the kind"]

class Canceller(HttpMember):
    async def act(self):
        asked = asyncio.create_task(self.http.get("/page"))
        await asyncio.sleep(0.01)
        asked.cancel()
        await asked

class Unborn(HttpMember):
    def __init__(self, *args):
        raise ValueError("no such account")

class Restless(HttpMember):
    async def act(self):
        await self.http.get("/page")

    def pause_s(self):
        raise ValueError("no such pause")

class Idler(HttpMember):
    async def act(self):
        return

class Blocker(HttpMember):
    async def act(self):
        time.sleep(0.05)

class Deaf(HttpMember):
    async def act(self):
        try:
            await self.http.get("/page", timeout=60)
        except:
            pass

class Stubborn(HttpMember):
    async def act(self):
        with contextlib.suppress(asyncio.CancelledError):
            await self.http.get("/page", timeout=60)
        await asyncio.sleep(60)

class Restarter(HttpMember):
    async def act(self):
        while True:
            await self.http.get("/page")

class Patient(HttpMember):
    async def act(self):
        await self.http.get("/page", timeout=60)

class Idle(HttpMember):
    async def act(self):
        await self.http.get("/page")

    def pause_s(self):
        return 0.1
"""


class Shop:
    """Answers after a while, and keeps what was asked."""

    def __init__(self, delay_s=0.0):
        self.delay_s, self.asked, self.members = delay_s, Counter(), set()

    async def serve(self, reader, writer):
        """One connection, until it is closed."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split()[1].decode()
                fields = dict(line.split(b": ", 1) for line in head.strip().split(b"\r\n")[1:])
                await reader.readexactly(int(fields.get(b"Content-Length", 0)))
                self.asked[path] += 1
                self.members.add(fields.get(b"X-Member"))
                await asyncio.sleep(self.delay_s)
                body = b'{"path": "%b"}' % path.encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def run(shop, folder, cls, duration="1s", shard=0, shards=1, stop_after_s=None, loop=uvloop, **load):
    """Drive a share to its end; the load, the sum of each series, and the job."""
    (folder / "members.py").write_text(MEMBERS)
    found = {}

    async def main():
        server = await asyncio.start_server(shop.serve, "127.0.0.1", 0)
        scenario = Scenario.model_validate(
            {
                "name": "x",
                "target": {"url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"},
                "phases": [{"kind": "steady", "duration": duration}],
                "users": [{"class": f"members.py:{cls}"}],
                "load": {"driver": "members", "timeout": "2s"} | load,
                "folder": folder,
            }
        )
        job = Job(scenario, "r", "local", "s", shard, shards, folder)
        t0_ns = time.monotonic_ns() + 1_200_000_000  # as the orchestrator's lead: members come up before
        recorder, stopping = Recorder(t0_ns, job.limits_ns), asyncio.Event()
        requests = AsyncRequests(job, recorder)
        driven = AsyncLoad(job, requests, t0_ns)
        if stop_after_s:
            asyncio.get_running_loop().call_later(stop_after_s, stopping.set)
        async with asyncio.timeout(20):
            await driven.run(stopping)
        server.close()
        found.update(
            load=driven,
            events=requests.answers.take()["events"],
            job=job,
            counted=driven.accounting() | requests.accounting(),
        )
        rows = recorder.fold()
        found["series"] = {
            name: merge([row for row in rows if row.series == name], series=name) for name in {r.series for r in rows}
        }

    with asyncio.Runner(loop_factory=loop.new_event_loop) as runner:
        runner.run(main())
    return found


@LOOPS
@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
def test_open(tmp_path, arrivals, loop):
    """Each planned arrival starts one task, on time; each member signs in once and has headers of its own."""
    shop = Shop()
    found = run(shop, tmp_path, "Reader", rate="200/s", users=10, arrivals=arrivals, loop=loop)
    counted, page = found["counted"], found["series"]["GET /page"]
    planned = Plan(found["job"].scenario.load_model(), 1, 0, 1).fingerprint()[0]
    assert (counted["planned"], counted["offered"], counted["started"]) == (planned,) * 3
    assert (counted["dropped"], counted["unsent"], counted["requests_in_flight"]) == (0, 0, 0)
    assert (page.count, page.ok) == (planned, planned)
    assert shop.asked == {"/page": planned, "/login": 10}
    assert counted["requests_begun"] == planned + 10
    assert shop.members == {str(k).encode() for k in range(10)} | {None}
    assert page.lateness.total == planned
    assert found["load"].arrivals() == {"arrivals": planned}


def test_a_loop_that_stays_awake(tmp_path):
    """The plan is the same, and what the waiting cost is told beside it: at 20/s a fiftieth of the time at most."""
    found = run(Shop(), tmp_path, "Reader", rate="20/s", users=5, arrivals="constant", spin=True)
    assert found["counted"]["started"] == found["counted"]["planned"] == 20
    told = found["load"].arrivals()
    assert told["arrivals"] == 20
    assert 0 < told["spin_percent"] <= 2


def test_shares(tmp_path):
    """Two processes send what their shards of the plan say, and no more."""
    model_counts = []
    for shard in range(2):
        found = run(Shop(), tmp_path, "Reader", rate="100/s", users=6, shard=shard, shards=2)
        model_counts.append(found["counted"]["planned"])
        assert found["series"]["GET /page"].count == found["counted"]["planned"]
    assert sum(model_counts) == pytest.approx(100, abs=45)


def test_waiting_arrivals_have_their_clock_running(tmp_path):
    """Two members at 50 ms each do 40 a second of the 60 offered: the rest waits, and its wait is in its time."""
    found = run(Shop(0.05), tmp_path, "Idle", rate="60/s", users=2, arrivals="constant")
    page = found["series"]["GET /page"]
    assert page.count == 60
    assert page.service.percentile_us(50) < 150_000
    assert page.response.percentile_us(99) > 300_000  # the last of 60 waits for 20 of 25 ms each


def test_dropped_and_unsent(tmp_path):
    """Above the cap arrivals are dropped; what still waits once a cut run's two seconds are over was never sent."""
    found = run(Shop(3.0), tmp_path, "Idle", rate="40/s", users=2, in_flight_cap=10, stop_after_s=1.9)
    counted = found["counted"]
    assert counted["offered"] == counted["started"] + counted["dropped"] + counted["unsent"]
    assert counted["dropped"] > 0
    stray = found["series"]["arrival Idle"]
    assert (stray.dropped, stray.unsent) == (counted["dropped"], counted["unsent"])
    assert found["series"]["GET /page"].timeouts == counted["requests_begun"] - counted["requests_in_flight"]


def test_tasks(tmp_path):
    """After a pause the clock starts at its end; what the block refuses is a failure of its own kind."""
    found = run(Shop(), tmp_path, "Thinker", rate="40/s", users=20, arrivals="constant")
    one, two = found["series"]["POST /one"], found["series"]["GET /two"]
    assert one.ok == one.count == two.count == 40
    assert two.errors == {"check: not three": 40}
    assert two.lateness.percentile_us(50) < 40_000  # not counted from the task's own start


def test_code_that_raises(tmp_path):
    """Counted once a task, told at most 50 times, and the member goes on."""
    found = run(Shop(), tmp_path, "Broken", rate="100/s", users=5, arrivals="constant")
    assert found["series"][raised_in("Broken")].errors == {"raised KeyError": 100}
    assert found["series"]["GET /page"].ok == 100
    assert len(found["events"]) == 50
    assert found["events"][0] == {"kind": "user error", "text": "Broken raised KeyError: 'mine'"}


@LOOPS
def test_code_that_cancels_its_request(tmp_path, loop):
    """It has failed, under a kind of its own, and is no more under way; its connection answers nobody else."""
    found = run(Shop(0.1), tmp_path, "Hasty", rate="50/s", users=5, arrivals="constant", loop=loop)
    page = found["series"]["GET /page"]
    assert page.errors == {"cancelled": 50}
    assert (found["counted"]["requests_begun"], found["counted"]["requests_in_flight"]) == (50, 0)


def test_code_that_cancels_a_request_it_would_check(tmp_path):
    """The same where the block was to say what it was."""
    found = run(Shop(0.1), tmp_path, "HastyChecker", rate="50/s", users=5, arrivals="constant")
    assert found["series"]["GET /page"].errors == {"cancelled": 50}
    assert (found["counted"]["requests_begun"], found["counted"]["requests_in_flight"]) == (50, 0)


def test_code_that_raises_in_the_block(tmp_path):
    """The request was answered, whatever the code makes of it, and is under way no more."""
    found = run(Shop(), tmp_path, "BrokenChecker", rate="50/s", users=5, arrivals="constant")
    assert (found["series"]["GET /page"].count, found["series"]["GET /page"].ok) == (50, 50)
    assert found["counted"]["requests_in_flight"] == 0


@pytest.mark.parametrize("load", [{"rate": "50/s", "arrivals": "constant"}, {"model": "closed"}])
def test_a_cancellation_that_comes_out_of_a_task(tmp_path, load):
    """It is an exception of the code's own: told as one, and the member goes on."""
    found = run(Shop(0.1), tmp_path, "Canceller", users=5, **load)
    raised = found["series"][raised_in("Canceller")]
    assert raised.errors == {"raised CancelledError": raised.count}
    assert raised.count == 50 if "rate" in load else raised.count > 100
    assert found["series"]["GET /page"].errors.keys() == {"cancelled"}


@pytest.mark.parametrize("cls", ["Unborn", "Restless"])
def test_a_member_that_cannot_be(tmp_path, cls):
    """What its constructor or its think time raises is told, not swallowed."""
    found = run(Shop(), tmp_path, cls, model="closed", users=3)
    raised = found["series"][raised_in(cls)]
    assert raised.errors == {"raised ValueError": raised.count}
    assert raised.count >= 3
    assert f"{cls} raised ValueError: no such" in found["events"][0]["text"]


def test_a_task_that_awaits_nothing(tmp_path):
    """It keeps its loop busy, but not for itself alone: a run that is stopped ends."""
    began_s = time.monotonic()
    found = run(Shop(), tmp_path, "Idler", model="closed", users=2, duration="30s", stop_after_s=1.5)
    assert time.monotonic() - began_s < 10
    assert found["counted"]["requests_begun"] == 0


def test_what_never_ends_has_run_out_of_time(tmp_path):
    """A request with a longer time-out of its own is one at the end, not nothing."""
    found = run(Shop(30.0), tmp_path, "Patient", rate="10/s", users=20, arrivals="constant", timeout="300ms")
    counted = found["counted"]
    assert (counted["planned"], counted["requests_begun"], counted["requests_in_flight"]) == (10, 10, 0)
    stray = found["series"]["arrival Patient"]
    assert (stray.count, stray.timeouts) == (10, 10)


def test_what_began_in_the_drain_is_under_way(tmp_path):
    """A task that goes on and on: its last request has not run out of time, for it has only begun."""
    found = run(Shop(0.05), tmp_path, "Restarter", rate="10/s", users=5, arrivals="constant", timeout="300ms")
    assert found["series"].keys() == {"GET /page", "arrival Restarter"}
    stray, page = found["series"]["arrival Restarter"], found["series"]["GET /page"]
    assert (stray.count, stray.timeouts, stray.unsent) == (5, 0, 5)  # those who had no member left
    assert page.ok == page.count == found["counted"]["requests_begun"] - found["counted"]["requests_in_flight"]
    assert 0 < found["counted"]["requests_in_flight"] <= 5


def test_code_that_passes_over_its_cancellation(tmp_path):
    """A bare except in a task: the member leaves all the same, and nothing is told of it."""
    found = run(Shop(30.0), tmp_path, "Deaf", rate="10/s", users=5, arrivals="constant", timeout="300ms")
    assert found["counted"]["requests_begun"] == 5
    assert found["events"] == []
    assert found["load"].gauges()["users"] == 0


@pytest.mark.parametrize("load", [{"rate": "10/s", "arrivals": "constant"}, {"model": "closed"}])
def test_code_that_goes_on_after_the_end(tmp_path, load):
    """It keeps the process from its end no longer than a moment, and is told."""
    found = run(Shop(30.0), tmp_path, "Stubborn", users=2, timeout="300ms", **load)
    (event,) = found["events"]
    assert event["kind"] == "user error"
    assert event["text"].startswith("2 members did not end with the run")


def test_a_loop_that_is_behind_at_the_end(tmp_path):
    """Every planned arrival is offered, also those that came due in the last moment of a busy loop."""
    found = run(Shop(), tmp_path, "Blocker", rate="3000/s", users=3, duration="400ms", timeout="300ms")
    counted = found["counted"]
    assert counted["offered"] == counted["planned"] > 1000
    assert counted["offered"] == counted["started"] + counted["dropped"] + counted["unsent"]


def test_closed(tmp_path):
    """Five members that take 50 ms and pause for 100 can do at most 5 / .15 a second."""
    shop = Shop(0.05)
    found = run(shop, tmp_path, "Idle", model="closed", users=5)
    page = found["series"]["GET /page"]
    assert 10 <= page.count <= 5 * (1 + 2.2 / 0.15)  # they come up over the second before
    assert page.count == found["counted"]["requests_begun"] - found["counted"]["requests_in_flight"]
    assert "planned" not in found["counted"]
    assert found["load"].arrivals() == {}


def test_the_process_of_the_members_has_no_gevent():
    """Locust would patch the sockets under asyncio."""
    code = "import loadtests.swarmprocess, loadtests.urlmember, sys; sys.exit('gevent' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
