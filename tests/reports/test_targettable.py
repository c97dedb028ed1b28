"""What the page says of the target's own numbers, by arithmetic."""

import pytest

from loadtests.run import Run
from loadtests.runwriter import RunWriter
from reports import render_report
from reports.targettable import TargetTable, target_table
from tests.reports.reading import parse
from tests.runs import folded, header_of, stream


def _run(directory, series, values, missing=(), left_out=""):
    """A minute, read in the middle of each second; values are functions of the second."""
    samples = stream(2, 60)
    writer = RunWriter(directory, header_of(samples, (), {}))
    writer.intervals(folded(samples, ()))
    for second in range(60):
        new = {"series": series, "left_out": left_out} if second == 0 else {}
        if second in missing:
            writer.target({"at_s": second + 0.5, "missing": missing[second]})
        else:
            writer.target(new | {"at_s": second + 0.5, "values": [of(second) for of in values]})
    writer.close(writer.header)
    return Run(directory)


KNOWN = [
    ("portal_cache_hits_total", "counter", lambda s: 30 * s),
    ("portal_cache_misses_total", "counter", lambda s: 10 * s),
    ("portal_database_connections_in_use", "gauge", lambda s: 9 if s == 20 else 2),
    ("portal_database_wait_seconds_sum", "counter", lambda s: 0.25 * s),
    ("portal_database_wait_seconds_count", "counter", lambda s: 50 * s),
    ("portal_loop_lag_seconds_sum", "counter", lambda s: 0.004 * s),
    ("portal_loop_lag_seconds_count", "counter", lambda s: 10 * s),
    ("portal_loop_lag_last_seconds", "gauge", lambda s: 0.08 if s == 30 else 0),
    ("portal_frames_queued", "gauge", lambda s: s % 2),
    ("portal_sockets_open", "gauge", lambda s: 64),
    ("portal_events_dropped_total", "counter", lambda s: 0),
]


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """A portal's minute: from second 10 to 40, 30 steps and 30 readings."""
    series = [(name, kind) for name, kind, _ in KNOWN]
    return _run(tmp_path_factory.mktemp("known") / "run", series, [of for _, _, of in KNOWN])


def test_sentences(known):
    """Thirty seconds: 30 of 40 answers each; 9 once and 2 else is 67/30; 250/50 ms; 4/10 ms; every other reading 1."""
    assert target_table(known, range(10, 40)).sentences == (
        "The cache had 75.0 % of 1,200 answers.",
        "Of the database connections 2.23 were in use on average, 9 at most.",
        "Requests waited 5.00 ms for a database connection on average, over 1,500 of them.",
        "The event loop woke 400 µs late on average, 80.0 ms in the worst reading.",
        "0.500 frames waited for a socket on average, 1 at most.",
        "64.0 WebSockets were open on average, 64 at most.",
        "No delivery was dropped.",
    )


def test_tables(known):
    """A sum is told as the mean beside its count, in the unit of its name."""
    table = target_table(known, range(10, 40))
    assert table.counters == (
        ("portal_cache_hits_total", "900", "30.0/s", "–"),  # noqa: RUF001
        ("portal_cache_misses_total", "300", "10.0/s", "–"),  # noqa: RUF001
        ("portal_database_wait_seconds_count", "1,500", "50.0/s", "5.00 ms"),
        ("portal_loop_lag_seconds_count", "300", "10.0/s", "400 µs"),
        ("portal_events_dropped_total", "0", "0/s", "–"),  # noqa: RUF001
    )
    assert table.gauges == (
        ("portal_database_connections_in_use", "2.23", "9.00"),
        ("portal_loop_lag_last_seconds", "2.67 ms", "80.0 ms"),
        ("portal_frames_queued", "0.500", "1.00"),
        ("portal_sockets_open", "64.0", "64.0"),
    )
    assert table.gaps == ()


def test_page(known):
    """The page has the sentences, both charts with their message, and the file."""
    page = parse(render_report(known)).text
    assert "By the target’s own account The" not in page  # noqa: RUF001
    assert "The cache had 75.0 % of what it was asked for" in page
    assert "The event loop woke 400 µs late on average, 400 µs in the worst second" in page
    assert "All 9 numbers that it tells" in page
    assert "target.jsonl" in page


def test_missing(tmp_path):
    """Seconds without an answer are counted with their reasons."""
    missing = {10: "it answers 503", 11: "it answers 503", 12: "refused", 50: "it answers 503"}
    run = _run(tmp_path / "run", [("a", "gauge")], [lambda s: 1], missing, "there was too much")
    table = target_table(run, range(10, 40))
    assert table.gaps == (
        "Not everything was kept: there was too much.",
        "In 3 of 30 steady seconds they could not be read: it answers 503 (2 times); refused.",
    )


def test_never(tmp_path):
    """A target that never told anything is said to, and no table is empty."""
    run = _run(tmp_path / "run", [], [], dict.fromkeys(range(60), "it answers 404"))
    assert target_table(run, range(60)) == TargetTable(
        (),
        (
            "The target's metrics were never read.",
            "In 60 of 60 steady seconds they could not be read: it answers 404 (60 times).",
        ),
        (),
        (),
    )
    assert "numbers that it tells" not in render_report(run)


def test_two_caches_and_labels(tmp_path):
    """Each cache is told by its name; a name is shown as it was given, never run."""
    series = [
        ('cache_hits_total{k="<script>"}', "counter"),
        ('cache_misses_total{k="<script>"}', "counter"),
        ("b_cache_hits", "counter"),
        ("b_cache_misses", "counter"),
        ("lonely_cache_hits_total", "counter"),
    ]
    run = _run(tmp_path / "run", series, [lambda s: s, lambda s: s, lambda s: s, lambda s: 0, lambda s: s])
    assert target_table(run, range(10, 20)).sentences == (
        'The cache of cache_hits_total{k="<script>"} had 50.0 % of 20 answers.',
        "The cache of b_cache_hits had 100 % of 10 answers.",
    )
    assert "<script" not in render_report(run)


def test_not_asked(tmp_path):
    """A run whose target was not asked has no such section."""
    run = _run(tmp_path / "run", [], [])
    (tmp_path / "run" / "target.jsonl").unlink()
    assert target_table(run, range(60)) is None
    assert "own account" not in render_report(run)
