"""The command line as a stranger uses it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from loadtests.errors import ExitCode
from loadtests.run import Run
from tests.endtoend.harness import loadtests, server, summary, verdict

pytestmark = pytest.mark.slow

UNDECIDED = (ExitCode.INCONCLUSIVE, ExitCode.INVALID)
FAILED = (ExitCode.FAIL, ExitCode.INVALID)  # twenty times the budget fails a run of seconds, too
"""How a short run ends: INVALID where other tests take the processor meanwhile."""

Make = Callable[..., Path]


def test_exit_codes_are_public() -> None:
    """CI scripts hold these numbers."""
    assert {code.name: code.value for code in ExitCode} == {
        "PASS": 0,
        "INTERNAL": 1,
        "USAGE": 2,
        "FAIL": 3,
        "INCONCLUSIVE": 4,
        "INVALID": 5,
        "INTERRUPTED": 130,
    }


@pytest.mark.timed
def test_one_line_against_any_url(tmp_path: Path) -> None:
    """A healthy URL, half a minute: PASS, exit 0, every planned request sent, figures and pages on disk."""
    out = tmp_path / "run"
    with server("hub") as (url, _):
        done = loadtests(
            *("run", "--url", f"{url}/hello/42?x=1", "--rate", "50/s", "--users", "20", "--duration", "31s"),
            *("--warm-up", "1s", "--objective", "p75 < 500ms", "--objective", "throughput > 40/s", "--out", out),
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS" in done.stdout
    figures = summary(out)
    series = figures["series"]["GET /hello/{id}"]
    assert series["count"] == series["ok"] == 50 * 31
    assert figures["planned"] == 50 * 32
    assert set(series["response_ms"]) == {"p50", "p90", "p95", "p99", "p99.9", "max"}
    assert series["response_ms"]["p50"] >= series["service_ms"]["p50"]
    for name in ("report.html", "summary.md", "junit.xml", "run.json", "verdict.json", "intervals.hlog"):
        assert (out / name).stat().st_size > 0, name
    suite = ElementTree.parse(out / "junit.xml").getroot()  # noqa: S314 -- our own file
    assert len(list(suite.iter("testcase"))) >= 2
    assert not list(suite.iter("failure"))
    again = loadtests("judge", out)
    assert again.returncode == 0
    assert loadtests("judge", out, "--objective", "p95 < 1us").returncode == 3
    reader = HistogramLogReader(str(out / "intervals.hlog"), HdrHistogram(1, 60_000_000, 3))
    total = 0
    while (histogram := reader.get_next_interval_histogram()) is not None:
        total += histogram.get_total_count() if histogram.get_tag().endswith("|response") else 0
    assert total == 50 * 32
    assert loadtests("trend", out, out, "--out", tmp_path / "trend.html").returncode == 0
    assert (tmp_path / "trend.html").stat().st_size > 5_000


def test_a_short_run_decides_nothing(tmp_path: Path) -> None:
    """Three seconds: INCONCLUSIVE, exit 4, and it was said before the load."""
    with server("hub") as (url, _):
        done = loadtests(
            *("run", "--url", f"{url}/", "--rate", "50/s", "--duration", "3s", "--warm-up", "1s"),
            *("--objective", "p95 < 200ms", "--out", tmp_path / "run"),
        )
    assert done.returncode in UNDECIDED, done.stdout + done.stderr
    assert "steady state are too short to pass" in done.stderr


def test_an_objective_on_nothing_never_passes(scenario: Make, tmp_path: Path) -> None:
    """An objective whose glob matches no series keeps the run from passing."""
    with server("hub") as (url, _):
        path = scenario(url, steady="3s", objectives='series = "GET /nowhere"\nmust = ["p95 < 10s"]')
        done = loadtests("run", path, "--out", tmp_path / "run")
    assert done.returncode in UNDECIDED, done.stdout + done.stderr
    assert "no series matches" in done.stdout


@pytest.mark.timed
def test_closed_model(tmp_path: Path) -> None:
    """Without --rate each user sends again when it is answered; the run and its page say that it is closed."""
    with server("hub") as (url, _):
        done = loadtests(
            *("run", "--url", f"{url}/slow", "--users", "4", "--duration", "4s", "--warm-up", "1s"),
            *("--out", tmp_path / "run"),
        )
    assert done.returncode in UNDECIDED, done.stdout + done.stderr
    figures = summary(tmp_path / "run")
    assert figures["model"] == "closed"
    count = figures["series"]["GET /slow"]["count"]
    assert 4 * 4 / 0.2 < count <= 4 * 4 / 0.1, "four users at 100 ms each can send at most 160 in 4 s"
    assert "closed" in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.timed
def test_scenario_with_users_and_swarm(scenario: Make, tmp_path: Path) -> None:
    """Both user clients and a swarm over two processes: everything is delivered, everything accounted for."""
    with server("hub") as (url, _):
        path = scenario(
            url,
            member="Listener",
            steady="31s",
            objectives='must = ["errors < 1%"]\n[[objectives]]\nseries = "ws deliver"\nmust = ["lost == 0"]',
        )
        text = path.read_text().replace(
            'users = [ { class = "users.py:Visitor" } ]',
            'users = [ { class = "users.py:Visitor" }, { class = "users.py:Classic" } ]',
        )
        path.write_text(text)
        done = loadtests("run", path, "--processes", "2", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    figures = summary(tmp_path / "run")
    deliveries = figures["deliveries"]
    assert deliveries["expected"] == deliveries["delivered"] > 800
    assert deliveries["lost"] == deliveries["duplicated"] == deliveries["reordered"] == deliveries["foreign"] == 0
    items, pages = figures["series"]["GET /items/{id}"], figures["series"]["GET /page"]
    assert 0.4 < items["count"] / pages["count"] < 0.6, "one of two arrivals goes on to an item"
    counted = figures["accounting"]
    assert counted["started"] == counted["planned"], "each worker has users of both classes for its arrivals"
    run = Run(tmp_path / "run")
    assert run.verdict is not None
    assert [check.ok for check in run.verdict.checks if check.name == "accounting"] == [True]


def test_errors_are_told_apart(scenario: Make, tmp_path: Path) -> None:
    """A path that answers 500 is an error of that kind, timed apart from successes."""
    with server("hub") as (url, _):
        path = scenario(url, steady="3s")
        users = path.parent / "users.py"
        users.write_text(users.read_text().replace('"/items/17"', '"/fail"'))
        done = loadtests("run", path, "--out", tmp_path / "run")
    assert done.returncode in FAILED, done.stdout + done.stderr
    fail = summary(tmp_path / "run")["series"]["GET /fail"]
    assert fail["error_kinds"] == {"http 500": fail["count"]}
    assert fail["response_ms"]["p50"] is None
    assert fail["failed_response_ms"]["p50"] > 0


def test_listeners_of_locust(scenario: Make, tmp_path: Path) -> None:
    """Those in an author's file hear of a run what they would under Locust, in each process; one of init may refuse."""
    listening = """
from pathlib import Path
from locust import events

def note(name, environment=None, **_):
    with Path(__file__).with_name("heard").open("a") as told:
        told.write(f"{name} {type(environment.runner).__name__ if environment else ''}\\n")

events.request.add_listener(lambda **_: note("request"))
events.init.add_listener(lambda **told: note("init", **told))
events.test_start.add_listener(lambda **told: note("test_start", **told))
events.test_stop.add_listener(lambda **told: note("test_stop", **told))
"""
    refusing = "events.init.add_listener(lambda **_: 1 / 0)\n"
    with server("hub") as (url, _):
        path = scenario(url, steady="3s")
        users = path.parent / "users.py"
        users.write_text(users.read_text() + listening)
        done = loadtests("run", path, "--processes", "2", "--out", tmp_path / "run")
        users.write_text(users.read_text() + refusing)
        refused = loadtests("run", path, "--out", tmp_path / "other")
    assert done.returncode in UNDECIDED, done.stdout + done.stderr
    heard = (path.parent / "heard").read_text().splitlines()
    told = summary(tmp_path / "run")["accounting"]["requests_begun"]
    assert heard.count("request ") == told - summary(tmp_path / "run")["accounting"]["requests_in_flight"]
    for name in ("init", "test_start", "test_stop"):
        assert heard.count(f"{name} MasterRunner") == 1
        assert heard.count(f"{name} WorkerRunner") == 2
    assert refused.returncode == 2
    assert "a listener of Locust's init event raised" in refused.stderr


