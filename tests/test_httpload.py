"""An HTTP load of members as their process tells of it: the last word of a run that is over within its first second."""

import asyncio
import time
from unittest.mock import patch

from aiohttp import web

from loadtests.interval import Interval
from loadtests.job import Job
from loadtests.outbox import Outbox
from loadtests.promises import Promises
from loadtests.recorder import OTHER_SERIES, Recorder
from loadtests.scenario import Scenario
from loadtests.swarm import Swarm

MEMBERS = """
from itertools import product
from loadtests.httpmember import HttpMember

class Reader(HttpMember):
    async def act(self):
        await self.http.get("/page")

class Namer(HttpMember):
    async def act(self):
        for name in map("".join, product("abcdefgh", repeat=3)):
            await self.http.get("/page", name=f"/{name}")
"""
DOCUMENT = {
    "openapi": "3.1.0",
    "paths": {"/page": {"get": {"responses": {"200": {"content": {"application/json": {}}}}}}},
}


def told_of(folder, cls, duration="500ms", **more):
    """Run to its end, half a second after second 0 or when it is said; every interval and event that was posted."""
    (folder / "members.py").write_text(MEMBERS)
    posts = []

    async def main():
        app = web.Application()
        app.router.add_get("/page", page)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        scenario = Scenario.model_validate(
            {
                "name": "x",
                "target": {"url": f"http://127.0.0.1:{runner.addresses[0][1]}"},
                "phases": [{"kind": "steady", "duration": duration}],
                "users": [{"class": f"members.py:{cls}"}],
                "load": {"driver": "members", "arrivals": "constant", "timeout": "5s"} | more.pop("load"),
                "folder": folder,
            }
            | more
        )
        share = Job(scenario, "r", "local", "s", 0, 1, folder, promises=Promises(openapi=DOCUMENT))
        t0_ns = time.monotonic_ns() + 1_200_000_000  # members come up over the second before
        await Swarm(share, t0_ns, Outbox(share.source, posts.append, folder)).run()
        await runner.cleanup()

    async def page(request):
        return web.Response(text="ok")

    asyncio.run(main())
    rows = [Interval.from_json(row) for post in posts for row in post.get("intervals", ())]
    return rows, [event for post in posts for event in post.get("events", ())]


def test_the_last_second_is_held_against_the_contract(tmp_path):
    """Also what was answered after the last look: all of 20 answers were checked, and break it."""
    rows, _ = told_of(tmp_path, "Reader", load={"rate": "40/s", "users": 5}, contract={"sample": 1})
    assert sum(row.ok for row in rows) == sum(row.checked for row in rows) == 20
    (kind,) = {kind for row in rows for kind in row.violations}
    assert "text/plain" in kind
    assert sum(row.violations.get(kind, 0) for row in rows) == 20


def test_too_many_series_are_told(tmp_path):
    """512 names: those over the limit are one series, no request is lost, and some of the names are told."""
    rows, events = told_of(tmp_path, "Namer", load={"rate": "2/s", "users": 1})
    assert sum(row.count for row in rows) == 512
    assert 0 < sum(row.count for row in rows if row.series == OTHER_SERIES) < 512
    told, *_ = [event["text"] for event in events if event["kind"] == "series"]
    assert told.startswith("too many series, pooled as (other): GET /")


def test_what_is_due_goes_between_the_parts_of_a_batch(tmp_path, monkeypatch):
    """More is recorded while a batch is made; and where it is made as the run ends, what it has is not lost."""
    folding, between = Recorder.folding, []

    def slow(self):
        intervals = yield from folding(self)
        if intervals and len(between) < 2:
            until_s = time.monotonic() + 0.3  # the second time, until after the run's end
            while time.monotonic() < until_s:
                yield
            between.append(any(self._rows.values()))
        return intervals

    monkeypatch.setattr(Recorder, "folding", slow)
    rows, _ = told_of(tmp_path, "Reader", "2s", load={"rate": "40/s", "users": 5}, contract={"sample": 1})
    assert (between[0], len(between)) == (True, 2)
    assert sum(row.ok for row in rows) == sum(row.checked for row in rows) == 80


def test_what_is_much_is_folded_before_its_second_is_over(tmp_path, monkeypatch):
    """Ten times a second; once in each second, and at the end, would be twice."""
    monkeypatch.setattr("loadtests.recorder.MUCH", 1)
    with patch.object(Recorder, "_folded", autospec=True, side_effect=Recorder._folded) as folded:
        rows, _ = told_of(tmp_path, "Reader", load={"rate": "40/s", "users": 5})
    assert folded.call_count > 2
    assert sum(row.ok for row in rows) == 20
