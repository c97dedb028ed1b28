"""Times that another machine's clock began: judged only as far as the clocks are known to agree."""

from dataclasses import replace

import pytest

from loadtests.clockcheck import check_clocks, clocked, uncertainty_ns
from loadtests.objective import parse_objective
from loadtests.run import Run
from loadtests.runwriter import RunWriter
from loadtests.verdict import Status, Verdict
from tests.reports.synthetic import header

ACCOUNT = {"closes": {}, "fairness": {}, "slow": {}}


def run_of(folder, target="http://203.0.113.7:80", stamped=10, **clock):
    """A run on a target, with so many deliveries that bore its stamps and what is known of its clock."""
    final = replace(header(), target=target)
    writer = RunWriter(folder, final)
    writer.swarm(ACCOUNT | {"stamped": stamped, "clock": clock})
    writer.close(final)
    return Run(folder)


def judged(run, line, series="ws deliver", status=Status.PASS):
    """The status of an objective that was ``status`` before its clocks were looked at."""
    objective = parse_objective(line, series=series)
    verdict = Verdict(line, series, status, "because", objective.kind.value, "ns", objective.limit)
    return clocked(run, objective, verdict).status


@pytest.mark.parametrize("status", [Status.PASS, Status.FAIL, Status.INCONCLUSIVE])
def test_five_percent_of_the_limit(tmp_path, status):
    """10 ms of uncertainty are 5 % of 200 ms: that may be judged, 199 ms may not; passed or failed."""
    run = run_of(tmp_path, uncertainty_us=10_000.0, offset_ms=500.0, drift_ppm=50.0)
    assert judged(run, "p95 < 200ms", status=status) is status
    assert judged(run, "p95 < 199ms", status=status) is Status.INVALID
    assert judged(run, "deliver.last p95 < 199ms", series="ws deliver last", status=status) is Status.INVALID
    (check,) = check_clocks(run)
    assert check.ok
    assert "500.000 ms apart, known to 10 ms, drifting 50.0 ppm" in check.value
    (check,) = check_clocks(run_of(tmp_path / "short", uncertainty_us=10_000.0, offset_ms=500.0))
    assert check.value.endswith("500.000 ms apart, known to 10 ms")


def test_what_is_counted_stands(tmp_path):
    """Losses need no clock, nor do requests, which are timed by ours alone."""
    run = run_of(tmp_path)
    for line in ("lost == 0", "delivered >= 99%", "errors < 1%"):
        assert judged(run, line) is Status.PASS
    assert judged(run, "p95 < 1ms", series="GET /x") is Status.PASS
    assert judged(run, "p95 < 1ms", series="ws connect") is Status.PASS


def test_unknown(tmp_path):
    """Another machine's stamps, and nobody asked its clock: no limit is long enough."""
    assert judged(run_of(tmp_path / "a"), "p95 < 1h") is Status.INVALID
    assert judged(run_of(tmp_path / "b", stamped=0), "p95 < 1ms") is Status.PASS  # our own stamps came back
    assert judged(run_of(tmp_path / "c", target="http://127.0.0.1:80"), "p95 < 1ms") is Status.PASS
    assert uncertainty_ns(run_of(tmp_path / "d", target="http://localhost:80")) == 0
