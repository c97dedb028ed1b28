"""A run on disk: what is written is read, whole or killed."""

import errno
import json
import os
import random
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from loadtests.errors import RunError
from loadtests.header import PhaseSpan
from loadtests.histogram import Histogram
from loadtests.interval import Interval, merge
from loadtests.run import Run
from loadtests.runwriter import RunWriter
from loadtests.verdict import Check, RunVerdict, Status, Verdict
from tests.runs import HEADER

LOGS = ("intervals.hlog", "counts.jsonl", "events.jsonl", "resources.csv", "exemplars.jsonl", "deliveries.jsonl")
VERDICT = RunVerdict(
    Status.FAIL,
    "too slow",
    (Verdict("p95 < 200ms", "*", Status.FAIL, "214 ms", "latency", "ns", 2e8, observed=2.14e8, n=9, notes=("a",)),),
    (Check("clock", "Time never ran backwards", "0", "none", ok=True),),
    notes=("b", "c"),
)
SERIES = ["GET /agents/{id}", "ws deliver", "a,b|c %20", "zażółć 🐝"]


def intervals(seed=1, seconds=range(-1, 4)):
    """Return Intervals with something in every field, values beyond the range too."""
    draw = random.Random(seed)
    made = []
    for second in seconds:
        for series in SERIES:
            values = [draw.randrange(1, 10**6) for _ in range(20)]
            made.append(
                Interval(
                    series,
                    second,
                    count=23,
                    ok=20,
                    timeouts=1,
                    started=22,
                    completed=20,
                    dropped=1,
                    size_bytes=draw.randrange(10**6),
                    errors={"http 503": 1, 'check: "é"\n': 1},
                    bad={200_000_000: (3, 2)},
                    response=Histogram.of([*values, 70_000_000]),
                    service=Histogram.of(values),
                    lateness=Histogram.of([-3, 0, 5]),
                    failed_response=Histogram.of([1_000_000]),
                )
            )
    return made


def by_second(parts):
    """Return Intervals merged by series and second."""
    keys = {(part.series, part.second) for part in parts}
    return {
        (series, second): merge(
            [part for part in parts if (part.series, part.second) == (series, second)], series=series, second=second
        )
        for series, second in keys
    }


def flat(run):
    """Return a run's Intervals by series and second."""
    return {(series, second): interval for series, found in run.intervals.items() for second, interval in found.items()}


def written(directory, header=HEADER):
    """Write a little of everything, and leave the run unclosed."""
    writer = RunWriter(directory, header)
    writer.intervals(intervals())
    writer.event(1.23456, "phase", "steady état", load="20/s")
    writer.event(2, "lost", "a wörker")
    writer.resources({"at_s": 1.0, "cpu": 0.5, "rss_bytes": 123456})
    writer.resources({"at_s": 2.0, "cpu": 0.25})
    writer.exemplar({"series": "GET /", "detail": "é"})
    writer.exemplar({"series": "GET /", "detail": "ö"})
    writer.deliveries({"expected": 1, "delivered": 1})
    writer.deliveries({"expected": 5, "delivered": 4})
    return writer


def test_round_trip(tmp_path):
    """Everything that a run holds reads back as it was."""
    header = replace(
        HEADER,
        objectives=({"text": "p95 < 200ms", "series": "*", "scope": "pool"},),
        versions={"locust": "2"},
        advice=("too short",),
    )
    writer = written(tmp_path / "deep" / "run", header)
    ended = replace(header, state="partial", partial="stopped", accounting={"planned": 7})
    writer.close(ended)
    writer.verdict(VERDICT)
    writer.summary({"n": 1})
    run = Run(tmp_path / "deep" / "run")
    assert run.header == ended
    assert flat(run) == by_second(intervals())
    assert run.events == [
        {"at_s": 1.235, "kind": "phase", "text": "steady état", "load": "20/s"},
        {"at_s": 2, "kind": "lost", "text": "a wörker"},
    ]
    assert run.resources == [{"at_s": 1.0, "cpu": 0.5, "rss_bytes": 123456.0}, {"at_s": 2.0, "cpu": 0.25}]
    assert [row["detail"] for row in run.exemplars] == ["é", "ö"]
    assert run.deliveries == {"expected": 5, "delivered": 4}
    assert run.verdict == VERDICT
    assert json.loads((run.directory / "summary.json").read_text()) == {"n": 1}


