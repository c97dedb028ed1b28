"""Answers held against the target's own OpenAPI document while the load is on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from loadtests.run import Run
from tests.endtoend.harness import loadtests, server, verdict

pytestmark = pytest.mark.slow

Make = Callable[..., Path]


@pytest.mark.parametrize(("promise", "code", "status"), [("kept", 0, "PASS"), ("broken", 3, "FAIL")])
def test_contract(promise: str, code: int, status: str, scenario: Make, tmp_path: Path) -> None:
    """Every second answer or so is checked, and one that broke its promise fails ``contract == 0``."""
    more = f'[contract]\nopenapi = "/openapi/{promise}"\nsample = 0.5\n'
    with server("hub") as (url, _):
        path = scenario(url, steady="4s", objectives='series = "GET *"\nmust = ["contract == 0"]', more=more)
        done = loadtests("run", path, "--out", tmp_path / "run")
    assert done.returncode == code, done.stdout + done.stderr
    assert [row["status"] for row in verdict(tmp_path / "run")["objectives"]] == [status]
    seconds = [i for by_second in Run(tmp_path / "run").intervals.values() for i in by_second.values()]
    checked, answered = sum(i.checked for i in seconds), sum(i.count for i in seconds)
    assert 0.3 * answered < checked < 0.7 * answered
    kinds = {kind for i in seconds for kind in i.violations}
    assert kinds == (set() if promise == "kept" else {"status 200 as text/plain is not documented"})
    assert sum(sum(i.violations.values()) for i in seconds) == (0 if promise == "kept" else checked)
    assert ("is not documented" in (tmp_path / "run" / "report.html").read_text()) is (promise == "broken")


def test_no_document(scenario: Make, tmp_path: Path) -> None:
    """A contract that is not there is named before any load."""
    with server("hub") as (url, _):
        path = scenario(url, more='[contract]\nopenapi = "/page"\n')
        done = loadtests("run", path, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert f"{url}/page is no OpenAPI document" in done.stderr.replace("\n", " ")
