"""The swarm's ledger in words and figures: every count with its word, and one plain sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports import render_ledger, render_summary
from reports.ledger import ledger_sentence
from tests.reports.synthetic import PASSED
from tests.reports.test_swarmcharts import run_of

WELL = {
    "expected": 1000,
    "delivered": 1000,
    "lost": 0,
    "duplicated": 0,
    "reordered": 0,
    "displacement": 0,
    "late": 0,
    "outside": 7,
    "away": 0,
    "recovered": 0,
    "foreign": 0,
    "received": 1007,
}
ILL = WELL | {
    "delivered": 990,
    "lost": 10,
    "duplicated": 5,
    "reordered": 3,
    "displacement": 2,
    "late": 4,
    "away": 30,
    "recovered": 20,
    "foreign": 1,
    "received": 1027,
}
WORDS = [*WELL]
WORDS.remove("displacement")  # it stands beside reordered


@pytest.mark.parametrize(
    ("kept", "sentence"),
    [
        ({}, ""),
        (WELL, "All 1,000 due deliveries arrived, each once, in order and in time."),
        (
            ILL,
            "10 of 1,000 due deliveries were lost (1.00 %); 4 came late, after they were given up; "
            "5 came more than once; 3 came out of order (displacement 2 at most); 1 came that nobody had published. "
            "While connections were lost 30 more were published, of which 20 were recovered.",
        ),
        (WELL | {"duplicated": 2}, "None of 1,000 due deliveries was lost; 2 came more than once."),
        (dict.fromkeys(WELL, 0), "Nothing was due to any subscriber."),
    ],
)
def test_sentence(tmp_path: Path, kept: dict[str, int], sentence: str) -> None:
    """Each thing that went wrong is said, with its count; that all is well is said as well."""
    assert ledger_sentence(run_of(tmp_path, deliveries=kept)) == sentence


def test_terminal(tmp_path: Path) -> None:
    """A line for every word, its figure and its meaning; what must not be is marked; the sentence is last."""
    head, *lines, last = render_ledger(run_of(tmp_path, deliveries=ILL)).splitlines()
    assert head == "Deliveries"
    assert last.strip().startswith("10 of 1,000 due deliveries were lost")
    told = {word: (figure, meaning) for word, figure, meaning in (line.split(maxsplit=2) for line in lines)}
    assert told.keys() == set(WORDS)
    assert {word: int(figure.replace(",", "")) for word, (figure, _) in told.items()} == {
        word: ILL[word] for word in WORDS
    }
    assert told["reordered"][1] == "came after a higher number; displacement 2 at most; 0.292 % of what came  ✗"
    assert told["lost"][1] == "never came; 1.00 % of what was due  ✗"
    marked = {word for word, (_, meaning) in told.items() if meaning.endswith("✗")}
    assert marked == {"lost", "late", "duplicated", "reordered", "foreign"}
    assert render_ledger(run_of(tmp_path / "none")) == ""


def test_more_copies_than_were_due(tmp_path: Path) -> None:
    """Of a server that sends everything four times 75 % of what came are copies, and not 300 % of what was due."""
    kept = WELL | {"duplicated": 3000, "received": 4000, "outside": 0}
    assert "came more than once; 75.0 % of what came  ✗" in render_ledger(run_of(tmp_path, deliveries=kept))


def test_markdown(tmp_path: Path) -> None:
    """The summary has the sentence, and a column for every word."""
    run = run_of(tmp_path, deliveries=ILL, intervals={})
    run.verdict = PASSED
    lines = render_summary(run).splitlines()
    at = next(k for k, line in enumerate(lines) if line.startswith("**Deliveries:** 10 of 1,000 due"))
    words, figures = ([cell.strip(" *✗") for cell in lines[at + k].strip("|").split("|")] for k in (2, 4))
    assert dict(zip(words, figures, strict=True)) == {word: f"{ILL[word]:,}" for word in WORDS}
    run = run_of(tmp_path / "none", intervals={})
    run.verdict = PASSED
    assert "Deliveries" not in render_summary(run)
