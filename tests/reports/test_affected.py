"""Whose deliveries went wrong is told by name, in words and in the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from loadtests.faults import Affected, Faults
from loadtests.run import Run
from reports import render_ledger, render_report, render_summary
from reports.affected import affected_sentences, affected_tables
from tests.reports.reading import parse
from tests.reports.synthetic import PASSED, header
from tests.reports.test_swarmcharts import run_of

KEPT = {"expected": 1400, "delivered": 1358, "lost": 42, "received": 1358}
LOSERS = (Faults("17", 40, 800), Faults("3", 2, 800))


def faulty(folder: Path, *streams: Faults, subscribers: Sequence[Faults] = LOSERS) -> Run:
    """A run in which this went wrong with the deliveries to two subscribers, and those of these streams."""
    account = {"subscribers": Affected.of(subscribers), "streams": Affected.of(streams)}
    run = run_of(folder, deliveries=KEPT, swarm=account, intervals={})
    run.verdict = PASSED
    return run


def test_in_words(tmp_path: Path) -> None:
    """The number of each subscriber, what each lost and of how many; likewise of each stream."""
    run = faulty(tmp_path, Faults(f"{header().run_id}.12\tnews", 42, 1400))
    to, of = affected_sentences(run)
    assert (
        to == "Lost to 2 subscribers; the worst: number 17 (40 of 800 lost, 5.00 %), number 3 (2 of 800 lost, 0.250 %)."
    )
    assert of == 'Lost in 1 stream; the worst: "news" by 12 (42 of 1,400 lost, 3.00 %).'
    assert render_ledger(run).splitlines()[-2:] == [f"  {to}", f"  {of}"]
    assert "worst: number 17" in render_summary(run)


def test_every_fault_in_words(tmp_path: Path) -> None:
    """Each is told of by its own word, and only to whom it happened; what came late, of due ones, is lost as well."""
    some = Faults("17", 1, 800, late=1, duplicated=3), Faults("3", 0, 800, 0, 0, 1234, 7), Faults("4", 0, 0, 0, 2)
    to, of = affected_sentences(faulty(tmp_path, Faults("*\tnews", 0, 9, late=1), subscribers=some))
    assert to == (
        "Lost to 1, late to 1, duplicated to 2, reordered to 1 subscriber; the worst: number 17 (1 of 800 lost, "
        "0.125 %; 1 late; 3 duplicated), number 3 (1,234 reordered, by 7 at most), number 4 (2 duplicated)."
    )
    assert of == 'Late in 1 stream; the worst: "news" (1 late).'


def test_what_nobody_published(tmp_path: Path) -> None:
    """To whom it came, and as which stream, in words and in a column."""
    run = faulty(tmp_path, Faults("*\tnews", 0, 9, foreign=3), subscribers=[Faults("5", 0, 9, foreign=3)])
    to, of = affected_sentences(run)
    assert to == "Foreign to 1 subscriber; the worst: number 5 (3 foreign)."
    assert of == 'Foreign in 1 stream; the worst: "news" (3 foreign).'
    assert [(one.heads, one.rows[0][1]) for one in affected_tables(run)] == [(["Due", "Foreign"], ["9", "3"])] * 2


def test_on_the_page(tmp_path: Path) -> None:
    """A table for subscribers and one for streams; none where nothing went wrong."""
    text = parse(render_report(faulty(tmp_path, Faults("*\tnews", 0, 1400, 0, 3, 5, 61)))).text
    assert "Lost to 2 of the subscribers" in text
    assert "Duplicated in 1, reordered in 1 of the streams" in text
    assert "5.00 %" in text.replace("\u00a0", " ")
    assert affected_tables(run_of(tmp_path / "well", deliveries=KEPT)) == []


def test_columns(tmp_path: Path) -> None:
    """There is a column for what any of the worst had, and none for what none had; who had not has 0."""
    mixed = (Faults("17", 40, 800, late=40), Faults("3", 0, 900, 0, 5))
    subscribers, streams = affected_tables(faulty(tmp_path, Faults("*\tnews", 0, 9, 0, 0, 2, 8), subscribers=mixed))
    assert subscribers.heads == ["Due", "Lost", "Share", "Late", "Duplicated"]
    assert subscribers.rows == [
        ("17", ["800", "40", "5.00 %", "40", "0"]),
        ("3", ["900", "0", "0 %", "0", "5"]),
    ]
    assert (streams.heads, streams.rows) == (["Due", "Reordered", "Displacement"], [('"news"', ["9", "2", "8"])])


def test_of_an_old_run(tmp_path: Path) -> None:
    """One that told losses alone is told as before."""
    account = {"subscribers": [2, [["17", 40, 800]]], "streams": [0, []]}
    run = run_of(tmp_path, deliveries=KEPT, swarm=account, intervals={})
    assert affected_sentences(run) == ["Lost to 2 subscribers; the worst: number 17 (40 of 800 lost, 5.00 %)."]
    assert [table.heads for table in affected_tables(run)] == [["Due", "Lost", "Share"]]


@pytest.mark.parametrize(
    ("stream", "shown"),
    [
        ("*\tnews", '"news"'),
        ("\tnews", '"news"'),
        ("*\t", "its broadcasts"),
        (f"{header().run_id}.12\t", "what 12 sends"),
        ("*\ta\x1b[31m\tb", '"a\ufffd[31m\ufffdb"'),
        ("*\t" + "x" * 100, f'"{"x" * 59}…"'),
    ],
)
def test_names_of_streams(tmp_path: Path, stream: str, shown: str) -> None:
    """A server's names do no harm to a terminal, and take no more than a line."""
    (_, streams) = affected_tables(faulty(tmp_path, Faults(stream, 1, 2)))
    assert streams.rows == [(shown, ["2", "1", "50.0 %"])]
