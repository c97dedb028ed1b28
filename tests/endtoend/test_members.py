"""HTTP loads of asyncio members by the command, and members of the swarm that ask over HTTP as well."""

import json
from collections.abc import Callable
from pathlib import Path

from loadtests.run import Run
from tests.endtoend.harness import loadtests, null_server, server, summary

Make = Callable[..., Path]
UNDECIDED = (0, 4, 5)


def _accounting(out: Path) -> bool:
    verdict = Run(out).verdict
    assert verdict is not None
    return all(check.ok for check in verdict.checks if check.name == "accounting")


def test_one_line(tmp_path: Path) -> None:
    """Over two processes: every planned request is sent once and recorded, the witness asks some of them again.

    For long enough that the witness is there in time on a busy machine as well.
    """
    out = tmp_path / "run"
    with null_server() as url:
        done = loadtests(
            *("run", "--url", f"{url}/delay/5", "--rate", "200/s", "--users", "20", "--driver", "members"),
            *("--duration", "7s", "--warm-up", "1s", "--swarm-processes", "2", "--out", out),
        )
        wrong = loadtests("run", "--url", url, "--driver", "robots", "--out", tmp_path / "other")
    assert done.returncode in UNDECIDED, done.stdout + done.stderr
    figures = summary(out)
    series = figures["series"]["GET /delay/{id}"]
    assert series["count"] == series["ok"] == 200 * 7
    assert figures["planned"] == 200 * 8
    assert series["service_ms"]["p50"] >= 5
    assert _accounting(out)
    assert Run(out).deliveries == {}
    told = {json.loads(line)["source"] for line in (out / "vitals.jsonl").read_text().splitlines()}
    assert {"generator.swarm-0", "generator.swarm-1"} <= told
    assert (out / "witness.jsonl").read_text().strip()
    assert wrong.returncode == 2
    assert '--driver "robots": expected users or members' in wrong.stderr


MEMBERS = """
from loadtests.httpmember import HttpMember

class Reader(HttpMember):
    async def act(self):
        await self.http.get("/items/7", name="/items/{id}")
"""
CALLER = """

class Caller(Listener):
    async def prepare(self, http):
        await self.http.get("/items/17", name="/items/{id}/caller")
"""


def test_beside_a_swarm(scenario: Make, tmp_path: Path) -> None:
    """A closed load of members in the swarm's own process; a member of the swarm has a session too."""
    out = tmp_path / "run"
    with server("hub") as (url, _):
        path = scenario(url, member="Caller", user="Reader", load='model = "closed"\ndriver = "members"\nusers = 3')
        (path.parent / "users.py").write_text(MEMBERS)
        members = path.parent / "members.py"
        members.write_text(members.read_text() + CALLER)
        done = loadtests("run", path, "--out", out)
    assert done.returncode in UNDECIDED, done.stdout + done.stderr
    run = Run(out)
    assert sum(one.ok for one in run.intervals["GET /items/{id}/caller"].values()) == 4
    assert sum(one.ok for one in run.intervals["GET /items/{id}"].values()) > 100
    assert run.deliveries["expected"] == run.deliveries["delivered"] > 4 * 2 * 5 * 2
    assert _accounting(out), done.stdout


def test_a_class_of_the_other_kind(scenario: Make, tmp_path: Path) -> None:
    """A Locust user under the members' driver is told before the load, or by the run where its file does not tell."""
    with server("hub") as (url, _):
        path = scenario(url, load='rate = "20/s"\ndriver = "members"')
        told = loadtests("run", path, "--out", tmp_path / "none")
        users = path.parent / "users.py"
        users.rename(users.with_name("elsewhere.py"))
        users.write_text("from elsewhere import Visitor\n")
        done = loadtests("run", path, "--out", tmp_path / "run")
    assert told.returncode == 2
    assert "is a Locust user; expected an HttpMember" in told.stderr
    assert not (tmp_path / "none").exists()
    assert done.returncode == 5, done.stdout + done.stderr
    assert "is no loadtests.httpmember.HttpMember" in done.stdout
