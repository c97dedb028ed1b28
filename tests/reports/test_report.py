"""The page of one run: safe, whole, and its numbers true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from loadtests.run import Run
from reports import render_report, write_report
from tests.reports.reading import Node, parse, table_with
from tests.reports.synthetic import STEADY_S, Truth, ceil_rank

UNIT_NS = {"ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9}


def in_ns(text: str) -> float:
    """A printed duration as ns."""
    number, unit = text.split(" ")
    return float(number.replace(",", "")) * UNIT_NS[unit]


@pytest.fixture(scope="module")
def root(page: str) -> Node:
    """The page's tree."""
    return parse(page)


def test_first_screen_says_verdict_target_objectives_and_trust(root: Node) -> None:
    """In this order, and the sentence without the word that the badge says."""
    text = root.text
    wanted = [
        "PASS",
        "120 users and 60 live connections",
        "http://127.0.0.1:8080",
        "p95 < 300ms",
        "Can this run be trusted? Yes.",
    ]
    places = [text.index(words) for words in wanted]
    assert places == sorted(places)
    assert next(root.all("h1")).text.startswith("120 users")
    assert "The plan was kept 99.98% sent" in text


def test_no_script_and_nothing_from_elsewhere(root: Node, page: str) -> None:
    """A strict policy, no script, no address but fragments and files beside the page."""
    policy = next(meta for meta in root.all("meta") if "http-equiv" in meta.attrs)
    assert policy.attrs["content"] == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    for tag in ("script", "link", "img", "iframe", "object", "form"):
        assert not list(root.all(tag))
    addresses = [
        node.attrs[name]
        for tag in ("a", "svg", "path", "text", "figure", "div", "section")
        for node in root.all(tag)
        for name in ("href", "src", "xlink:href")
        if name in node.attrs
    ]
    assert addresses
    assert all(re.fullmatch(r"#[a-z]+|[a-z]+\.[a-z]+", address) for address in addresses), addresses
    assert not re.search(r"url\(|@import| on[a-z]+=", page)


def test_fragments_lead_somewhere_and_ids_are_unique(root: Node, page: str) -> None:
    """Several inline charts on one page do not clash."""
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for anchor in root.all("a"):
        if anchor.attrs["href"].startswith("#"):
            assert anchor.attrs["href"][1:] in ids


def test_every_svg_speaks(root: Node) -> None:
    """Each has role img, a title and a description, and points to both."""
    drawings = list(root.all("svg"))
    assert len(drawings) > 15
    for drawing in drawings:
        title, desc = next(drawing.all("title")), next(drawing.all("desc"))
        assert title.text
        assert desc.text
        assert drawing.attrs["role"] == "img"
        assert drawing.attrs["aria-labelledby"] == f"{title.attrs['id']} {desc.attrs['id']}"


def test_charts_follow_the_page_s_colours(page: str) -> None:
    """Every drawn colour has a role's class beside it, and chart text stays text."""
    for chart in re.findall(r'<svg class="chart".*?</svg>', page, re.DOTALL):
        assert chart.count("<text") > 5
        for element in re.findall(r"<(?:path|text)[^>]*>", chart):
            for name, colour in re.findall(r'(fill|stroke)="(#[0-9a-f]+)"', element):
                assert f"{name[0]}-" in element, (element, colour)


def test_numbers_equal_those_of_the_raw_samples(root: Node, passed: tuple[Run, Truth]) -> None:
    """Percentiles against sorting with rank ceil(p n): at most a bucket (1/1024) and a rounding (1/200) above."""
    truth = passed[1]
    rows = table_with(root, "Succeeded")
    checked = 0
    for series, values in truth.response_ns.items():
        cells = rows[series]
        assert cells[0] == f"{len(values):,}"
        response = zip((50, 90, 95, 99, 99.9, 100), cells[2:8], strict=True)
        service = zip((95, 99), cells[8:10], strict=True)
        for sample, pairs in ((values, response), (truth.service_ns[series], service)):
            for percentile, text in pairs:
                beyond = len(sample) * (100 - percentile) / 100
                if percentile < 100 and beyond < 9.999:
                    assert text.startswith("needs"), (series, percentile, text)
                    continue
                true = ceil_rank(sample, percentile)
                assert true * (1 - 1 / 200) <= in_ns(text) <= (true + 1000) * (1 + 1 / 1024) * (1 + 1 / 200)
                checked += 1
    assert checked > 50
    total = sum(len(values) for name, values in truth.response_ns.items() if not name.startswith("ws"))
    assert rows["All requests"][0] == f"{total:,}"
    assert float(rows["All requests"][1].removesuffix("/s")) == pytest.approx(total / STEADY_S, rel=0.02)


def test_what_is_missing_is_said(root: Node, passed: tuple[Run, Truth]) -> None:
    """p99.9 takes 10,000; the cell says how many more, and nothing at all where there was no request."""
    truth = passed[1]
    rows = table_with(root, "Succeeded")
    n = len(truth.response_ns["GET /tasks"])
    assert rows["GET /tasks"][6] == f"needs {10_000 - n:,} more"
    assert "ws connect" not in rows  # all 60 connected in the warm-up, which is no reason to say none did
    assert rows["ws connect (whole run)"][:2] == ["60", "–"]  # noqa: RUF001 - an en dash
    assert rows["ws connect (whole run)"][5] == "needs 940 more"


def test_failures_come_first_with_an_example(root: Node, passed: tuple[Run, Truth]) -> None:
    """Kind, count in the steady state, and a redacted example; the table of failures has the same sum."""
    truth = passed[1]
    assert root.text.index("What failed") < root.text.index("Every series")
    assert "pool exhausted" in root.text
    failed = table_with(root, "Failed")
    assert {series: int(cells[0]) for series, cells in failed.items()} == truth.failed


def test_links_lead_to_files_beside_the_page(passed: tuple[Run, Truth], tmp_path: Path) -> None:
    """In the run's directory by name; from elsewhere by the relative path."""
    run = passed[0]
    page = parse(render_report(run, run.directory.parent))
    links = [a.attrs["href"] for a in page.all("a") if not a.attrs["href"].startswith("#")]
    assert f"{run.directory.name}/intervals.hlog" in links
    assert all((run.directory.parent / link).is_file() for link in links)


def test_report_is_written_and_the_same_twice(passed: tuple[Run, Truth], tmp_path: Path) -> None:
    """Three files beside each other; a second writing changes no byte."""
    paths = write_report(passed[0], tmp_path / "out")
    assert [path.name for path in paths] == ["report.html", "summary.md", "junit.xml"]
    before = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in write_report(Run(passed[0].directory), tmp_path / "out")] == before
    assert paths[0].stat().st_size < 250_000
