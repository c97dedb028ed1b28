"""The figures for machines: their shape as documented, their values by sorting."""

import json
import math
import re
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests import summary
from loadtests.earlystop import Stop
from loadtests.faults import Affected, Faults
from loadtests.header import PhaseSpan
from loadtests.judge import judge
from loadtests.sample import Outcome
from loadtests.steadystate import settled_seconds
from loadtests.summary import PERCENTILES, summarise
from loadtests.swarmaccount import SwarmAccount
from tests.runs import remember_run, sample, stream, write_run

LINES = ["p95 < 200ms"]
LOCUST = {"local": {"GET /a": {"count": 1200}}}


def _summary(run, locust=None):
    return summarise(run, judge(run), locust)


EVERYTHING = [
    *stream(odd_every=10, odd={"outcome": Outcome.ERROR}),
    *(sample(t, outcome=o) for t, o in enumerate(Outcome)),
    *stream(2, 15, series="POST /a"),
]


def test_shape():
    """The keys are exactly those that the module documents."""
    stop = asdict(Stop(30, "p95 < 200ms", "GET /a", 100, 50, 1.0, 9.0))
    run = remember_run(EVERYTHING, LINES, deliveries={"expected": 0}, state="stopped", stopped=stop)
    run.intervals["GET /a"][0].add_checked("x")
    run.swarm = SwarmAccount(subscribers=Affected(2, [Faults("7", 3, 10, 2, 4, 5, 6, 8)], lost=1, duplicated=2))
    found = _summary(run, LOCUST)
    series, contract = found["series"]["GET /a"], found["contract"]["GET /a"]
    checks = [*contract, *(key for breach in contract["breaches"] for key in breach)]
    written = [
        *found,
        *found["settled"],
        *series,
        *found["swarm"],
        *found["swarm"]["connected"],
        *(key for faults in found["swarm"]["subscribers"]["worst"] for key in faults),
        *found["swarm"]["subscribers"],
        *checks,
        *(key for name in series if name.endswith("_ms") for key in series[name]),
    ]
    documented = re.findall(r'"([\w.]+)"', summary.__doc__)
    assert sorted(set(written)) == sorted(set(documented))
    seven = {
        "of": "7",
        "lost": 3,
        "due": 10,
        "late": 2,
        "duplicated": 4,
        "reordered": 5,
        "displacement": 6,
        "foreign": 8,
    }
    had = {"lost": 1, "late": 0, "duplicated": 2, "reordered": 0, "foreign": 0}
    assert found["swarm"]["subscribers"] == {"n": 2, "worst": [seven], **had}
    assert found["swarm"]["streams"] == {"n": 0, "worst": [], **dict.fromkeys(had, 0)}
    assert [key for key in dict.fromkeys(documented) if key in found] == list(found)
    assert [key for key in dict.fromkeys(documented) if key in series] == list(series)


def test_without_swarm_and_users():
    """What a run does not have is left out, not empty."""
    found = _summary(remember_run(EVERYTHING, LINES))
    assert not {"deliveries", "swarm", "locust_says", "contract"} & set(found)


def test_counts():
    """Every outcome is counted under its name, and they add up."""
    row = _summary(remember_run(EVERYTHING, LINES))["series"]["GET /a"]
    assert (row["count"], row["ok"], row["errors"], row["timeouts"]) == (1206, 1081, 122, 1)
    assert (row["dropped"], row["unsent"], row["lost"]) == (1, 1, 1)
    assert row["error_kinds"] == {"http 503": 121}
    assert row["ok"] + row["errors"] + row["dropped"] + row["unsent"] + row["lost"] == row["count"]
    run = remember_run(EVERYTHING, LINES)
    ended = [run.intervals["GET /a"][t].completed for t in settled_seconds(run)]
    assert row["throughput_per_s"] == pytest.approx(sum(ended) / len(ended), abs=0.0005)


def test_of_the_run():
    """Header and verdict are repeated as they are."""
    run = remember_run(stream(), LINES, state="partial", partial="interrupted at 60 s", planned=1300)
    found = _summary(run)
    assert (found["verdict"], found["exit_code"], found["partial"]) == ("INCONCLUSIVE", 4, "interrupted at 60 s")
    assert (found["name"], found["steady_s"], found["planned"]) == ("shop", 60, 1300)
    assert found["sentence"] == judge(run).sentence
    assert found["objectives"] == [verdict.to_json() for verdict in judge(run).verdicts]


def test_only_the_steady_state():
    """Warm-up and cool-down are in no figure, and a series that occurs there alone is not listed."""
    phases = (PhaseSpan("warm-up", "warm-up", 0, 15), PhaseSpan("steady", "steady", 15, 50))
    series = _summary(remember_run(EVERYTHING, LINES, phases=phases))["series"]
    assert (list(series), series["GET /a"]["count"]) == (["GET /a"], 35 * 20)


@settings(max_examples=60)
@given(times_us=st.lists(st.integers(1, 59_000_000), min_size=1, max_size=60), late_us=st.integers(0, 5000))
def test_percentiles(times_us, late_us):
    """A percentile is the sorted list's value of rank ceil(p n), at most one bucket (1/1024 of it, 1 us) above."""
    samples = [sample(k * 0.5, service_ms=us / 1000, late_ms=late_us / 1000) for k, us in enumerate(times_us)]
    row = _summary(remember_run(samples))["series"]["GET /a"]
    for name, times in (("service_ms", times_us), ("response_ms", [us + late_us for us in times_us])):
        ordered = sorted(times)
        for p in PERCENTILES:
            exact_us = ordered[math.ceil(round(p * len(ordered) / 100, 9)) - 1]
            assert exact_us <= round(row[name][f"p{p:g}"] * 1000, 3) <= exact_us * (1 + 1 / 1024) + 1
        assert row[name]["max"] * 1000 == pytest.approx(ordered[-1], rel=1e-12)


def test_failures_have_times_of_their_own():
    """A failed request's time is no success's; of nothing there are nulls."""
    samples = [sample(1, service_ms=5), sample(2, service_ms=700, outcome=Outcome.ERROR)]
    row = _summary(remember_run([*samples, sample(3, series="GET /b", outcome=Outcome.DROPPED)]))["series"]
    assert (row["GET /a"]["response_ms"]["max"], row["GET /a"]["failed_response_ms"]["max"]) == (5.0, 700.0)
    assert set(row["GET /b"]["response_ms"].values()) == {None}
    assert set(row["GET /b"]["lateness_ms"].values()) == {None}


def test_the_same_from_disk(tmp_path):
    """A run read back has the same figures, in strict JSON."""
    stored = _summary(write_run(tmp_path / "run", EVERYTHING, LINES), LOCUST)
    assert stored == _summary(remember_run(EVERYTHING, LINES), LOCUST)
    assert json.loads(json.dumps(stored, allow_nan=False)) == stored