def test_a_run_under_way_reads(tmp_path):
    """Everything written is on disk at once, before the run is closed."""
    writer = written(tmp_path)
    run = Run(tmp_path)
    assert flat(run) == by_second(intervals())
    assert (len(run.events), len(run.resources), len(run.exemplars), run.deliveries["expected"]) == (2, 2, 2, 5)
    assert run.verdict is None
    writer.close(HEADER)


def test_a_killed_run_reads(tmp_path):
    """Wherever a kill cuts the last line of each file, in a character or a number too, what was whole reads."""
    writer = written(tmp_path)
    writer.resources({"at_s": 123.5, "cpu": 1e-7})
    whole = {name: (tmp_path / name).read_bytes() for name in LOGS}
    full = Run(tmp_path)
    everything = flat(full)
    assert (len(full.events), len(full.exemplars), len(full.resources), len(full.deliveries)) == (2, 2, 3, 2)
    last = {name: data.rstrip(b"\n").rfind(b"\n") + 1 for name, data in whole.items()}
    longest = max(len(whole[name]) - last[name] for name in LOGS)
    for cut in range(longest):
        for name, data in whole.items():
            (tmp_path / name).write_bytes(data[: min(len(data) - 1, last[name] + cut)])
        run = Run(tmp_path)
        assert run.events == full.events[:-1]
        assert run.exemplars == full.exemplars[:-1]
        assert run.resources == full.resources[:-1]
        assert run.deliveries == {"expected": 1, "delivered": 1}
        if cut % 50 == 0:
            found = flat(run)
            assert found.keys() == everything.keys()
            assert sum(found[key] != everything[key] for key in found) == 1
    writer.close(HEADER)


def test_a_run_killed_at_its_start_reads(tmp_path):
    """A run of which there is no more than run.json is a run in which nothing happened."""
    RunWriter(tmp_path, HEADER).close(HEADER)
    for name in LOGS:
        (tmp_path / name).unlink()
    run = Run(tmp_path)
    assert (run.intervals, run.events, run.resources, run.exemplars, run.deliveries) == ({}, [], [], [], {})
    assert run.steady("GET /") == Interval("GET /", 0)


def test_late_lines_add_up(tmp_path):
    """A second that is written in several batches, by several processes, is the sum of its lines."""
    writer = RunWriter(tmp_path, HEADER)
    batches = [intervals(seed, range(seed, seed + 3)) for seed in range(4)]
    for batch in batches:
        writer.intervals(batch)
    writer.close(HEADER)
    assert flat(Run(tmp_path)) == by_second([part for batch in batches for part in batch])


def test_half_a_character(tmp_path):
    """Text out of a target's JSON may hold half a character; it is written, and reads back as it was."""
    half = json.loads('"\\ud83d?"')
    writer = RunWriter(tmp_path, replace(HEADER, partial=half))
    part = Interval(half, 0, count=1, errors={half: 1}, response=Histogram.of([5]))
    writer.intervals([part])
    writer.event(0, "user error", half)
    writer.close(replace(HEADER, partial=half))
    run = Run(tmp_path)
    assert flat(run) == {(half, 0): part}
    assert (run.events[0]["text"], run.header.partial) == (half, half)


def test_series_are_sorted(tmp_path):
    """Series come in their order, seconds in theirs."""
    writer = RunWriter(tmp_path, HEADER)
    writer.intervals(sorted(intervals(), key=lambda part: (part.response.max_us, part.second)))
    writer.close(HEADER)
    run = Run(tmp_path)
    assert list(run.intervals) == sorted(SERIES)
    assert all(list(seconds) == [-1, 0, 1, 2, 3] for seconds in run.intervals.values())


