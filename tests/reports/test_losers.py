"""Who lost deliveries is told by name, in words and in the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests.faults import Affected, Faults
from loadtests.run import Run
from reports import render_ledger, render_report, render_summary
from reports.losers import loser_sentences, loser_tables
from tests.reports.reading import parse
from tests.reports.synthetic import PASSED, header
from tests.reports.test_swarmcharts import run_of

KEPT = {"expected": 1400, "delivered": 1358, "lost": 42, "received": 1358}


def lossy(folder: Path, *streams: Faults) -> Run:
    """A run in which two subscribers lost something of these streams."""
    subscribers = Affected(2, [Faults("17", 40, 800), Faults("3", 2, 800)])
    account = {"subscribers": subscribers, "streams": Affected(len(streams), streams)}
    run = run_of(folder, deliveries=KEPT, swarm=account, intervals={})
    run.verdict = PASSED
    return run


def test_in_words(tmp_path: Path) -> None:
    """The number of each subscriber, what each lost and of how many; likewise of each stream."""
    run = lossy(tmp_path, Faults(f"{header().run_id}.12\tnews", 42, 1400))
    by, of = loser_sentences(run)
    assert by == "Lost by 2 subscribers; most by number 17 (40 of 800, 5.00 %), number 3 (2 of 800, 0.250 %)."
    assert of == 'Lost of 1 stream; most of "news" by 12 (42 of 1,400, 3.00 %).'
    assert render_ledger(run).splitlines()[-2:] == [f"  {by}", f"  {of}"]
    assert "by number 17" in render_summary(run)


def test_on_the_page(tmp_path: Path) -> None:
    """A table for subscribers and one for streams; none where nothing was lost."""
    text = parse(render_report(lossy(tmp_path, Faults("*\tnews", 42, 1400)))).text
    assert "Lost by 2 of the subscribers" in text
    assert "Lost of 1 of the streams" in text
    assert "5.00 %" in text.replace("\u00a0", " ")
    assert loser_tables(run_of(tmp_path / "well", deliveries=KEPT)) == []


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
    (_, streams) = loser_tables(lossy(tmp_path, Faults(stream, 1, 2)))
    assert streams.rows == [(shown, "1", "2", "50.0 %")]
