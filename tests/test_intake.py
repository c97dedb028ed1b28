"""What each process tells of its subscribers' deliveries adds up, whatever the others know of them."""

from loadtests.board import Progress
from loadtests.fanout import FanOuts
from loadtests.faults import Affected, Faults
from loadtests.intake import Intake
from loadtests.run import Run
from loadtests.runwriter import RunWriter
from loadtests.swarmaccount import SwarmAccount
from tests.runs import HEADER


def batch(source, sequence, streams, wrong, *faulty):
    """One process's batch: what was due, lost and wrong by stream since the last, and its subscribers until now."""
    account = SwarmAccount(subscribers=Affected.of(faulty)).to_json()
    return {"source": source, "sequence": sequence, "streams": streams, "wrong": wrong, "swarm": account}


def test_faults_of_two_processes(tmp_path):
    """Due deliveries count also where none was lost; a batch that comes twice counts once.

    What went wrong adds up, but for the displacement, of which the largest is told; also where nothing was published.
    """
    writer = RunWriter(tmp_path, HEADER)
    intake = Intake(writer, Progress((), ()), lambda: 1.0, lambda reason, fault: None, FanOuts(0, lambda series: (), 2))
    intake.accept(batch("a", 1, {"p\tc": [100, 0], "q\tc": [10, 1]}, {"p\tc": [1, 2, 3, 9, 4]}, Faults("4", 1, 10, 2)))
    for _ in range(2):
        five = Faults("5", 7, 50, 0, 1, 4, 2)
        intake.accept(batch("b", 1, {"p\tc": [50, 7]}, {"p\tc": [10, 20, 30, 8, 40], "r\tc": [0, 1, 0, 0, 0]}, five))
    intake.accept(batch("a", 2, {"q\tc": [10, 1]}, {"p\tc": [100, 0, 0, 0, 400]}, Faults("4", 2, 20, 3)))
    writer.close(HEADER)
    account = Run(tmp_path).swarm
    four, five = Faults("4", 2, 20, 3), Faults("5", 7, 50, 0, 1, 4, 2)
    assert account.subscribers == Affected(2, [five, four], lost=2, late=1, duplicated=1, reordered=1)
    p, q, r = Faults("p\tc", 7, 150, 111, 22, 33, 9, 444), Faults("q\tc", 2, 20), Faults("r\tc", duplicated=1)
    assert account.streams == Affected(3, [p, q, r], lost=2, late=1, duplicated=2, reordered=1, foreign=1)
