"""What machines read: JUnit and Markdown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from loadtests.run import Run
from loadtests.verdict import RunVerdict, Status
from reports import render_junit, render_summary
from reports.summary import escaped
from tests.reports.synthetic import FAILED, HOSTILE, INCONCLUSIVE, INVALID, PASSED, Truth, verdict


def judged(passed: tuple[Run, Truth], given: RunVerdict) -> Run:
    """The good run with another verdict."""
    run = Run(passed[0].directory)
    run.verdict = given
    return run


def suite(run: Run) -> ElementTree.Element:
    """The only suite."""
    found = ElementTree.fromstring(render_junit(run)).find("testsuite")  # noqa: S314 - our own file
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("given", "failures", "errors", "skipped", "tests"),
    [
        (PASSED, 0, 0, 0, 6),
        (FAILED, 1, 0, 1, 6),
        (INCONCLUSIVE, 0, 0, 1, 1),
        (INVALID, 0, 3, 0, 3),
        (replace(PASSED, status=Status.INVALID), 0, 1, 0, 7),
        (replace(PASSED, partial="a worker was lost"), 0, 1, 0, 7),
        (replace(PASSED, status=Status.INCONCLUSIVE, verdicts=()), 0, 0, 1, 1),
    ],
)
def test_each_verdict_is_a_case(
    passed: tuple[Run, Truth], given: RunVerdict, failures: int, errors: int, skipped: int, tests: int
) -> None:
    """FAIL fails, INVALID errs, INCONCLUSIVE is skipped; what no objective carries is a case named run."""
    found = suite(judged(passed, given))
    counts = [int(found.attrib[name]) for name in ("failures", "errors", "skipped", "tests")]
    assert counts == [failures, errors, skipped, tests]
    assert [len(found.findall(f"testcase/{tag}")) for tag in ("failure", "error", "skipped")] == counts[:3]
    assert ("run" in [case.get("name") for case in found]) == (tests == 7 or not given.verdicts)


def test_times_add_up(passed: tuple[Run, Truth]) -> None:
    """76.4 s are shared out among six cases."""
    found = suite(passed[0])
    assert found.attrib["time"] == "76.400"
    assert sum(float(case.attrib["time"]) for case in found) == pytest.approx(76.4, abs=0.01)
    assert found.attrib["timestamp"] == "2026-01-31T09:30:00+00:00"


def test_xml_is_well_formed_whatever_the_names(passed: tuple[Run, Truth]) -> None:
    """Control characters become the replacement character, everything else survives a round trip."""
    verdicts = tuple(
        verdict(name, "p95 < 200ms", Status.FAIL, 2e8, 3e8, reason=name, notes=(name,)) for name in HOSTILE
    )
    found = suite(judged(passed, RunVerdict(Status.FAIL, HOSTILE[5], verdicts)))
    names = [case.attrib["classname"] for case in found]
    assert names[:5] == list(HOSTILE[:5])
    assert names[5] == "control \ufffd\ufffd \ufffd[31m characters"


def test_summary_is_short_and_whole(passed: tuple[Run, Truth]) -> None:
    """Sentence, a row for each objective, trust, five slowest."""
    text = render_summary(passed[0])
    assert text.startswith("### ✓ PASS: 120 users and 60 live connections")
    assert "| ✓ PASS | p95 \\< 300ms | POST /login | 213 ms | 200 to 226 ms | 144 | 71.0 % |" in text
    assert "**Can this run be trusted?** Yes. The plan was kept (99.98% sent" in text
    assert text.split("**Slowest:** ")[1].count(",") == 4
    assert len(text) < 2_500


def test_summary_of_many_objectives_counts_the_rest(passed: tuple[Run, Truth]) -> None:
    """Ten rows, then how many more."""
    verdicts = tuple(verdict(f"GET /{i}", "p95 < 200ms", Status.PASS, 2e8, 1e8) for i in range(30))
    text = render_summary(judged(passed, RunVerdict(Status.PASS, "PASS: all of it", verdicts)))
    assert text.count("| ✓ PASS |") == 10
    assert "20 more objectives, 20 of them held" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a|b", "a\\|b"),
        ("`x` *y* _z_ [l](u) <b> #1", "\\`x\\` \\*y\\* \\_z\\_ \\[l\\]\\(u\\) \\<b\\> \\#1"),
        ("@team &amp;", "@\u200bteam &amp;amp;"),
        ("two\nlines", "two lines"),
    ],
)
def test_markdown_is_escaped(text: str, expected: str) -> None:
    """No markup, no mention, one line."""
    assert escaped(text) == expected


def test_junit_of_a_run_on_disk(passed: tuple[Run, Truth], tmp_path: Path) -> None:
    """It has a declaration and ends with a line."""
    text = render_junit(passed[0])
    assert text.startswith(b"<?xml")
    assert text.endswith(b"</testsuites>\n")
