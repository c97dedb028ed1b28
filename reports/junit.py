"""JUnit XML: one test case for each objective on each series."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree

from loadtests.run import Run
from loadtests.verdict import Status, Verdict
from reports.charts.canvas import printable

__all__ = ["render_junit"]

_ELEMENT: Final = {Status.FAIL: "failure", Status.INVALID: "error", Status.INCONCLUSIVE: "skipped"}


def render_junit(run: Run) -> bytes:
    """The objectives as test cases: FAIL is a failure, INVALID an error, INCONCLUSIVE is skipped.

    What concerns the run and no objective carries (a generator at fault, an early end, no verdict at all) is a case
    named ``run``. All objectives are judged on the same seconds, so the run's length is shared out among the cases and
    tools that add them up come to the right sum.
    """
    header = run.header
    cases = [_of(verdict) for verdict in run.verdict.verdicts] if run.verdict else []
    whole = _of_run(run)
    if whole is not None:
        cases.insert(0, whole)
    lasted_s = max(0.0, (header.ended_wall_s or header.started_wall_s) - header.started_wall_s)
    tally = {tag: str(sum(case.find(tag) is not None for case in cases)) for tag in _ELEMENT.values()}
    totals = {
        "name": printable(header.name),
        "tests": str(len(cases)),
        "failures": tally["failure"],
        "errors": tally["error"],
        "skipped": tally["skipped"],
        "time": f"{lasted_s:.3f}",
    }
    root = ElementTree.Element("testsuites", totals)
    started = datetime.fromtimestamp(header.started_wall_s, UTC).isoformat(timespec="seconds")
    suite = ElementTree.SubElement(root, "testsuite", totals | {"timestamp": started})
    for case in cases:
        case.set("time", f"{lasted_s / len(cases):.3f}")
        suite.append(case)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _of(verdict: Verdict) -> ElementTree.Element:
    return _case(verdict.series, verdict.objective, verdict.status, verdict.reason, "\n".join(verdict.notes))


def _of_run(run: Run) -> ElementTree.Element | None:
    verdict = run.verdict
    if verdict is None:
        return _case("run", "run", Status.INCONCLUSIVE, "the run was never judged", "")
    statuses = {one.status for one in verdict.verdicts}
    partial = verdict.partial or run.header.partial
    details = "\n".join(
        f"{check.title}: {check.value} (allowed {check.limit})" + (f"; {check.remedy}" if check.remedy else "")
        for check in verdict.checks
        if not check.ok
    )
    if (verdict.status is Status.INVALID or partial) and Status.INVALID not in statuses:
        reason = f"partial run: {partial}" if partial else verdict.sentence
        return _case("run", "run", Status.INVALID, reason, details)
    if verdict.status not in statuses:
        return _case("run", "run", verdict.status, verdict.sentence, details)
    return None


def _case(series: str, name: str, status: Status, reason: str, details: str) -> ElementTree.Element:
    case = ElementTree.Element("testcase", {"classname": printable(series), "name": printable(name)})
    if status in _ELEMENT:
        outcome = ElementTree.SubElement(case, _ELEMENT[status], {"message": printable(reason)})
        if status is not Status.INCONCLUSIVE:
            outcome.set("type", status.value)
        outcome.text = printable(details) or None
    return case
