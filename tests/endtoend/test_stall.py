"""A server that stands still for a second in every five, against the closed form of what its users felt.

With arrivals at rate r, service s, and one stall of S in every T, a single server that answers in order makes
P(response > x) = (S - x) / ((1 - r s) T) for x < S, so the p-quantile is S - (1 - p) T (1 - r s). With s = 50 us and
r = 500/s, r s is 0.025; the client's own time per request adds to s while the backlog drains.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.endtoend.harness import ROOT, loadtests, server, summary

pytestmark = [pytest.mark.slow, pytest.mark.timed]

STALL_S, EVERY_S, RATE = 1.0, 5.0, 500
BUSY = RATE * 50e-6
TRUTH_MS = {p: 1000 * (STALL_S - (1 - p / 100) * EVERY_S * (1 - BUSY)) for p in (90.0, 99.0, 99.9, 100.0)}
TOLERANCE = {90.0: 0.10, 99.0: 0.03, 99.9: 0.03, 100.0: 0.03}
TIGHT = {90.0: 0.03, 99.0: 0.01, 99.9: 0.01, 100.0: 0.01}
"""On a machine that has nothing else to do."""


def measure(out: Path, package: Path = ROOT, seconds: int = 20, driver: str = "users") -> dict[str, Any]:
    """Run the one-line command against the stalling server."""
    with server("stall", str(STALL_S), str(EVERY_S)) as (url, _):
        loadtests(
            *("run", "--url", f"{url}/", "--rate", f"{RATE}/s", "--users", "100", "--driver", driver),
            *("--duration", f"{seconds}s", "--warm-up", "2s", "--out", out),
            package=package,
        )
    return summary(out)


def check(figures: dict[str, Any], seconds: int = 20, tolerance: Mapping[float, float] = TOLERANCE) -> None:
    """What a harness that sees the stall must report."""
    series = figures["series"]["GET /"]
    assert series["count"] == RATE * seconds
    for percentile, truth in TRUTH_MS.items():
        key = "max" if percentile == 100.0 else f"p{percentile:g}"
        assert series["response_ms"][key] == pytest.approx(truth, rel=tolerance[percentile]), key


def test_stall_is_seen_as_its_users_felt_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """p90 within 10 %, p99, p99.9 and max within 3 % of the closed form; Locust's own figures beside it."""
    figures = measure(tmp_path / "run")
    ours, service = figures["series"]["GET /"]["response_ms"], figures["series"]["GET /"]["service_ms"]
    (locust,) = figures["locust_says"].values()
    with capsys.disabled():
        print("\n  stall 1 s in 5 s, 500/s     truth     ours  service   Locust's own")
        for percentile, truth in TRUTH_MS.items():
            key = "max" if percentile == 100.0 else f"p{percentile:g}"
            print(f"    {key:>6} ms {truth:20.0f} {ours[key]:8.0f} {service[key]:8.0f} {locust['GET /'][key]:10.0f}")
    check(figures)
    assert service["p90"] < 100, "the send-based time must be blind to the stall, or this test shows nothing"
    assert locust["GET /"]["p90"] < 100


@pytest.mark.long
@pytest.mark.parametrize("driver", ["users", "members"])
def test_tight(tmp_path: Path, driver: str) -> None:
    """p90 within 3 %, p99, p99.9 and max within 1 %."""
    check(measure(tmp_path / "run", driver=driver), tolerance=TIGHT)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "line", "mutated"),
    [
        (
            "now + interval",
            "yield from (chunk + t0_ns).tolist()",
            "import time; yield from (time.monotonic_ns() + 2_000_000 for _ in chunk)",
        ),
        (
            "clock starts when a user takes it",
            "        self._intended_ns = intended\n",
            "        self._intended_ns = time.monotonic_ns()\n",
        ),
    ],
)
def test_a_schedule_that_is_re_based_fails(tmp_path: Path, name: str, line: str, mutated: str) -> None:
    """Each mutation that re-bases the schedule breaks the check above: it can see coordinated omission."""
    package = tmp_path / "mutant"
    for folder in ("loadtests", "reports"):
        shutil.copytree(ROOT / folder, package / folder)
    sources = [path for path in (package / "loadtests").glob("*.py") if line in path.read_text()]
    assert len(sources) == 1, f"the line that {name} replaces has moved"
    sources[0].write_text(sources[0].read_text().replace(line, mutated))
    with pytest.raises(AssertionError):
        check(measure(tmp_path / "run", package, 10), 10)
