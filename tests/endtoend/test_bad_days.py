"""Bad input and bad days: a clear error, what was measured is kept and readable, the right exit code."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from loadtests.board import PlainBoard, Progress
from loadtests.judge import judge
from loadtests.orchestrator import Options, conduct
from loadtests.run import Run
from loadtests.scenariofile import read_scenario
from tests.endtoend.harness import children, free_port, kill, loadtests, server, start, summary, verdict, wait_for

pytestmark = pytest.mark.slow

Make = Callable[..., Path]


def until_measuring(out: Path, seconds: int = 3) -> None:
    """Wait until a run has counted so many seconds."""
    counts = out / "counts.jsonl"
    wait_for(lambda: counts.exists() and f'"second": {seconds}' in counts.read_text())


def readable(out: Path) -> Run:
    """The run, with its pages, and with at least something measured."""
    run = Run(out)
    assert sum(i.count for seconds in run.intervals.values() for i in seconds.values()) > 0
    assert (out / "report.html").stat().st_size > 5_000
    assert not (out / ".spool").exists()
    return run


def test_unknown_key(scenario: Make, tmp_path: Path) -> None:
    """A misspelt key is answered with file, line and the right spelling, before anything starts."""
    path = scenario("http://127.0.0.1:1", load='ratee = "40/s"')
    done = loadtests("run", path, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert f"{path}:8" in done.stderr.replace("\n", "")
    assert 'did you mean "rate"' in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_url_in_place_of_a_file() -> None:
    """Is told of as one."""
    done = loadtests("run", "http://127.0.0.1:1/items")
    assert done.returncode == 2
    assert "expected a scenario file, and this is a URL: --url loads one" in done.stderr.replace("\n", " ")
    done = loadtests("run", ".")
    assert done.returncode == 2
    assert ".: cannot be read: Is a directory" in done.stderr


def test_objective_that_does_not_parse(scenario: Make) -> None:
    """An objective line that does not parse is refused before any load, with what was expected."""
    done = loadtests("run", scenario("http://127.0.0.1:1", objectives='must = ["p95 less than 200ms"]'))
    assert done.returncode == 2
    assert "p95 < 200ms" in done.stderr


def test_target_down_at_start(tmp_path: Path) -> None:
    """A target that does not answer is named before any load."""
    port = free_port()
    done = loadtests("run", "--url", f"http://127.0.0.1:{port}/", "--out", tmp_path / "run")
    assert done.returncode == 2
    assert f"does not answer at http://127.0.0.1:{port}/: Connection refused" in done.stderr
    assert not (tmp_path / "run").exists()


def test_host_that_is_not_allowed() -> None:
    """An address that is not loopback gets no load, and the message says how to allow it."""
    done = loadtests("run", "--url", "http://192.0.2.7:8000/")
    assert done.returncode == 2
    assert "192.0.2.7" in done.stderr
    assert "--allow 192.0.2.7" in done.stderr


def test_port_taken(scenario: Make, tmp_path: Path) -> None:
    """An embedded target whose port another program has is not started, and that program gets no load."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        path = scenario(f'embedded = {{ module = "portal", port = {port} }}')
        done = loadtests("run", path, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert f"port {port} is taken by another program" in done.stderr


def test_run_directory_not_writable(tmp_path: Path) -> None:
    """A run directory that cannot be made is refused before any load."""
    (tmp_path / "file").write_text("not a directory")
    with server("hub") as (url, _):
        done = loadtests("run", "--url", f"{url}/", "--out", tmp_path / "file" / "run")
    assert done.returncode == 2
    assert "cannot write the run directory" in done.stderr
    assert "--out" in done.stderr


def test_run_directory_in_use(tmp_path: Path) -> None:
    """A directory that holds a run is never written over."""
    (tmp_path / "run.json").write_text("{}")
    with server("hub") as (url, _):
        done = loadtests("run", "--url", f"{url}/", "--out", tmp_path)
    assert done.returncode == 2
    assert "already holds a run" in done.stderr


def test_target_dies_in_the_middle(scenario: Make, tmp_path: Path) -> None:
    """A target that dies ends the run as a FAIL of the target, with what was measured before."""
    with server("hub") as (url, process):
        going = start(["run", scenario(url, steady="60s"), "--out", tmp_path / "run"])
        until_measuring(tmp_path / "run")
        process.kill()
        out, err = going.communicate(timeout=60)
    assert going.returncode == 3, out + err
    run = readable(tmp_path / "run")
    assert run.header.state == "partial"
    assert "could not be reached" in (run.header.partial or "")
    assert verdict(tmp_path / "run")["verdict"] == "FAIL"
    assert "GET /items/{id}" in run.intervals


def test_embedded_target_dies(scenario: Make, tmp_path: Path) -> None:
    """The death of an embedded target is seen at once and called the target's."""
    path = scenario('embedded = { module = "portal" }', steady="60s")
    going = start(["run", path, "--out", tmp_path / "run"])
    until_measuring(tmp_path / "run")
    kill(children(going.pid, "portal")[0])
    out, err = going.communicate(timeout=60)
    assert going.returncode == 3, out + err
    assert "the target ended with code" in (readable(tmp_path / "run").header.partial or "")


def test_member_that_raises(scenario: Make, tmp_path: Path) -> None:
    """A member class that raises makes the run INVALID and is named with its line."""
    with server("hub") as (url, _):
        done = loadtests("run", scenario(url, member="Broken", steady="30s"), "--out", tmp_path / "run")
    assert done.returncode == 5, done.stdout + done.stderr
    assert "Broken raised KeyError" in done.stdout
    assert "members.py:" in done.stdout
    assert readable(tmp_path / "run").header.fault == "generator"


def test_class_that_cannot_be_imported(scenario: Make, tmp_path: Path) -> None:
    """A users file that raises as it is imported is a clear error before any load."""
    with server("hub") as (url, _):
        path = scenario(url)
        users = path.parent / "users.py"
        users.write_text(users.read_text().replace("class Classic", "1 / 0\n\n\nclass Classic"))
        done = loadtests("run", path, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "users.py" in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_user_code_that_raises(scenario: Make, tmp_path: Path) -> None:
    """Tasks that raise are counted, shown, and make the run INVALID: it was not the planned load."""
    with server("hub") as (url, _):
        done = loadtests("run", scenario(url, user="Clumsy"), "--out", tmp_path / "run")
    assert done.returncode == 5, done.stdout + done.stderr
    assert "user code raised" in done.stdout
    assert any("KeyError" in event["text"] for event in Run(tmp_path / "run").events)


@pytest.mark.parametrize(("seconds", "number"), [(0, signal.SIGINT), (1, signal.SIGTERM), (3, signal.SIGINT)])
def test_interrupted_while_measuring(scenario: Make, tmp_path: Path, seconds: int, number: int) -> None:
    """Ctrl-C in warm-up or steady state keeps what was measured and exits 130; never a PASS."""
    with server("hub") as (url, _):
        path = scenario(url, member="Listener", steady="60s")
        going = start(["run", path, "--out", tmp_path / "run"])
        until_measuring(tmp_path / "run", seconds)
        going.send_signal(number)
        out, err = going.communicate(timeout=30)
    assert going.returncode == 130, out + err
    run = readable(tmp_path / "run")
    assert "interrupted" in (run.header.partial or "")
    cut_s = next(event["at_s"] for event in run.events if event["kind"] == "cut")
    assert run.header.phases[-1].end_s == pytest.approx(cut_s, abs=0.01)  # the seconds of waiting for answers are none
    assert run.verdict is not None
    assert run.verdict.status.value in ("INCONCLUSIVE", "INVALID")  # INVALID where other tests take the processor
    assert all(check.ok for check in run.verdict.checks if check.name == "accounting")


def _watched_s(out: Path) -> float:
    """Seconds since the start, by the newest reading of resources."""
    rows = Run(out).resources if (out / "resources.csv").exists() else []
    return rows[-1]["at_s"] if rows else 0.0


def test_interrupted_while_draining(scenario: Make, tmp_path: Path) -> None:
    """Ctrl-C while the last answers are awaited ends at once, accounts for what hangs, and exits 130."""
    with server("hub") as (url, _):
        path = scenario(url, steady="2s", load='rate = "20/s"\nusers = 20\nin_flight_cap = 100')
        users = path.parent / "users.py"
        users.write_text(users.read_text().replace('"/page"', '"/hang"'))
        path.write_text(path.read_text().replace('timeout = "2s"', 'timeout = "20s"'))
        going = start(["run", path, "--out", tmp_path / "run"])
        # The plan, of 4 s, is over; its answers are not.
        wait_for(lambda: _watched_s(tmp_path / "run") > 6)
        going.send_signal(signal.SIGINT)
        out, err = going.communicate(timeout=30)
    assert going.returncode == 130, out + err
    run = Run(tmp_path / "run")
    assert run.header.accounting["requests_in_flight"] > 0
    assert run.verdict is not None
    assert all(check.ok for check in run.verdict.checks if check.name == "accounting")


def test_interrupted_before_any_load(scenario: Make, tmp_path: Path) -> None:
    """Ctrl-C while processes start leaves none of them behind and exits 130."""
    with server("hub") as (url, _):
        going = start(["run", scenario(url), "--out", tmp_path / "run"])
        wait_for(lambda: children(going.pid, "locustprocess"))
        ours = children(going.pid, "loadtests")
        going.send_signal(signal.SIGINT)
        out, err = going.communicate(timeout=30)
    assert going.returncode == 130, out + err
    assert "interrupted before any load" in err
    wait_for(lambda: not any(Path(f"/proc/{pid}/stat").exists() for pid in ours), 10)


def test_nobody_watches(scenario: Make, tmp_path: Path) -> None:
    """A run that can no longer be watched ends at once and is INVALID: a dying target would go unseen."""

    class Broken(PlainBoard):
        def show(self, progress: Progress) -> None:
            if progress.at_s > 3:
                raise RuntimeError("no such column")

    with server("hub") as (url, _):
        made = read_scenario(scenario(url, steady="60s"))
        asyncio.run(conduct(made, Options(tmp_path / "run"), Broken()))
    run = Run(tmp_path / "run")
    assert "could no longer be watched (RuntimeError: no such column) at" in (run.header.partial or "")
    assert run.header.phases[-1].end_s < 8
    assert judge(run).status.value == "INVALID"


def test_killed_worker(scenario: Make, tmp_path: Path) -> None:
    """A killed Locust worker makes the run INVALID; what it had measured is kept."""
    with server("hub") as (url, _):
        path = scenario(url, steady="60s")
        going = start(["run", path, "--processes", "2", "--out", tmp_path / "run"])
        until_measuring(tmp_path / "run")
        kill(children(going.pid, "locustprocess")[0])
        out, err = going.communicate(timeout=60)
    assert going.returncode == 5, out + err
    run = readable(tmp_path / "run")
    assert "was lost (signal 9)" in (run.header.partial or "")


def test_killed_swarm(scenario: Make, tmp_path: Path) -> None:
    """A killed swarm process makes the run INVALID and is named."""
    with server("hub") as (url, _):
        path = scenario(url, member="Listener", steady="60s")
        going = start(["run", path, "--out", tmp_path / "run"])
        until_measuring(tmp_path / "run")
        kill(children(going.pid, "swarmprocess")[0])
        out, err = going.communicate(timeout=60)
    assert going.returncode == 5, out + err
    assert "swarm's process" in out
    assert "signal 9" in out
    readable(tmp_path / "run")


def test_killed_orchestrator(scenario: Make, tmp_path: Path) -> None:
    """A killed orchestrator takes its processes with it, and the half-written run can still be judged and reported."""
    with server("hub") as (url, _):
        path = scenario(url, member="Listener", steady="60s")
        going = start(["run", path, "--out", tmp_path / "run"])
        until_measuring(tmp_path / "run")
        ours = children(going.pid, "loadtests")
        going.kill()
        going.communicate(timeout=10)
        wait_for(lambda: not any(_lives(pid) for pid in ours), 20)
    done = loadtests("judge", tmp_path / "run")
    assert done.returncode in (4, 5), done.stdout + done.stderr
    assert loadtests("report", tmp_path / "run").returncode == 0
    assert (tmp_path / "run" / "report.html").exists()


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_secrets_are_never_written(scenario: Make, tmp_path: Path) -> None:
    """A secret from the environment reaches neither run directory, log nor report, even when user code prints it."""
    with server("hub") as (url, _):
        path = scenario(url, more='[secrets]\ntoken = "${E2E_TOKEN}"', steady="2s")
        users = path.parent / "users.py"
        shout = '        print("my token is", self.secrets["token"])\n        raise ValueError(self.secrets["token"])\n'
        users.write_text(users.read_text().replace('        self.client.get("/items/17")\n', shout))
        done = loadtests("run", path, "--out", tmp_path / "run", E2E_TOKEN="hunter2-very-secret")
    assert done.returncode == 5, done.stdout + done.stderr
    written = [p for p in (tmp_path / "run").rglob("*") if p.is_file()]
    assert len(written) > 5
    assert not [p.name for p in written if "hunter2" in p.read_text(encoding="utf-8")]
    assert "hunter2" not in done.stdout + done.stderr
    assert json.loads((tmp_path / "run" / "run.json").read_text())["scenario"]["secrets"] == {"token": "***"}


@pytest.mark.timed
@pytest.mark.long
def test_hung_server(scenario: Make, tmp_path: Path) -> None:
    """A server that never answers FAILs by its time-outs; the cap drops, every arrival is accounted for."""
    with server("hub") as (url, _):
        path = scenario(
            url,
            steady="30s",
            load='rate = "20/s"\nusers = 5\nin_flight_cap = 10',
            objectives='must = ["p95 < 200ms", "errors < 1%"]',
        )
        users = path.parent / "users.py"
        users.write_text(users.read_text().replace('"/page"', '"/hang"'))
        done = loadtests("run", path, "--out", tmp_path / "run")
    assert done.returncode == 3, done.stdout + done.stderr
    figures = summary(tmp_path / "run")
    counted = figures["accounting"]
    assert counted["dropped"] > 100
    assert counted["planned"] == counted["started"] + counted["dropped"] + counted["unsent"]
    hang = figures["series"]["GET /hang"]
    assert hang["timeouts"] > 20
    assert hang["ok"] == 0
    assert hang["failed_response_ms"]["p50"] >= 2000
    assert figures["series"]["arrival Visitor"]["dropped"] > 100