def test_steady(tmp_path):
    """A series' steady seconds together: warm-up and the seconds before the run are left out."""
    header = replace(HEADER, phases=(PhaseSpan("w", "warm-up", 0, 1), PhaseSpan("s", "steady", 1, 3)))
    writer = RunWriter(tmp_path, header)
    writer.intervals(intervals())
    writer.close(header)
    found = Run(tmp_path).steady("ws deliver")
    parts = [part for part in intervals() if part.series == "ws deliver" and part.second in (1, 2)]
    assert found == merge(parts, series="ws deliver")
    assert Run(tmp_path).steady("no such series").count == 0


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [
        ([(0, 3)], [0, 1, 2]),
        ([(0.5, 3.5)], [1, 2]),  # seconds that are only partly steady are not judged
        ([(0.2, 0.9)], []),
        ([(0.5, 1.5)], []),
        ([(1, 2), (4, 6)], [1, 4, 5]),  # whatever lies between
        ([(0, 1.5), (1.5, 3)], [0, 2]),  # half of one load and half of another
        ([(0.7 + 0.2 + 0.1, 3)], [1, 2]),  # 0.9999999999999999
        ([(0, 0.1 + 0.7 + 0.2)], [0]),
        ([(1.1 + 2.2 + 0.7, 6)], [4, 5]),  # 4.000000000000001
    ],
)
def test_steady_seconds(spans, seconds):
    """Only whole seconds of a steady phase are judged, and sums of tenths are whole when they should be."""
    phases = [PhaseSpan("w", "warm-up", -9, 0)] + [PhaseSpan("s", "steady", *span) for span in spans]
    assert replace(HEADER, phases=tuple(phases)).steady_seconds() == seconds


def test_directory_that_holds_a_run(tmp_path):
    """A run is never written over another."""
    RunWriter(tmp_path, HEADER).close(HEADER)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(RunError, match=rf"^{tmp_path} already holds a run; name another directory with --out$"):
        RunWriter(tmp_path, replace(HEADER, name="other"))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_unwritable_directory(tmp_path):
    """A directory that cannot be made is named, with the reason and the remedy."""
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError) as refused:
        RunWriter(tmp_path / "file" / "run", HEADER)
    assert str(refused.value) == (
        f"cannot write the run directory {tmp_path}/file/run: Not a directory; name a writable one with --out"
    )


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [("mkdir", errno.EACCES, "Permission denied"), ("write_text", errno.ENOSPC, "No space left on device")],
)
def test_directory_that_may_not_be_written(tmp_path, monkeypatch, name, code, said):
    """A directory without permission, or on a full disk, is named."""

    def refuse(*_args, **_more):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, name, refuse)
    with pytest.raises(RunError) as refused:
        RunWriter(tmp_path / "run", HEADER)
    assert str(refused.value) == (
        f"cannot write the run directory {tmp_path}/run: {said}; name a writable one with --out"
    )


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"5", b"[]", b"{}", b'{"phases": 3}', b'{"phases": [{"nme": "x"}]}', b'{"phases": []}', b"\xff"],
)
def test_unreadable_run(tmp_path, data):
    """A run.json that is no header is named."""
    (tmp_path / "run.json").write_bytes(data)
    with pytest.raises(RunError, match=rf"^{tmp_path}/run\.json cannot be read: "):
        Run(tmp_path)


def test_no_run(tmp_path):
    """A directory without a run.json holds no run."""
    with pytest.raises(RunError, match=rf"^{tmp_path} holds no run: there is no run\.json in it$"):
        Run(tmp_path)


def test_header_of_a_later_version(tmp_path):
    """Fields that this version does not know are passed over."""
    (tmp_path / "run.json").write_text(json.dumps(asdict(HEADER) | {"mood": "good"}))
    assert Run(tmp_path).header == HEADER


def test_header_is_replaced_whole(tmp_path):
    """The header is never half written: the old one stands until the new one does."""
    writer = RunWriter(tmp_path, HEADER)
    with pytest.raises(TypeError):
        writer.close(replace(HEADER, scenario={"x": object()}))
    assert Run(tmp_path).header == HEADER
