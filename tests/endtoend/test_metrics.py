"""The target's own metrics in a whole run: known numbers, an answer that is none, and one that never comes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from loadtests.run import Run
from tests.endtoend.harness import loadtests, server, verdict
from tests.reports.reading import parse

pytestmark = pytest.mark.slow

Make = Callable[..., Path]


def test_metrics(scenario: Make, tmp_path: Path) -> None:
    """What was told is kept, what was not is said, and the verdict is that of the requests alone."""
    with server("counted") as (url, _):
        path = scenario(f'url = "{url}"\nmetrics = "/metrics"', steady="7s", objectives='must = ["errors == 0"]')
        done = loadtests("run", path, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [row["status"] for row in verdict(tmp_path / "run")["objectives"]] == ["PASS"]
    run = Run(tmp_path / "run")
    account = run.target_account
    found, missed, opened = account.series.values()
    told = [n for _, n in missed.points]
    assert told == [n for n in range(1, len(told) + 3) if n not in (4, 6)]  # each answer once, but for those two
    assert len(told) >= 5
    assert [n for _, n in found.points] == [3 * n for n in told]
    assert [n for _, n in opened.points] == told
    reasons = [why for _, why in account.missing]
    assert set(reasons) == {"it is not in Prometheus text format", "there is no answer within 1 s"}
    said = [event["text"] for event in run.events if event["kind"] == "metrics"]
    assert said == [
        "the target's metrics cannot be read: it is not in Prometheus text format",
        "the target's metrics can be read again",
        "the target's metrics cannot be read: there is no answer within 1 s",
        "the target's metrics can be read again",
    ]
    html = (tmp_path / "run" / "report.html").read_text()
    text = parse(html).text
    assert "The cache had 75.0 % of" in text
    assert "could not be read" in text
    assert "alert(1)" in text
    assert "<script" not in html


def test_elsewhere(scenario: Make, tmp_path: Path) -> None:
    """Metrics on a host that the scenario does not allow are refused before any load."""
    with server("counted") as (url, _):
        path = scenario(f'url = "{url}"\nmetrics = "http://192.0.2.1/metrics"')
        done = loadtests("run", path, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "http://192.0.2.1/metrics: 192.0.2.1 is 192.0.2.1, which is not loopback" in done.stderr.replace("\n", " ")
