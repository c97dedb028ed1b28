"""The page of many runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from loadtests.header import PhaseSpan
from loadtests.run import Run
from loadtests.runwriter import RunWriter
from loadtests.verdict import Status
from reports import write_trend
from reports.history import changes, tabulated
from tests.reports.reading import parse, table_with
from tests.reports.synthetic import PASSED, header, many, verdict


def runs(directory: Path, number: int, statuses: dict[int, Status] | None = None, **changed: object) -> list[Run]:
    """Runs a day apart, two series each; series i of run k is about k % slower than in run 0."""
    found = []
    for i in range(number):
        final = header(
            run_id=f"run-{i}",
            started_wall_s=1_769_851_800.0 + 86_400 * i,
            phases=(PhaseSpan("steady", "steady", 0, 20),),
            **changed,
        )
        RunWriter(directory / str(i), final).close(final)
        run = Run(directory / str(i))
        run.intervals = many(2, 20, n=30, seed=i)
        judged = verdict("GET /resource-00/{id}", "p95 < 200ms", Status.PASS, 200e6, 2e7)
        run.verdict = replace(PASSED, status=(statuses or {}).get(i, Status.PASS), verdicts=(judged,))
        found.append(run)
    return found


@pytest.mark.parametrize("number", [1, 2, 30])
def test_any_number_of_runs(tmp_path: Path, number: int) -> None:
    """One badge a run, one chart a series, a table once there are two."""
    page = write_trend(runs(tmp_path, number), tmp_path / "site" / "trend.html").read_text(encoding="utf-8")
    root = parse(page)
    badges = [svg for svg in root.all("svg") if svg.attrs["width"] == "22"]
    assert len(badges) == number
    assert len(list(root.all("figure"))) == 2
    assert ("is not evidence" in root.text) == (number > 1)
    assert "p95 < 200 ms" in root.text
    assert all(list(svg.all("title")) and list(svg.all("desc")) for svg in root.all("svg"))
    assert "<script" not in page
    assert len(page) < 400_000


def test_last_is_held_against_the_last_that_counts(tmp_path: Path) -> None:
    """INVALID and INCONCLUSIVE runs are shown, and compared with nothing."""
    several = runs(tmp_path, 5, {2: Status.INVALID, 4: Status.INCONCLUSIVE})
    rows, pair = changes(tabulated(several))
    assert pair == (2, 4)
    assert len(rows) == 2
    before, after = (several[i].steady(rows[0].series).response.percentile_us(95) for i in (1, 3))
    assert before is not None
    assert after is not None
    assert f"{abs(after / before - 1) * 100:.3g}" in rows[0].changed[0]
    text = parse(write_trend(several, tmp_path / "trend.html").read_text(encoding="utf-8")).text
    assert "later runs were not conclusive" in text


def test_change_has_a_word(tmp_path: Path) -> None:
    """Twice as slow is slower; the same file is about the same."""
    one, two, three = runs(tmp_path, 3)
    slower = many(1, 20, n=30, seed=0)["GET /resource-00/{id}"]
    one.intervals = two.intervals = {"GET /": slower}
    assert changes(tabulated([one, two]))[0][0].word == "about the same"
    three.intervals = {"GET /": many(8, 20, n=30, seed=0)["GET /resource-07/{id}"]}
    assert changes(tabulated([two, three]))[0][0].word == "slower"
    assert changes(tabulated([three, two]))[0][0].word == "faster"


def test_runs_are_put_in_order_and_scenarios_kept_apart(tmp_path: Path) -> None:
    """Given in any order; another scenario's runs make another part of the page."""
    several = [*runs(tmp_path / "a", 2, name="smoke"), *runs(tmp_path / "b", 2, name="soak")]
    root = parse(write_trend(several[::-1], tmp_path / "trend.html").read_text(encoding="utf-8"))
    assert "the last run of smoke" in root.text
    assert "the last run of soak" in root.text
    assert list(table_with(root, "Run")) == ["2", "1"]


def test_other_load_is_said(tmp_path: Path) -> None:
    """Figures under different plans answer different questions."""
    several = [*runs(tmp_path / "a", 1), *runs(tmp_path / "b", 2, load="240 arrivals/s")]
    text = parse(write_trend([several[0], several[2]], tmp_path / "trend.html").read_text(encoding="utf-8")).text
    assert "Different load." in text


def test_links_to_each_run_s_own_page(tmp_path: Path) -> None:
    """Relative, and only where the page exists."""
    several = runs(tmp_path, 2)
    (several[0].directory / "report.html").write_text("page")
    root = parse(write_trend(several, tmp_path / "trend.html").read_text(encoding="utf-8"))
    assert {a.attrs["href"] for a in root.all("a")} == {"0/report.html"}
