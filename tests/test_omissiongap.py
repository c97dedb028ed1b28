"""The omission gap as an objective: how much later than due requests left."""

import pytest

from loadtests.judge import judge
from loadtests.objective import Kind, parse_objective
from loadtests.sample import Outcome
from loadtests.verdict import Status
from tests.runs import remember_run, stream
from tests.test_lapse import minute

GAP = "omission_gap p95 < 5ms"


@pytest.mark.parametrize("text", ["omission_gap p99 < 5ms", "omission_gap   P99<5ms", " Omission_Gap p99 <= 5 ms "])
def test_parsed(text):
    """As a latency line is, after its first word; response times have no part in it."""
    line = parse_objective(text)
    assert (line.kind, line.metric, line.limit, line.budget) == (Kind.GAP, "omission_gap p99", 5_000_000, 0.01)
    assert line.limit_ns is None


# 1,200 requests in 60 s; every 50th late is 2 %, every 10th is 10 %; 5 % may be.
RUNS = {
    "all on time": (stream(), "PASS"),
    "2 % late by 6 ms": (stream(odd_every=50, odd={"late_ms": 6}), "PASS"),
    "10 % late by 6 ms": (stream(odd_every=10, odd={"late_ms": 6}), "FAIL"),
    "10 % late by 4 ms": (stream(odd_every=10, odd={"late_ms": 4}), "PASS"),
    "10 % never left": (stream(odd_every=10, odd={"outcome": Outcome.DROPPED}), "FAIL"),
    "10 % failed, all on time": (stream(odd_every=10, odd={"outcome": Outcome.ERROR}), "PASS"),
    "all slow, all on time": (stream(service_ms=900), "PASS"),
}


@pytest.mark.parametrize("name", RUNS)
def test_judged(name):
    """By lateness alone: neither a slow nor a failing target has a gap."""
    samples, status = RUNS[name]
    (verdict,) = judge(remember_run(samples, [GAP])).verdicts
    assert verdict.status.value == status


def test_reason():
    """What was seen, against what, and how sure that is."""
    (verdict,) = judge(remember_run(stream(odd_every=10, odd={"late_ms": 6}), [GAP])).verdicts
    assert verdict.reason.startswith("omission_gap p95 was 6 ms against a limit of 5 ms; between ")
    assert verdict.reason.endswith("left later or never, 5 % may")
    assert (verdict.kind, verdict.unit, verdict.observed) == ("gap", "ns", pytest.approx(6e6, rel=0.001))
    (never,) = judge(remember_run(RUNS["10 % never left"][0], [GAP])).verdicts
    assert never.observed is None
    assert never.reason.startswith("omission_gap p95 was beyond those that ever left against a limit of 5 ms")


def test_the_generators_own_fault_is_what_it_asks_for():
    """A late generator FAILs it: neither its lateness nor its lapses make it INVALID."""
    rows = minute(**{f"s{s}": {"loop_worst_ms": 300.0, "loop_worst_at_s": s + 0.5} for s in range(60)})
    run = remember_run(stream(late_ms=200), [GAP], vitals=rows)
    assert [verdict.status for verdict in judge(run).verdicts] == [Status.FAIL]


def test_nothing_to_judge():
    """A glob that matches nothing never passes."""
    assert judge(remember_run(stream(), [(GAP, "POST *", "pool")])).status is Status.INCONCLUSIVE
