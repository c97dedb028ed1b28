"""Identifiers and documents use the project's words."""

import ast
import re
from pathlib import Path

import pytest

from tests.oracles import slow_gate

ROOT = Path(__file__).resolve().parents[1]
REFUSED = {"rps", "qps", "sla", "threshold", "hit", "util", "helper", "manager", "get_"}
FILES = sorted(path for folder in ("loadtests", "reports") for path in (ROOT / folder).rglob("*.py"))
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def words(name):
    """The words of an identifier: ``_offered_perS`` has offered, per and s."""
    return {word.lower() for word in _WORD.findall(name)}


def refused(name):
    """The words of an identifier that are refused, in the singular, and the prefix ``get_``."""
    found = words(name) | {word.removesuffix("s") for word in words(name)}
    return sorted((found | {"get_" if name.lstrip("_").startswith("get_") else ""}) & REFUSED)


def given_names(source):
    """Every name that a module gives: to itself, classes, functions, arguments, values and attributes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_identifiers(path):
    """No module gives a name that has a refused word in it."""
    names = {path.stem, *given_names(path.read_text(encoding="utf-8"))}
    assert {name: refused(name) for name in names if refused(name)} == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def get_rate(): ...", ["get_"]),
        ("class HitCounter: ...", ["hit"]),
        ("x.max_rps = 1", ["rps"]),
        ("def f(*, sla_ms): ...", ["sla"]),
        ("import os as helpers", ["helper"]),
        ("for thresholds in x: ...", ["threshold"]),
        ("class SLA: ...", ["sla"]),
        ("gc.set_threshold(1); d.get(2); target, white, slack, budget_spent = x", []),  # others' names, and ours
    ],
)
def test_the_test_can_tell(source, expected):
    """A refused word is found wherever a name is given, and in no other word."""
    assert [word for name in given_names(source) for word in refused(name)] == expected


def test_refused_words_are_documented():
    """The page of words says which ones are refused."""
    last = (ROOT / "docs" / "terminology.md").read_text(encoding="utf-8").split("* Refused in any name")[1]
    assert set(re.findall(r"`(\w+)`", last)) == REFUSED


def headings(name):
    """Headings of a page."""
    return re.findall(r"^#+ (.+)$", (ROOT / "docs" / name).read_text(encoding="utf-8"), re.MULTILINE)


def test_sections_that_docstrings_name_exist():
    """Where code says `docs/PAGE.md, "Section"`, the page has that section."""
    named = {
        found
        for path in FILES
        for found in re.findall(r'docs/([\w-]+\.md), "([^"]+)"', path.read_text(encoding="utf-8").replace("\n", " "))
    }
    assert {page for page, _ in named} >= {"measurement.md"}
    assert [(page, section) for page, section in sorted(named) if section not in headings(page)] == []


def test_links_between_pages():
    """A link from one page of docs to another, or to a section, leads somewhere."""
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    for page in ("measurement.md", "terminology.md", "architecture.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        anchors = {re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")) for heading in headings(page)}
        for link in re.findall(r"\]\(([^)]+)\)", text):
            assert link in pages or link.removeprefix("#") in anchors, f"{page}: {link}"


SECONDS = range(60)
WORKED = {
    "no bad request": [0] * 60,
    "one error, second 10": [int(t == 10) for t in SECONDS],
    "two errors, seconds 10 and 40": [int(t in (10, 40)) for t in SECONDS],
    "two errors in second 10": [2 * (t == 10) for t in SECONDS],
    "3 bad every second": [3] * 60,
    "seconds 55-59 all bad": [120 * (t >= 55) for t in SECONDS],
    "second 30 all bad": [120 * (t == 30) for t in SECONDS],
    "all bad": [120] * 60,
}


def test_worked_examples():
    """Every row of the page's worked examples is what the slow gate finds."""
    text = (ROOT / "docs" / "measurement.md").read_text(encoding="utf-8").split("| bad requests | budget |")[1]
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in text.split("\n\n")[0].splitlines()[2:]]
    assert {row[0] for row in rows} == set(WORKED)
    for name, budget, total, *expected in rows:
        found = slow_gate.gate([120] * 60, WORKED[name], float(budget.split()[0]) / 100)
        assert (int(total), expected) == (
            sum(WORKED[name]),
            [f"{found[0]:.1f}", *(f"{b:.6f}" for b in found[1:3]), found[3]],
        )
