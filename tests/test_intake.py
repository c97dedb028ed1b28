"""What each process tells of its subscribers' losses adds up, whatever the others know of them."""

from loadtests.board import Progress
from loadtests.fanout import FanOuts
from loadtests.intake import Intake
from loadtests.losses import Losers, Loss
from loadtests.run import Run
from loadtests.runwriter import RunWriter
from loadtests.swarmaccount import SwarmAccount
from tests.runs import HEADER


def batch(source, sequence, streams, *losers):
    """One process's batch: deliveries due and lost by stream since the last, and its subscribers that lost most."""
    account = SwarmAccount(subscribers=Losers(len(losers), losers)).to_json()
    return {"source": source, "sequence": sequence, "streams": streams, "swarm": account}


def test_losses_of_two_processes(tmp_path):
    """Due deliveries count also where none was lost; a batch that comes twice counts once."""
    writer = RunWriter(tmp_path, HEADER)
    intake = Intake(writer, Progress((), ()), lambda: 1.0, lambda reason, fault: None, FanOuts(0, lambda series: (), 2))
    intake.accept(batch("a", 1, {"p\tc": [100, 0], "q\tc": [10, 1]}, Loss("4", 1, 10)))
    for _ in range(2):
        intake.accept(batch("b", 1, {"p\tc": [50, 7]}, Loss("5", 7, 50)))
    intake.accept(batch("a", 2, {"q\tc": [10, 1]}, Loss("4", 2, 20)))
    writer.close(HEADER)
    account = Run(tmp_path).swarm
    assert account.subscribers == Losers(2, [Loss("5", 7, 50), Loss("4", 2, 20)])
    assert account.streams == Losers(2, [Loss("p\tc", 7, 150), Loss("q\tc", 2, 20)])
