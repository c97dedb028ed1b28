"""Where the time went, from samples whose parts are known."""

from functools import partial

from loadtests.header import PhaseSpan
from loadtests.interval import Interval
from loadtests.recorder import Recorder
from loadtests.run import Run
from loadtests.runwriter import RunWriter
from reports import render_report
from reports.servertable import server_table
from reports.timeline import Steady
from tests.runs import T0_NS, S, header_of, stream


def _run(directory, told, samples):
    """A minute of requests, each with what the server says of it."""
    recorder = Recorder(T0_NS)
    for one in samples:
        recorder.add(one)
        if told:
            recorder.note(one.series, one.intended_ns, partial(Interval.add_server_us, parts=told))
    writer = RunWriter(directory, header_of(samples, (), {}))
    writer.intervals(recorder.fold())
    writer.close(writer.header)
    return Run(directory)


def test_means(tmp_path):
    """20 ms after being 2 ms late, of which 12 are the server's: 6 outside, 5 + 3 named, 4 left."""
    samples = stream(2, 60, service_ms=18, late_ms=2)
    run = _run(tmp_path / "run", {"total": 12_000, "db": 5_000, "auth": 3_000}, samples)
    table = server_table(run, Steady(run))
    assert table.parts == ("db", "auth")  # the dearest first
    ((*row,),) = table.rows
    assert row.pop(3) in ("6.00 ms", "6.01 ms")  # a bucket at 18 ms is 16 us wide
    assert row == ["GET /a", "20.0 ms", "2.00 ms", "5.00 ms", "3.00 ms", "4.00 ms", "120"]
    page = render_report(run)
    assert "Where the time went" in page


def test_no_whole(tmp_path):
    """A server that names parts but no whole leaves what is outside of it unsaid."""
    run = _run(tmp_path / "run", {"db": 5_000}, stream(2, 60, service_ms=18))
    ((_, response, _, outside, database, rest, asked),) = server_table(run, Steady(run)).rows
    assert (response, outside, database, rest, asked) == ("18.0 ms", "–", "5.00 ms", "–", "120")  # noqa: RUF001


def test_nothing_told(tmp_path):
    """Where no answer said anything there is no table, and no heading over nothing."""
    run = _run(tmp_path / "run", {}, stream(2, 60))
    assert server_table(run, Steady(run)) is None
    assert "Where the time went" not in render_report(run)


def test_warm_up_is_left_out(tmp_path):
    """Only answers of the steady state count."""
    samples = [*stream(2, 30, service_ms=900), *stream(2, 30, first_s=30, service_ms=10)]
    phases = (PhaseSpan("warm-up", "warm-up", 0, 30), PhaseSpan("steady", "steady", 30, 60))
    recorder = Recorder(T0_NS)
    for one in samples:
        recorder.add(one)
        told = {"total": 1_000 * (900 if one.intended_ns < T0_NS + 30 * S else 4)}
        recorder.note(one.series, one.intended_ns, partial(Interval.add_server_us, parts=told))
    writer = RunWriter(tmp_path / "run", header_of(samples, (), {"phases": phases}))
    writer.intervals(recorder.fold())
    writer.close(writer.header)
    run = Run(tmp_path / "run")
    ((_, response, _, outside, rest, asked),) = server_table(run, Steady(run)).rows
    assert (response, outside, rest, asked) == ("10.0 ms", "6.00 ms", "4.00 ms", "60")


def test_queueing_is_apart(tmp_path):
    """The wait for a database connection has its own column, the first, beside the generator's delay."""
    told = {"total": 12_000, "db": 5_000, "pool": 1_000, "auth": 3_000}
    run = _run(tmp_path / "run", told, stream(2, 60, service_ms=18, late_ms=2))
    table = server_table(run, Steady(run))
    assert table.parts == ("pool", "db", "auth")
    ((_, _, late, _, pool, database, auth, rest, _),) = table.rows
    assert (late, pool, database, auth, rest) == ("2.00 ms", "1.00 ms", "5.00 ms", "3.00 ms", "3.00 ms")
    assert "Waited for a connection" in render_report(run)
