"""What a calibration's runs show, from runs whose contents are known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadtests.header import PhaseSpan
from loadtests.sample import Outcome
from loadtests.trial import KNOWN, STAIRS, Intent, Trials, null_name
from loadtests.trialcheck import (
    check_floor,
    check_known,
    check_sabotaged,
    check_swarm,
    check_sweep,
    floor_ms,
    headroom,
)
from tests.runs import remember_run, sample, stream
from tests.test_lapse import minute, vitals_row

L_NS = 200_000_000
TRIALS = Trials(Intent(100.0, 100, "constant", L_NS, 0, 0.0))
OBJECTIVES = [(g.must[0], g.series, "pool") for g in TRIALS.known().objectives]


def _name(name):
    return f"GET {null_name(KNOWN[name])}"


def test_floor_is_of_the_percentiles():
    """Of 1,000 requests 1, 2, ... 1,000 us long: the p-th is 10 p us, to a bucket's width."""
    samples = [sample(k / 20, series="GET null", service_ms=(k + 1) / 1000) for k in range(1000)]
    floor = floor_ms(remember_run(samples))
    assert floor["100"] == 1.0
    assert [floor[p] for p in ("50", "90", "95", "99")] == pytest.approx([0.5, 0.9, 0.95, 0.99], rel=0.002)


@pytest.mark.parametrize(
    ("p95", "p99", "ok"), [(20.0, 40.0, True), (20.1, 30.0, False), (10.0, 40.1, False), (float("inf"),) * 2 + (False,)]
)
def test_floor_against_the_limit(p95, p99, ok):
    """A tenth of 200 ms at p95, a fifth at p99."""
    assert check_floor({"50": 1.0, "95": p95, "99": p99, "100": 50.0}, L_NS).ok is ok


def _stairs(samples, **more):
    """Ten stairs of 4 s."""
    spans = tuple(PhaseSpan(f"{k}", "steady", 4.0 * k, 4.0 * k + 4) for k in range(len(STAIRS)))
    return remember_run(samples, phases=spans, **more)


def _step(k, **made):
    """The k-th stair at 50/s."""
    return stream(50, 4, first_s=4 * k, series="GET null", **made)


LATE, FAILING = {"late_ms": 3.0}, {"outcome": Outcome.ERROR}


@pytest.mark.parametrize(
    ("bad", "times", "said"),
    [
        ({}, STAIRS[9], "was not at its end"),
        ({9: LATE}, STAIRS[8], "3.0 ms late"),
        ({4: LATE}, STAIRS[9], "was not at its end"),
        ({4: LATE, 5: FAILING}, STAIRS[3], "3.0 ms late"),
        ({4: LATE, 6: LATE, 7: LATE}, STAIRS[5], "3.0 ms late"),
        ({0: FAILING, 1: LATE}, 0.0, "200 requests failed"),
        ({2: {"outcome": Outcome.UNSENT}, 3: LATE}, STAIRS[1], "only 0 % was sent"),
    ],
)
def test_headroom(bad, times, said):
    """One stair that was not clean is a hiccup, two in a row are the end."""
    run = _stairs([one for k in range(10) for one in _step(k, **bad.get(k, {}))])
    found, stopped = headroom(run, L_NS)
    assert found == times
    assert said in stopped
    assert check_sweep(found, stopped).ok is (times >= 2)


def test_headroom_ends_where_a_core_is_full():
    """95 % of a core from the fifth stair on; rows tell of the second before them."""
    rows = [vitals_row(s + 1.01, cpu_percent=95.0 if s >= 16 else 30.0) for s in range(40)]
    run = _stairs([one for k in range(10) for one in _step(k)], vitals=rows)
    assert headroom(run, L_NS) == (STAIRS[3], f"at {STAIRS[4]:.1f} times a generator process had no room on its core")


def test_headroom_allows_a_longer_limit_more():
    """1 % of 1 s is 10 ms."""
    run = _stairs([one for k in range(10) for one in _step(k, **LATE)])
    assert headroom(run, 1_000_000_000)[0] == STAIRS[9]


def _known(**other):
    """Thirty seconds of answers as they are due, 40 of each path a second; ``other`` says what is not."""
    made = {
        "floor": stream(40, 30, service_ms=1.0, series=_name("floor")),
        "errors": stream(40, 30, series=_name("errors"), service_ms=1.0, odd_every=100, odd={"outcome": Outcome.ERROR}),
        "stall": [
            sample(s, series=_name("stall"), service_ms=1 + max(0.0, 1000 - 1000 * (s % 5)))
            for s in (k / 40 for k in range(1200))
        ],
        **{f"delay {ms} ms": stream(40, 30, series=_name(f"delay {ms} ms"), service_ms=ms + 1) for ms in (5, 20, 100)},
        **{
            f"slow tail, {share} %": [
                sample(
                    k / 200, series=_name(f"slow tail, {share} %"), service_ms=300.0 if k * share % 100 < share else 1
                )
                for k in range(6000)
            ]
            for share in (3, 6)
        },
    }
    samples = [one for samples in {**made, **other}.values() for one in samples]
    return remember_run(samples, OBJECTIVES, phases=(PhaseSpan("steady", "steady", 0, 30),))


