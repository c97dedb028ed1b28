"""Answers held against the target's own OpenAPI document while the load is on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from loadtests.run import Run
from tests.endtoend.harness import loadtests, server, summary, verdict

pytestmark = pytest.mark.slow

Make = Callable[..., Path]


def _schema(folder: Path, kinds: list[str]) -> None:
    """A message schema beside the scenario that promises these kinds of frames."""
    schema = {"type": "object", "properties": {"type": {"enum": kinds}}}
    (folder / "messages.json").write_text(json.dumps(schema))


CONTRACT = """[contract]
openapi = "/openapi/PROMISE"
messages = "messages.json"
sample = 0.5
unloaded = "1s"
"""


def test_kept(scenario: Make, tmp_path: Path) -> None:
    """Every second answer and frame or so is checked, before the load every one, and the run passes."""
    objectives = 'must = ["contract == 0"]'
    with server("hub") as (url, _):
        more = CONTRACT.replace("PROMISE", "kept")
        path = scenario(url, member="Listener", steady="4s", objectives=objectives, more=more)
        _schema(path.parent, ["subscribed", "published", "event"])
        done = loadtests("run", path, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    seconds = [i for by_second in Run(tmp_path / "run").intervals.values() for i in by_second.values()]
    requests = [i for i in seconds if i.series.startswith("GET")]
    checked, answered = sum(i.checked for i in requests), sum(i.count for i in requests)
    assert 0.3 * answered < checked < 0.7 * answered
    found = summary(tmp_path / "run")
    assert found["accounting"]["requests_begun"] == answered  # none of those before the load
    assert found["contract"].keys() == {"GET /page", "GET /items/{id}", "ws deliver"}
    assert all(row["checked"] and not row["breaches"] for row in found["contract"].values())
    assert [bool(found["contract"][name]["checked_unloaded"]) for name in ("GET /page", "ws deliver")] == [True, False]


def test_broken(scenario: Make, tmp_path: Path) -> None:
    """What breaks its promise fails the run, and it is told whether that takes load: 20/s of 100 ms are a crowd."""
    objectives = 'series = "GET *"\nscope = "each"\nmust = ["contract == 0"]'
    with server("hub") as (url, _):
        more = CONTRACT.replace("PROMISE", "broken")
        path = scenario(url, user="Crowd", member="Listener", steady="4s", objectives=objectives, more=more)
        _schema(path.parent, ["subscribed", "published"])
        done = loadtests("run", path, "--out", tmp_path / "run")
    assert done.returncode == 3, done.stdout + done.stderr
    assert [row["status"] for row in verdict(tmp_path / "run")["objectives"]] == ["FAIL", "FAIL"]
    found = summary(tmp_path / "run")["contract"]
    said = {(name, row["kind"], row["when"]) for name, one in found.items() for row in one["breaches"]}
    assert said == {
        ("GET /page", "status 200 as text/plain is not documented", "unloaded as well"),
        ("GET /crowded", "status 200 as text/html is not documented", "only under load"),
        ("ws deliver", 'frame at type: the value is not one of "subscribed" or "published"', "not tried unloaded"),
    }
    (always,) = found["GET /page"]["breaches"]
    assert always["broken"] == found["GET /page"]["checked"]
    assert always["broken_unloaded"] == found["GET /page"]["checked_unloaded"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert f"only under load (0 of {found['GET /crowded']['checked_unloaded']})" in page


def test_no_document(scenario: Make, tmp_path: Path) -> None:
    """A contract that is not there is named before any load."""
    with server("hub") as (url, _):
        path = scenario(url, more='[contract]\nopenapi = "/page"\n')
        done = loadtests("run", path, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert f"{url}/page is no OpenAPI document" in done.stderr.replace("\n", " ")
