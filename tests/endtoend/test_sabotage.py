"""The generator is sabotaged while it loads a target that is well: each such run ends INVALID, and never blames it.

The target answers after 20 ms, and p95 may be 40 ms; that it really is well is shown by the first case.
"""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.endtoend.harness import children, loadtests, null_server, server, start, verdict, wait_for

pytestmark = pytest.mark.slow

Make = Callable[..., Path]
OBJECTIVES = 'must = ["p95 < 40ms", "errors < 1%"]'


def _loaded(scenario: Make, tmp_path: Path, sabotage: Callable[..., None], **made: Any) -> dict[str, Any]:
    """Run the scenario, sabotage its process, and read the verdict."""
    out = tmp_path / "run"
    with null_server() as url, ExitStack() as mended:
        path = scenario(
            f"{url}/delay/20", objectives=OBJECTIVES, **{"steady": "10s", "load": 'rate = "100/s"\nusers = 50'} | made
        )
        process = start(["run", path, "--out", out])
        sabotage(process.pid, out, mended)
        process.communicate(timeout=60)
    return verdict(out)


def _nothing(pid: int, out: Path, mended: ExitStack) -> None:
    """Let it be."""


def _pause(pid: int, out: Path, mended: ExitStack) -> None:
    """Stop the process of the users for 2 s, in the middle."""
    counts = out / "counts.jsonl"
    wait_for(lambda: counts.exists() and '"second": 5' in counts.read_text())
    (users,) = children(pid, "locustprocess")
    psutil.Process(users).send_signal(signal.SIGSTOP)
    time.sleep(2)
    psutil.Process(users).send_signal(signal.SIGCONT)


def _hog(pid: int, out: Path, mended: ExitStack) -> None:
    """Pin it to a core that four busy programs have already."""
    psutil.Process(pid).cpu_affinity([0])
    for _ in range(4):
        hog = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        mended.callback(hog.wait)
        mended.callback(hog.kill)
        psutil.Process(hog.pid).cpu_affinity([0])


def _few_descriptors(pid: int, out: Path, mended: ExitStack) -> None:
    """What it starts from now on may have 64 files open."""
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (64, 64))


SABOTAGES: dict[str, tuple[Callable[..., None], dict[str, Any], str]] = {
    "300 ms burnt in the loop": (_nothing, {"user": "Burner"}, "stood still"),
    "a pool of one connection": (_nothing, {"user": "Pooled"}, "a connection of the client's own pool"),
    "paused for 2 s": (_pause, {}, "stood still"),
    "beside a CPU hog": (_hog, {"load": 'rate = "2500/s"\nusers = 100'}, ""),
    "64 descriptors": (_few_descriptors, {"load": 'rate = "400/s"\nusers = 100'}, "descriptor"),
}


@pytest.mark.timed
@pytest.mark.long
def test_the_target_is_well(scenario: Make, tmp_path: Path) -> None:
    """Left alone, the same load passes: what fails below is the sabotage's doing."""
    told = _loaded(scenario, tmp_path, _nothing, steady="31s")
    assert told["verdict"] == "PASS", told["sentence"]


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if "burnt" in name else (pytest.mark.timed, pytest.mark.long)) for name in SABOTAGES],
)
def test_sabotage(scenario: Make, tmp_path: Path, name: str) -> None:
    """INVALID, and the sentence tells what was wrong with the generator."""
    sabotage, made, said = SABOTAGES[name]
    told = _loaded(scenario, tmp_path, sabotage, **made)
    print(told["sentence"])
    assert told["verdict"] == "INVALID", told["sentence"]
    assert said in told["sentence"]


@pytest.mark.parametrize("steady", ["10s", pytest.param("32s", marks=(pytest.mark.timed, pytest.mark.long))])
def test_a_member_that_burns_the_loop(scenario: Make, tmp_path: Path, steady: str) -> None:
    """What waits while a member of the swarm computes for 300 ms is the swarm's own: INVALID, however long it goes on.

    From half a minute on the deliveries fail their limit by all that was measured: then the seconds without are judged.
    """
    out = tmp_path / "run"
    with server("hub") as (url, _):
        limit = 'series = "ws deliver"\nmust = ["p95 < 40ms"]'
        path = scenario(url, user="", member="Burner", steady=steady, objectives=limit)
        loadtests("run", path, "--out", out, "--no-witness")
    told = verdict(out)
    assert told["verdict"] == "INVALID", told["sentence"]
    (judged,) = told["objectives"]
    assert judged["observed"] > 100_000_000
    assert judged["status"] == ("INCONCLUSIVE" if steady == "10s" else "INVALID"), judged["reason"]
    assert judged["bad_lower"] > judged["budget"], "by what was measured it would fail"