def _broken(run):
    return [(check.name, check.title) for check in check_known(run) if not check.ok]


def test_known_values_that_are_told_as_they_are():
    """Nothing to complain of, and every kind of check is there."""
    run = _known()
    assert _broken(run) == []
    assert [check.name for check in check_known(run)] == ["C3", "C3", "C3", "C4", "C5", "C6", "C6"]


@pytest.mark.parametrize(
    ("name", "made", "check"),
    [
        ("delay 5 ms", {"service_ms": 7.1}, "C3"),
        ("delay 5 ms", {"service_ms": 4.9}, "C3"),
        ("delay 100 ms", {"service_ms": 103.2}, "C3"),
        ("delay 100 ms", {"outcome": Outcome.ERROR}, "C3"),
        ("stall", {"service_ms": 1.0}, "C4"),
        ("errors", {"odd_every": 101, "odd": {"outcome": Outcome.ERROR}}, "C5"),
        ("errors", {}, "C5"),
        ("slow tail, 6 %", {"service_ms": 1.0}, "C6"),
        ("slow tail, 3 %", {"service_ms": 300.0}, "C6"),
    ],
)
def test_known_values_that_are_not(name, made, check):
    """Each is found by its own check, and by no other."""
    broken = _broken(_known(**{name: stream(40, 30, series=_name(name), **made)}))
    assert [found for found, _ in broken] == [check]


def test_delays_are_told_from_the_floor():
    """A floor of 3 ms under a median of 5 leaves 2, which is not 5."""
    broken = _broken(_known(floor=stream(40, 30, service_ms=3.0, series=_name("floor"))))
    assert ("C3", "A delay of 5 ms is told") in broken


@pytest.mark.parametrize(
    ("alone", "beside", "ok"), [(0.4, 1.0, True), (0.4, 1.1, False), (2.0, 4.0, True), (2.0, 4.1, False)]
)
def test_the_swarm_leaves_the_requests_alone(alone, beside, ok):
    """Twice the floor, or a millisecond."""
    assert check_swarm({"95": alone}, {"95": beside}).ok is ok


def test_sabotage():
    """Loops that stood still for 300 ms in every second second: INVALID; unnoticed, the same times are a FAIL."""
    late = {f"s{s}": {"loop_worst_ms": 300.0, "loop_worst_at_s": s + 0.5, "late_probes": 30} for s in range(0, 60, 2)}
    slow = [sample(k / 20, service_ms=300.0 if k % 40 < 6 else 10.0) for k in range(1200)]
    run = remember_run(slow, ["p95 < 100ms"], vitals=minute(**late))
    assert check_sabotaged(run).ok
    blind = check_sabotaged(remember_run(slow, ["p95 < 100ms"], vitals=minute()))
    assert (blind.ok, blind.value) == (False, "FAIL: nobody noticed")


def test_an_intent_is_the_plan_at_its_peak():
    """Rate times the steepest phase, the tightest latency limit, every connection and all that they publish."""
    known = TRIALS.known()
    scenario = replace_load(known, phases=[{"kind": "steady", "duration": "9s", "rate_from": 3, "rate": 0.5}])
    intent = Intent.of(scenario)
    assert (intent.rate_per_s, intent.limit_ns, intent.connections) == (3 * known.load.rate, L_NS, 0)
    assert Intent.of(scenario, 77.0).rate_per_s == 77.0
    closed = replace_load(known, load={"model": "closed", "users": 40})
    assert Intent.of(closed).rate_per_s == 40
    swarm = {"members": [{"class": "a:B", "count": 3}, {"class": "a:C", "count": 2, "rate": "5/s"}]}
    intent = Intent.of(replace_load(known, swarm=swarm))
    assert (intent.connections, intent.publishes_per_s) == (5, 10)


def replace_load(scenario, **tables):
    """A scenario with other tables."""
    whole = scenario.model_dump(exclude={"folder", "users", "secrets"})
    users = [{"class": "a:B"}]
    whole["phases"] = [{k: v for k, v in phase.items() if v is not None} for phase in whole["phases"]]
    return type(scenario).model_validate({**whole, "users": users, **tables})


def test_the_runs_of_a_calibration():
    """What is planned, so that no run of it is longer or steeper than it says; a swarm only where one is planned."""
    intent = replace(TRIALS.intent, rate_per_s=80.0, connections=60, publishes_per_s=12.0)
    trials = Trials(intent)
    assert trials.floor().load.rate == 80.0
    assert [phase.rate for phase in trials.sweep().phases[1:]] == list(STAIRS)
    swarm = trials.beside_a_swarm("http://127.0.0.1:1").swarm
    assert [(member.count, member.rate) for member in swarm.members] == [(60, None), (1, 12.0)]
    assert trials.whole_s - TRIALS.whole_s == trials.seconds + 3
    assert all(scenario.target.embedded for scenario in (trials.floor(), trials.known(), trials.sabotaged()))
