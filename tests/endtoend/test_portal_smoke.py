"""The main job on a portal that is slower on one route."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.endtoend.harness import ROOT, loadtests, summary, verdict

pytestmark = [pytest.mark.slow, pytest.mark.timed, pytest.mark.long]


def test_one_slow_route_is_named_and_no_other(tmp_path: Path) -> None:
    """250 ms more on one route: FAIL, naming that series and no other."""
    done = loadtests(
        "run",
        ROOT / "scenarios" / "portal" / "smoke.toml",
        "--duration",
        "31s",
        "--out",
        tmp_path / "run",
        timeout_s=180,
        PORTAL_SLOW="GET /api/v1/agents/{agent_id}=250ms",
    )
    assert done.returncode == 3, done.stdout + done.stderr
    failed = [(o["objective"], o["series"]) for o in verdict(tmp_path / "run")["objectives"] if o["status"] == "FAIL"]
    assert failed == [("p95 < 200ms", "GET /api/v1/agents/{agent_id}")]
    figures = summary(tmp_path / "run")
    assert "GET /api/v1/agents/{agent_id}" in figures["sentence"]
    assert figures["series"]["GET /api/v1/agents/{agent_id}"]["response_ms"]["p50"] >= 250
    assert figures["deliveries"]["lost"] == 0
