"""Who preempts whom, as the kernel tells it of the processes of a run."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys

import psutil
import pytest

from loadtests import orchestrator
from loadtests.board import PlainBoard
from loadtests.errors import TargetError
from loadtests.orchestrator import Options
from tests.endtoend.harness import null_server, start, wait_for
from tests.recorded import scenario_of

if not sys.platform.startswith("linux"):
    pytest.skip("Linux alone is told; run it there", allow_module_level=True)

ASKS = "import os; print(os.sched_getscheduler(0))"
TELLS = f"""
import subprocess, sys
from loadtests.lifeline import begin_child
from loadtests.precedence import preempt_nobody

preempt_nobody()
{ASKS}
subprocess.run([sys.executable, "-c", {ASKS!r}], preexec_fn=begin_child)
"""


@pytest.mark.parametrize(
    ("begins", "found"),
    [
        pytest.param(os.SCHED_OTHER, [os.SCHED_BATCH, os.SCHED_OTHER], id="as usual"),
        pytest.param(os.SCHED_IDLE, [os.SCHED_IDLE, os.SCHED_IDLE], id="a policy that somebody chose"),
        pytest.param(os.SCHED_BATCH, [os.SCHED_BATCH, os.SCHED_BATCH], id="ours, that somebody chose"),
    ],
)
def test_those_who_preempt_nobody_start_ordinary_processes(begins, found):
    """A target that is started for the run is as it would be without it."""
    run = subprocess.run(
        [sys.executable, "-u", "-c", TELLS],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setscheduler(0, begins, os.sched_param(0)),
    )
    assert [int(policy) for policy in run.stdout.split()] == found


def test_who_calls_is_as_before(tmp_path, monkeypatch):
    """A program that conducts a run preempts others again once it is over, as here before any load."""
    meanwhile = []

    async def nobody_answers(_):
        meanwhile.append(os.sched_getscheduler(0))
        raise TargetError("nobody is there")

    monkeypatch.setattr(orchestrator, "require_answer", nobody_answers)
    before = os.sched_getscheduler(0)
    with pytest.raises(TargetError, match="nobody is there"):
        asyncio.run(orchestrator.conduct(scenario_of("http://127.0.0.1:1"), Options(tmp_path / "run"), PlainBoard()))
    assert meanwhile == [os.SCHED_BATCH]
    assert os.sched_getscheduler(0) == before == os.SCHED_OTHER


@pytest.mark.parametrize(("driver", "driving"), [("users", "locustprocess"), ("members", "swarmprocess")])
def test_processes_of_a_run(tmp_path, driver, driving):
    """The one that makes the load is preempted by none of those that only take in what it found."""
    wanted = {"loadtests.locustprocess", f"loadtests.{driving}"}
    with null_server() as url:
        going = start(["run", "--url", url, "--driver", driver, "--duration", "60s", "--out", tmp_path / "run"])
        policies = {}

        def all_there():
            for process in psutil.Process(going.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error, ProcessLookupError):  # it is over
                    told = process.cmdline()
                    if told[1:2] == ["-m"]:
                        policies[told[2]] = os.sched_getscheduler(process.pid)
            return wanted <= policies.keys() and (tmp_path / "run" / "vitals.jsonl").exists()

        wait_for(all_there)
        all_there()
        conducts = os.sched_getscheduler(going.pid)
        going.send_signal(signal.SIGINT)
        going.communicate(timeout=30)
    assert conducts == os.SCHED_BATCH
    batch = {name for name in wanted if policies[name] == os.SCHED_BATCH}
    assert batch == wanted - {f"loadtests.{driving}"}