def test_locust_web_page_on_loopback(scenario: Make, tmp_path: Path) -> None:
    """--ui serves Locust's own page while the run goes on, on loopback only."""
    import urllib.request

    from tests.endtoend.harness import free_port, start, wait_for

    port = free_port()
    with server("hub") as (url, _):
        going = start(["run", scenario(url), "--ui", "--ui-port", str(port), "--out", tmp_path / "run"])
        counts = tmp_path / "run" / "counts.jsonl"
        wait_for(lambda: counts.exists() and counts.read_text())
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
            assert page.status == 200
        listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        assert {
            row[1].split(":")[0] for row in listening if row[3] == "0A" and int(row[1].split(":")[1], 16) == port
        } == {"0100007F"}
        going.communicate(timeout=60)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["state"] == "complete"


def test_every_request_is_sent_once(tmp_path: Path) -> None:
    """A server that resets every fifth request sees as many as were recorded: none is sent again unseen."""
    with server("reset", str(tmp_path / "seen")) as (url, _):
        done = loadtests(
            *("run", "--url", f"{url}/reset", "--rate", "40/s", "--users", "10", "--duration", "3s"),
            *("--no-witness", "--warm-up", "1s", "--out", tmp_path / "run"),
        )
    assert done.returncode in FAILED, done.stdout + done.stderr
    run = Run(tmp_path / "run")
    recorded = sum(interval.count for interval in run.intervals["GET /reset"].values())
    failed = sum(interval.failed for interval in run.intervals["GET /reset"].values())
    assert recorded == 40 * 4
    assert int((tmp_path / "seen").read_text()) == recorded
    assert failed == recorded // 5


