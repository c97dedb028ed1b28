"""What counters and gauges come to, by arithmetic."""

from loadtests.run import Run
from loadtests.runwriter import RunWriter
from loadtests.targetaccount import TargetAccount, TargetSeries
from tests.runs import HEADER, write_run


def _counter(*points):
    return TargetSeries("n", "counter", list(points))


def test_growth():
    """From 10 at 1.5 s to 40 at 4.5 s is 30 in 3 s; a second outside of what was asked adds nothing."""
    series = _counter((0.5, 0), (1.5, 10), (2.5, 15), (3.5, 30), (4.5, 40), (5.5, 1_000))
    assert series.growth(range(2, 5)) == (30, 3)


def test_restart():
    """A counter that fell began again at 0: 10 before, 4 after."""
    assert _counter((0.5, 90), (1.5, 100), (2.5, 4)).growth(range(1, 3)) == (14, 2)


def test_gap():
    """Where a reading is missing, the growth is over both seconds."""
    assert _counter((0.5, 0), (3.5, 30)).growth(range(10)) == (30, 3)


def test_read_once():
    """One reading says nothing of growth."""
    assert _counter((0.5, 7)).growth(range(10)) is None
    assert _counter((0.5, 7), (1.5, 8)).growth(range(5, 9)) is None


def test_values():
    """Readings of the seconds asked for, their ends left out."""
    assert _counter((0.9, 1), (1.0, 2), (2.99, 3), (3.0, 4)).values(range(1, 3)) == [2, 3]


def test_round_trip(tmp_path):
    """What the writer wrote the run reads, series that came later too."""
    writer = RunWriter(tmp_path, HEADER)
    writer.target({"series": [("a", "gauge")], "at_s": 0.5, "values": [1.5]})
    writer.target({"at_s": 1.5, "missing": "it answers 503"})
    writer.target({"left_out": "too many"})
    writer.target({"series": [("b_total", "counter")], "at_s": 2.5, "values": [None, 7]})
    writer.close(HEADER)
    account = Run(tmp_path).target_account
    assert account.series == {
        "a": TargetSeries("a", "gauge", [(0.5, 1.5)]),
        "b_total": TargetSeries("b_total", "counter", [(2.5, 7.0)]),
    }
    assert account.left_out == "too many"
    assert (account.missing, account.read_at_s) == ([(1.5, "it answers 503")], [0.5, 2.5])


def test_old_run(tmp_path):
    """A run without the file has an empty account."""
    run = write_run(tmp_path, [])
    (tmp_path / "target.jsonl").unlink()
    assert run.target_account == TargetAccount()