def test_nested_task_sets_wait_for_arrivals(scenario: Make, tmp_path: Path) -> None:
    """A nested TaskSet that interrupts itself starts no task of its own accord: the plan's rate is what is sent."""
    nested = '''

class Nested(FastHttpUser):
    """Has its tasks in a TaskSet that is left again and again."""

    @task
    class Inner(TaskSet):
        """Leaves at once."""

        @task
        def page(self) -> None:
            """One page."""
            self.client.get("/page")
            self.interrupt()
'''
    with server("hub") as (url, _):
        path = scenario(url, user="Nested", steady="3s")
        users = path.parent / "users.py"
        users.write_text(users.read_text().replace("constant, task", "TaskSet, constant, task") + nested)
        done = loadtests("run", path, "--out", tmp_path / "run")
    assert done.returncode in UNDECIDED, done.stdout + done.stderr
    counted = summary(tmp_path / "run")["accounting"]
    assert counted["requests_begun"] == counted["started"] == counted["planned"]


def test_swarm_without_a_file(tmp_path: Path) -> None:
    """Whatever a server broadcasts is accounted for: each message that nobody got is lost to every subscriber."""
    out = tmp_path / "run"
    with server("broadcaster") as (url, _):
        called = ("swarm", url.replace("http", "ws") + "/", "--connections", "20", "--duration", "4s")
        called = (*called, "--connect-rate", "10000/s", "--out", out)  # or a lost message may fall into their coming
        done = loadtests(*called, "--adapter", "json:seq=event.id,sent_ns=t")
        wrong = loadtests(*called[:-1], tmp_path / "other", "--adapter", "json:id")
    assert done.returncode == 3, done.stdout + done.stderr
    ledger = Run(out).deliveries
    assert ledger["expected"] == ledger["delivered"] + ledger["lost"]
    assert ledger["lost"] % 20 == 0
    assert 0.02 < ledger["lost"] / ledger["expected"] < 0.03  # one in 40
    assert (ledger["duplicated"], ledger["reordered"], ledger["foreign"]) == (0, 0, 0)
    _, *shown, said, by, of = done.stdout.split("\n\n")[0].splitlines()
    told = dict(line.split()[:2] for line in shown)
    counted = ledger.keys() - {"displacement", "unsettled"}  # told with others, and of runs that were stopped
    assert {word: int(told[word].replace(",", "")) for word in counted} == {word: ledger[word] for word in counted}
    assert ledger["unsettled"] == 0
    assert said.strip().startswith(f"{ledger['lost']:,} of {ledger['expected']:,} due deliveries were lost")
    assert by.strip().startswith("Lost to 20 subscribers; the worst: number ")
    assert of.strip().startswith("Lost in 1 stream; the worst: its broadcasts (")
    assert "due deliveries were lost" in (out / "summary.md").read_text(encoding="utf-8")
    assert [check["ok"] for check in verdict(out)["checks"] if check["name"] == "deliveries"] == [True]
    assert wrong.returncode == 2
    assert 'loadtests: --adapter "json:id": expected json:seq=' in wrong.stderr


def test_a_server_that_takes_half(tmp_path: Path) -> None:
    """It is no PASS; who was refused, and why, is said; and no file of the run holds what it was told in confidence."""
    out, key, word = tmp_path / "run", "k3y-of-mine", "w0rd-of-mine"
    with server("crowded", "10", f"Bearer {key}") as (url, _):
        called = ("swarm", url.replace("http", "ws") + "/", "--connections", "20", "--duration", "4s", "--out", out)
        said = ("--send", '{"auth":"${WORD}"}', "--send", f'{{"auth":"{key}"}}')
        done = loadtests(*called, "--header", f"Authorization: Bearer {key}", *said, WORD=word)
    told = verdict(out)
    assert done.returncode == 3, done.stdout + done.stderr
    assert [one["status"] for one in told["objectives"]] == ["PASS", "FAIL"]
    # Tallied in whole seconds, at moments that a busy machine shifts.
    assert re.match("FAIL: (9|10|11) of 20 live connections for 4 s; ws connected: ", told["sentence"])
    run = Run(out)
    assert sum(one.ok for one in run.intervals["ws connect"].values()) == 10
    refused = sum(one.errors.get("handshake 503", 0) for one in run.intervals["ws connect"].values())
    assert f"\nWhat went wrong\n  {refused} of {refused + 10} ws connect failed (handshake 503)\n\n" in done.stdout
    assert run.swarm.unread == 20, "the server had both words from each"
    written = {path.name: path.read_text(encoding="utf-8") for path in out.iterdir()}
    assert "welcome ***" in written["swarm.jsonl"]
    for name, text in (*written.items(), ("stdout", done.stdout), ("stderr", done.stderr)):
        assert not [secret for secret in (key, word) if secret in text], name
