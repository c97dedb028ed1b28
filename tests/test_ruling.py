"""Objectives against runs whose right verdict is known."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests import bracket as rule_of_two
from loadtests import ruling
from loadtests.duration import format_fraction
from loadtests.evidence import Side
from loadtests.header import PhaseSpan
from loadtests.health import check_run, slip_is_material
from loadtests.histogram import Histogram
from loadtests.interval import Interval
from loadtests.sample import Outcome
from loadtests.steadystate import settled_seconds
from loadtests.verdict import Status
from tests.oracles import slow_gate, slow_mean
from tests.runs import MS, parsed, remember_run, sample, stream, write_run

P95 = "p95 < 200ms"
EVERY_20TH, EVERY_5TH = 20, 5
DROPPED = {"outcome": Outcome.DROPPED}


def _rule(run, line, series="*", scope="pool"):
    return list(ruling.rule(run, *parsed([(line, series, scope)])))


def _one(run, line, series="*", scope="pool"):
    (verdict,) = _rule(run, line, series, scope)
    return verdict


# 1,200 requests in 60 s against p95 < 200 ms. 5 % is the budget itself: no bounds decide it. Lateness is material above
# 2 ms at p99 (1 % of 200 ms) or 10 ms at most (5 %). Read: what happened, the upper reading, the lower, the verdict.
BRACKET = {
    "quick and on time: holds either way": (stream(), "PASS", "PASS", "PASS"),
    "every 5th slow in itself: fails either way": (
        *(stream(odd_every=EVERY_5TH, odd={"service_ms": 300}), "FAIL", "FAIL", "FAIL"),
    ),
    "late by 50 ms, still in time: what it does not change does not matter": (
        *(stream(late_ms=50), "PASS", "PASS", "PASS"),
    ),
    "slow in itself and late as well: lateness does not excuse it": (
        *(stream(service_ms=250, late_ms=50), "FAIL", "FAIL", "FAIL"),
    ),
    "every 5th bad by lateness alone: the generator's fault": (
        *(stream(odd_every=EVERY_5TH, odd={"late_ms": 300}), "FAIL", "PASS", "INVALID"),
    ),
    "every 20th bad by lateness alone: that leaves it open, by the generator's fault": (
        *(stream(odd_every=EVERY_20TH, odd={"late_ms": 300}), "INCONCLUSIVE", "PASS", "INVALID"),
    ),
    "every 20th slow, every 5th late: open by itself, failed by lateness": (
        [
            *stream(19, odd_every=5, odd={"late_ms": 300}),
            *stream(1, first_s=0.01, service_ms=300),
        ],
        *("FAIL", "INCONCLUSIVE", "INVALID"),
    ),
    "199 ms, and 1.9 ms late, which anyone would be: nobody's fault": (
        *(stream(service_ms=199, late_ms=1.9), "FAIL", "PASS", "INCONCLUSIVE"),
    ),
    "every 20th over the limit by such a hair": (
        stream(late_ms=1.9, odd_every=EVERY_20TH, odd={"service_ms": 199}),
        *("INCONCLUSIVE", "PASS", "INCONCLUSIVE"),
    ),
    "every 5th dropped, the rest on time: would they have been slow?": (
        *(stream(odd_every=EVERY_5TH, odd=DROPPED), "FAIL", "PASS", "INCONCLUSIVE"),
    ),
    "every 20th slow: not enough evidence either way": (
        stream(odd_every=EVERY_20TH, odd={"service_ms": 300}),
        *("INCONCLUSIVE", "INCONCLUSIVE", "INCONCLUSIVE"),
    ),
    "the same, and all late by 11 ms: material, but it decides nothing": (
        stream(late_ms=11, odd_every=EVERY_20TH, odd={"service_ms": 300}),
        *("INCONCLUSIVE", "INCONCLUSIVE", "INCONCLUSIVE"),
    ),
}


def _statuses():
    return [_one(remember_run(samples, [P95]), P95).status.value for samples, *_ in BRACKET.values()]


@pytest.mark.parametrize("name", BRACKET)
def test_bracket(name, monkeypatch):
    """PASS by the upper reading, FAIL by the lower, else INVALID if requests left late, else INCONCLUSIVE."""
    samples, upper, lower, status = BRACKET[name]
    found, gate = [], rule_of_two.gate
    monkeypatch.setattr(rule_of_two, "gate", lambda *a, **k: found.append(gate(*a, **k)) or found[-1])
    assert _one(remember_run(samples, [P95]), P95).status.value == status
    assert [result.status.value for result in found] == [upper, lower]


def _swapped(bracket):
    return lambda upper, lower, *more, **named: bracket(lower, upper, *more, **named)


def _without_drops(bracket):
    def ignoring(upper, lower, *more, **named):
        never = upper.counts - lower.counts
        kept = Side(lower.counts, upper.bad - never, upper.failed - never, upper.histograms)
        return bracket(kept, lower, *more, **named)

    return ignoring


MUTATIONS = {
    "the sides are swapped": ("bracket", _swapped(ruling.bracket)),
    "dropped requests are ignored": ("bracket", _without_drops(ruling.bracket)),
    "slip is always material": ("slip_is_material", lambda *_: True),
    "slip is never material": ("slip_is_material", lambda *_: False),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_bracket_can_tell(name, monkeypatch):
    """A rule that gets one thing wrong gets a row of the table wrong."""
    expected = [row[3] for row in BRACKET.values()]
    assert _statuses() == expected
    monkeypatch.setattr(ruling, *MUTATIONS[name])
    assert _statuses() != expected


@pytest.mark.parametrize(
    ("late_ms", "limit_ms", "expected"),
    [
        ([1.9] * 100, 100, False),  # p99 within 2 ms, which is what a loop's timers take
        ([2.1] * 100, 100, True),
        ([9.9] * 100, 1000, False),  # 1 % of a second is 10 ms
        ([10.1] * 100, 1000, True),
        ([0.1] * 999 + [49], 1000, False),  # one at most 5 % of the limit late
        ([0.1] * 999 + [51], 1000, True),
        ([0.1] * 999 + [9], None, False),  # without a limit, as for 200 ms
        ([0.1] * 999 + [11], None, True),
        ([], 100, False),
    ],
)
def test_slip_is_material(late_ms, limit_ms, expected):
    """Lateness matters above max(2 ms, 1 % of the limit) at p99, or above 5 % of the limit at most."""
    samples = [sample(k / 100, late_ms=ms) for k, ms in enumerate(late_ms)] or [sample(1, outcome=Outcome.DROPPED)]
    evidence = ruling.Evidence(remember_run(samples), ["GET /a"])
    assert slip_is_material(evidence, limit_ms and limit_ms * MS) is expected


LINES = st.sampled_from([P95, "p50 < 1h", "p99.9 < 1ms", "errors < 99%", "lost < 50%", "throughput > 0.001/s"])
COUNT_LINES = st.sampled_from([f"{what} == 0" for what in ("lost", "duplicated", "reordered", "dropped", "errors")])
SCOPES = st.sampled_from(["each", "pool"])
NAMES = st.sampled_from(["GET /a", "POST /a", "ws deliver", "task Buyer", "arrival Buyer", "GET /[x]"])


@settings(max_examples=100)
@given(
    line=LINES | COUNT_LINES,
    scope=SCOPES,
    names=st.sets(NAMES),
    glob=NAMES | st.sampled_from(["PUT *", "", "task *", "arrival *"]),
)
def test_what_matches_no_series_never_passes(line, scope, names, glob):
    """An objective on series that do not exist is INCONCLUSIVE and says so; the harness's own notes are no series."""
    run = remember_run([sample(at, series=name) for name in sorted(names - {glob}) for at in (1, 30, 59)])
    verdict = _one(run, line, glob, scope)
    assert verdict.status is Status.INCONCLUSIVE
    assert verdict.reason == f'no series matches "{glob}", so nothing can be said'


@settings(max_examples=60)
@given(
    line=LINES,
    scope=SCOPES,
    name=st.sampled_from(["GET /a", "ws deliver"]),
    before=st.lists(st.integers(-5, -1) | st.integers(60, 70), min_size=1, max_size=5),
    stray=st.booleans(),
)
def test_what_has_no_data_never_passes(line, scope, name, before, stray):
    """A series with requests in the warm-up and the cool-down alone cannot pass, whatever was dropped meanwhile."""
    samples = [sample(at, series=name, service_ms=0.001) for at in before]
    samples += [sample(7, series="arrival Buyer", outcome=Outcome.DROPPED)] if stray else []
    samples += stream(1, 60, series="PUT /elsewhere")
    for verdict in _rule(remember_run(samples, [line]), line, name, scope):
        assert verdict.status in (Status.INCONCLUSIVE, Status.FAIL)
        assert verdict.status is Status.INCONCLUSIVE or line == "throughput > 0.001/s"


def test_each_and_pool():
    """``each`` judges every matching series by itself, ``pool`` their requests together under the glob's name."""
    slow = stream(2, 60, series="POST /b", service_ms=300)
    run = remember_run([*stream(20, 60, series="GET /a"), *slow, *stream(5, 60, series="ws deliver")], [P95])
    each = _rule(run, P95, "* /*", "each")
    assert [(v.series, v.status.value, v.n) for v in each] == [("GET /a", "PASS", 1200), ("POST /b", "FAIL", 120)]
    pool = _one(run, P95, "* /*")
    assert (pool.series, pool.n, pool.bad, pool.notes[0]) == ("* /*", 1320, 120, "2 series together")


@pytest.mark.parametrize(
    ("glob", "names"),
    [
        ("GET /items/[id]", ["GET /items/[id]"]),  # brackets are themselves
        ("GET /items/?", ["GET /items/7"]),
        ("GET *", ["GET /items/7", "GET /items/[id]"]),
        ("* /items*", ["GET /items/7", "GET /items/[id]", "POST /items"]),
        ("*", ["GET /items/7", "GET /items/[id]", "POST /items", "ws deliver"]),
    ],
)
def test_globs(glob, names):
    """A glob binds the series that it names, and never the notes on arrivals and tasks."""
    everything = ["GET /items/7", "GET /items/[id]", "POST /items", "arrival Buyer", "task Buyer", "ws deliver"]
    run = remember_run([s for name in everything for s in stream(1, 60, series=name)])
    assert [v.series for v in _rule(run, "errors < 1%", glob, "each")] == names


@pytest.mark.parametrize("line", [P95, "errors < 1%"])
@pytest.mark.parametrize("scope", ["each", "pool"])
def test_stray_arrivals(line, scope):
    """An arrival dropped before it had a series counts against every HTTP objective and against no other."""
    samples = [s for name in ("GET /a", "GET /b", "ws deliver") for s in stream(10, 60, series=name)]
    lost = stream(4, 60, first_s=0.01, series="arrival Buyer", outcome=Outcome.DROPPED)
    without, run = remember_run(samples, [line]), remember_run([*samples, *lost], [line])
    for before, after in zip(_rule(without, line, "GET *", scope), _rule(run, line, "GET *", scope), strict=True):
        assert (before.status, before.bad) == (Status.PASS, 0)
        assert (after.status, after.bad, after.n - before.n) == (Status.INCONCLUSIVE, 240, 240)
        assert "(and with 240 that never left) it fails, from when they left it holds" in after.reason
    assert _rule(without, line, "ws *", scope) == _rule(run, line, "ws *", scope)


@pytest.mark.parametrize("known", [[], [P95], ["p95 < 100ms"]])
def test_a_limit_judged_later_gives_the_same_verdict(known, tmp_path):
    """Away from the limit it makes no difference whether the limit was known when the run was made."""
    samples = stream(odd_every=10, odd={"service_ms": 250})
    verdict = _one(write_run(tmp_path / "run", samples, known=known), P95)
    assert (verdict.status, verdict.bad, verdict.bad_fraction) == (Status.FAIL, 120, 0.1)


def test_timeouts_of_a_queue_need_more_evidence():
    """Two errors apart pass 0.1 % of 7 200; once one is a time-out, and slow ones crowd together, so may time-outs."""
    moments = [(t, k) for t in range(60) for k in range(120)]
    times_ms = {(t, k): 2000 + 100 * t + 10 * k if t < 30 and k < 3 else 10 for t, k in moments}  # slowest near 29 s
    times_ms |= {(10, 60): None, (40, 60): None}
    samples = [
        sample(t + k / 120, service_ms=ms or 10, outcome=Outcome.OK if ms else Outcome.ERROR)
        for (t, k), ms in times_ms.items()
    ]
    assert _one(remember_run(samples), "errors < 0.1%").status is Status.PASS
    samples[10 * 120 + 60] = samples[10 * 120 + 60]._replace(outcome=Outcome.TIMEOUT)
    verdict = _one(remember_run(samples), "errors < 0.1%")
    assert (verdict.status, verdict.bad) == (Status.INCONCLUSIVE, 2)
    own = slow_gate.own_series([(t, ms) for (t, _), ms in times_ms.items()], 60, 0.001)
    assert verdict.n_effective == pytest.approx(7200 * min(slow_gate.share(v, [120] * 60) for v in own), abs=0.06)


def test_percentile_among_the_failures():
    """When more than 5 % fail there is no p95: it lies beyond the answered requests, and is not made up."""
    verdict = _one(remember_run(stream(odd_every=10, odd={"outcome": Outcome.ERROR}), [P95]), P95)
    assert (verdict.status, verdict.observed, verdict.bad) == (Status.FAIL, None, 120)
    assert verdict.reason.startswith("p95 lies beyond the answered requests: 120 of 1,200 failed; between 8.3")


def test_the_slowest_percentiles_have_no_upper_bound():
    """With 4 % of failures p95 exists, and its upper bound lies among them."""
    verdict = _one(remember_run(stream(odd_every=25, odd={"outcome": Outcome.ERROR}), [P95]), P95)
    assert (verdict.observed, verdict.lower, verdict.upper) == (10 * MS, 10 * MS, None)


# What is counted over the whole run, warm-up included: line, samples, deliveries, found, of how many, status.
WARM_UP = PhaseSpan("warm-up", "warm-up", 0, 15), PhaseSpan("steady", "steady", 15, 60)
LEDGER = {"expected": 1000, "delivered": 995, "lost": 5, "duplicated": 0, "reordered": 2, "received": 995}
COUNTS = [
    ("errors == 0", stream(), 0, 1200, "PASS"),
    ("errors == 0", [*stream(), sample(1, outcome=Outcome.ERROR)], 1, 1201, "FAIL"),  # in the warm-up
    ("errors == 0", [*stream(), sample(1, outcome=Outcome.TIMEOUT)], 1, 1201, "FAIL"),
    ("errors == 0", [*stream(), sample(1, outcome=Outcome.DROPPED)], 0, 1201, "PASS"),  # never sent, never answered
    ("dropped == 0", [*stream(), sample(1, outcome=Outcome.DROPPED)], 1, 1201, "FAIL"),
    ("dropped == 0", [*stream(), sample(59, outcome=Outcome.UNSENT)], 1, 1201, "FAIL"),  # due, and never started
    ("dropped == 0", [*stream(), sample(1, series="arrival Buyer", outcome=Outcome.DROPPED)], 1, 1201, "FAIL"),
    ("dropped == 0", [*stream(), sample(1, outcome=Outcome.ERROR)], 0, 1201, "PASS"),
    ("lost == 0", stream(series="ws deliver"), 5, 1000, "FAIL"),
    ("duplicated == 0", stream(series="ws deliver"), 0, 995, "PASS"),  # of what came
    ("reordered == 0", stream(series="ws deliver"), 2, 995, "FAIL"),
]


@pytest.mark.parametrize(("line", "samples", "found", "n", "status"), COUNTS)
def test_counts(line, samples, found, n, status):
    """A count is held against 0 over the whole run, deliveries by the swarm's ledger."""
    verdict = _one(remember_run(samples, phases=WARM_UP, deliveries=LEDGER), line)
    assert (verdict.status.value, verdict.observed, verdict.n, verdict.bad) == (status, found, n, found)


def test_deliveries_alone_can_be_lost():
    """``lost`` bound to everything is judged once, on the deliveries; bound to requests it matches nothing."""
    run = remember_run([*stream(), *stream(series="ws deliver")], deliveries=LEDGER)
    assert [v.series for v in _rule(run, "lost == 0", "*", "each")] == ["ws deliver"]
    assert _one(run, "lost == 0", "GET *").status is Status.INCONCLUSIVE
    assert _one(run, "lost < 1%").n == 1200


@pytest.mark.parametrize(
    ("limit", "furthest", "status"), [(3, 0, "PASS"), (3, 3, "PASS"), (3, 4, "FAIL"), (40, 41, "FAIL")]
)
def test_displacement(limit, furthest, status):
    """The furthest delivery of the whole run is held against the limit, which it may reach."""
    counts = {"received": 1000, "reordered": 7 if furthest else 0, "displacement": furthest}
    verdict = _one(remember_run(stream(series="ws deliver"), deliveries=counts), f"displacement <= {limit}", "GET *")
    assert (verdict.status.value, verdict.observed, verdict.limit, verdict.n) == (status, furthest, limit, 1000)
    assert verdict.reason.startswith(f"the furthest delivery came {furthest} numbers behind its place")


def test_displacement_of_nothing():
    """Where nothing came, or there is no swarm, nothing can be said."""
    for samples in (stream(), stream(series="ws deliver", odd_every=1, odd={"outcome": Outcome.LOST})):
        verdict = _one(remember_run(samples, deliveries={"received": 0, "displacement": 0}), "displacement <= 3")
        assert verdict.status is Status.INCONCLUSIVE


@pytest.mark.parametrize(
    ("unrecovered", "line", "status"),
    [
        ((), "recovered >= 99%", "PASS"),
        (range(60), "recovered >= 99%", "FAIL"),  # 60 of 600
        ((30,), "recovered >= 99.9%", "INCONCLUSIVE"),  # 1 of 600
        ((), "unrecovered == 0", "PASS"),
        ((30,), "unrecovered == 0", "FAIL"),
    ],
)
def test_recovered(unrecovered, line, status):
    """Of what was missed while connections were lost, a share must have come after all, or all of it."""
    counts = {"received": 1200, "away": 600, "recovered": 600 - len(unrecovered)}
    run = remember_run(stream(series="ws deliver"), deliveries=counts)
    run.intervals["ws missed"] = {
        s: Interval("ws missed", s, 10, 10 - (s in unrecovered), errors={"never came": 1} if s in unrecovered else {})
        for s in range(60)
    }
    verdict = _one(run, line, "ws deliver")
    assert (verdict.status.value, verdict.n, verdict.bad) == (status, 600, len(unrecovered))
    assert f"{len(unrecovered)} of 600 " in verdict.reason
    if verdict.kind == "least":  # what is said is what was asked for
        assert verdict.observed == pytest.approx(1 - len(unrecovered) / 600)
        assert (verdict.lower, verdict.upper) == (1 - verdict.bad_upper, 1 - verdict.bad_lower)
        assert verdict.lower <= verdict.observed <= verdict.upper


@pytest.mark.parametrize("line", ["recovered >= 99%", "unrecovered == 0"])
def test_nothing_was_missed(line):
    """What no connection missed says nothing of recovery."""
    counts = {"received": 1200, "away": 0, "recovered": 0}
    verdict = _one(remember_run(stream(series="ws deliver"), deliveries=counts), line)
    assert verdict.status is Status.INCONCLUSIVE
    assert verdict.reason == "nothing was missed, so nothing can be said"


@pytest.mark.parametrize("line", ["lost == 0", "lost < 1%", "duplicated == 0", "p95 < 200ms"])
@pytest.mark.parametrize(("connections", "why"), [(20, "no delivery came"), (0, 'no series matches "ws deliver"')])
def test_no_delivery_came(line, connections, why):
    """Where subscribers listened, what is missing is no spelling."""
    refused = [sample(t, series="ws connect", outcome=Outcome.ERROR) for t in range(60)]
    run = remember_run(refused, connections=connections, deliveries={"expected": 0, "received": 0})
    verdict = _one(run, line, "ws deliver")
    assert verdict.status is Status.INCONCLUSIVE
    assert verdict.reason == f"{why}, so nothing can be said"


def test_no_delivery_was_expected():
    """Nothing lost of nothing expected is no PASS; one that came twice is a FAIL all the same."""
    run = remember_run(stream(series="ws deliver"), deliveries={"expected": 0, "lost": 0, "duplicated": 1})
    assert _one(run, "lost == 0").status is Status.INCONCLUSIVE
    assert _one(run, "lost == 0").reason == "no delivery was due to any subscriber, so nothing can be said"
    assert _one(run, "duplicated == 0").status is Status.FAIL


def test_lost_share():
    """3 of 1 200 deliveries lost, each alone, fail 0.01 %, pass 5 % and leave 0.3 % open."""
    odd = {"outcome": Outcome.LOST}
    run = remember_run(stream(series="ws deliver", odd_every=400, odd=odd))
    statuses = [_one(run, f"lost < {percent}%").status.value for percent in (0.01, 0.3, 5)]
    assert statuses == ["FAIL", "INCONCLUSIVE", "PASS"]
    assert _one(run, "lost < 5%").reason.startswith("3 of 1,200 were lost, 0.25 % against 5 %; the truth most likely")


def _completions(rng, rate_per_s, seconds=60):
    at = np.sort(rng.uniform(0, seconds, rng.poisson(rate_per_s * seconds)))
    return [sample(t, service_ms=0) for t in at]


@pytest.mark.parametrize("seconds", [30, 60, 90])
@pytest.mark.parametrize("seed", range(3))
def test_throughput_bounds(seconds, seed):
    """Mean and bounds are those of a slow computation in plain loops."""
    rng = np.random.default_rng(seed)
    run = remember_run(_completions(rng, 50, seconds), phases=(PhaseSpan("steady", "steady", 0, seconds),))
    per_s = [run.intervals["GET /a"][t].completed for t in range(seconds)]
    per_s = [per_s[t] for t in settled_seconds(run)]
    verdict = _one(run, "throughput > 50/s")
    assert (verdict.observed, verdict.lower, verdict.upper) == pytest.approx(slow_mean.mean_bounds(per_s), rel=1e-9)


@pytest.mark.parametrize(("limit", "status"), [(35, "PASS"), (50, "INCONCLUSIVE"), (65, "FAIL")])
def test_throughput_of_known_truth(limit, status):
    """Poisson completions at 50/s: 35/s is held and 65/s is missed every time, 50/s is left open nine times in ten."""
    rng = np.random.default_rng(11)
    found = [_one(remember_run(_completions(rng, 50, 60)), f"throughput > {limit}/s").status.value for _ in range(20)]
    assert found.count(status) >= (18 if status != "INCONCLUSIVE" else 15)
    assert status != "INCONCLUSIVE" or {"PASS", "FAIL"} >= {s for s in found if s != status}


def test_throughput_of_a_constant_rate():
    """20/s every second, without spread: that is at least 20/s, and not 20.1/s."""
    run = remember_run(stream(20, 60, service_ms=1))
    assert [_one(run, f"throughput >= {limit}/s").status.value for limit in (20, 20.1)] == ["PASS", "FAIL"]


def test_throughput_of_nothing_but_failures():
    """Where every request fails, nothing is completed: that is a FAIL, not a lack of data."""
    verdict = _one(remember_run(stream(outcome=Outcome.ERROR)), "throughput > 1/s")
    assert (verdict.status, verdict.observed, verdict.upper) == (Status.FAIL, 0.0, 0.0)


def test_throughput_of_a_generator_that_does_not_send():
    """18 of 20 arrivals a second were sent and answered: 19/s was missed, but the 2 might have been answered too."""
    run = remember_run(stream(20, 60, service_ms=1, odd_every=10, odd=DROPPED))
    statuses = [_one(run, f"throughput > {limit}/s").status.value for limit in (17.9, 19, 20.1)]
    assert statuses == ["PASS", "INCONCLUSIVE", "FAIL"]


def test_throughput_of_a_short_run():
    """Under 30 s there are no bounds, and the verdict's JSON holds no infinity."""
    verdict = _one(remember_run(stream(20, 29), phases=(PhaseSpan("steady", "steady", 0, 29),)), "throughput > 1/s")
    assert (verdict.status, verdict.lower, verdict.upper) == (Status.INCONCLUSIVE, None, None)


def _bounds(bad_per_s):
    """The bounds of so many bad ones each second of 20 requests, by the slow gate."""
    _, lower, upper, _ = slow_gate.gate([20] * 60, bad_per_s, 0.05)
    return f"between {lower * 100:.3g} % and {upper * 100:.3g} %"


FIFTH, TWENTIETH, THREE = [4] * 60, [1] * 60, [int(t in (19, 39, 59)) for t in range(60)]


@pytest.mark.parametrize(
    ("line", "samples", "bad_per_s", "reason"),
    [
        (
            *(P95, stream(odd_every=EVERY_5TH, odd={"service_ms": 310}), FIFTH),
            "p95 was 310 ms against a limit of 200 ms; {} were slower or failed, 5 % may",
        ),
        (
            *("errors < 0.01%", stream(odd_every=400, odd={"outcome": Outcome.ERROR}), THREE),
            "3 of 1,200 failed, 0.25 % against 0.01 %; the truth most likely lies {}",
        ),
        (
            *(P95, stream(odd_every=EVERY_5TH, odd={"late_ms": 300}), FIFTH),
            "p95 was 310 ms against a limit of 200 ms; {} were slower or failed, 5 % may; timed from when requests "
            "were due it fails, from when they left it holds, and the generator sent them late",
        ),
        (
            *("errors < 0.1%", stream(), [0] * 60),  # 2 995 requests at 20/s are 149.75 s
            "0 of 1,200 failed, 0 % against 0.1 %; the truth most likely lies {}; too little evidence, it takes about "
            "150 s of steady state",
        ),
        (
            *(P95, stream(odd_every=EVERY_20TH, odd={"service_ms": 300}), TWENTIETH),
            "p95 was 10 ms against a limit of 200 ms; {} were slower or failed, 5 % may; too little evidence, and a "
            "longer run like this one would not tell either",
        ),
        ("errors == 0", stream(), None, "0 of 1,200 requests failed"),
        (
            *("throughput > 25/s", stream(service_ms=1), None),
            "20/s were completed against a least of 25/s; between 20 and 20/s",
        ),
    ],
)
def test_reasons(line, samples, bad_per_s, reason):
    """A reason says what was found, how sure that is, and what is left to say."""
    expected = reason.format(_bounds(bad_per_s)) if bad_per_s else reason
    assert _one(remember_run(samples, [line]), line).reason == expected


def test_small_fractions_have_no_exponent():
    """Three failures in a billion read as 0.0000003 %."""
    assert [format_fraction(f) for f in (3e-9, 9e-10, 2e-25)] == ["0.0000003 %", "0 %", "0 %"]
    assert [format_fraction(f) for f in (0.99969, 0.9999, 1 - 1e-7)] == ["99.969 %", "99.99 %", "99.99999 %"]
    assert [format_fraction(f) for f in (0, 1, 0.05, 0.001234, 12.5)] == ["0 %", "100 %", "5 %", "0.123 %", "1250 %"]


def test_bounds_of_the_percentile_are_times_of_the_run():
    """p95 of 1 .. 1,200 ms is 1,140 ms, and its bounds are the times at the bounds of its rank (Woodruff)."""
    samples = [sample(k * 60 / 1200, service_ms=1 + (k * 7) % 1200) for k in range(1200)]
    verdict = _one(remember_run(samples), "p95 < 2s")
    low, high = slow_gate.bounds(0.95 * verdict.n_effective, verdict.n_effective, 0.025)
    width = 1 / 1024
    for found, p in ((verdict.observed, 0.95), (verdict.lower, low), (verdict.upper, high)):
        assert np.ceil(p * 1200 - 1e-9) * MS <= found <= np.ceil(p * 1200 + 1e-9) * MS * (1 + width)
    assert Histogram.of([1140_000]).percentile_us(50) == 1140_000


@pytest.mark.parametrize(
    ("violations", "expected"), [([], "INCONCLUSIVE"), ([None] * 3, "PASS"), ([None, "x"], "FAIL")]
)
def test_contract(violations, expected):
    """One answer in breach of the contract fails it, wherever in the run; where none was checked, nothing is known."""
    run = remember_run(stream(2, 30))
    for violation in violations:
        run.intervals["GET /a"][0].add_checked(violation)
    verdict = _one(run, "contract == 0")
    assert (verdict.status.value, verdict.n) == (expected, len(violations))


def test_contract_before_the_load():
    """So does one of the unloaded pass, in a series that the load never came to as well."""
    unloaded = {"GET /a": {"checked": 3, "violations": {"x": 1}}, "GET /b": {"checked": 2, "violations": {"x": 2}}}
    run = remember_run(stream(2, 30), unloaded=unloaded)
    run.intervals["GET /a"][0].add_checked(None)
    for series, bad, n in (("GET /a", 1, 4), ("GET /b", 2, 2), ("*", 3, 6)):
        verdict = _one(run, "contract == 0", series)
        assert (verdict.status.value, verdict.bad, verdict.n) == ("FAIL", bad, n)


@pytest.mark.parametrize(
    ("unloaded", "reason"),
    [
        ({}, "1 of 2 answers broke the contract"),
        ({"checked": 5, "violations": {}}, "1 of 7 answers broke the contract, and only under load"),  # 0.5 ** 5 < 0.05
        ({"checked": 5, "violations": {"x": 1}}, "2 of 7 answers broke the contract"),
    ],
)
def test_contract_under_load(unloaded, reason):
    """Where it takes load to break it, the reason says so."""
    run = remember_run(stream(2, 30), unloaded={"GET /a": unloaded} if unloaded else {})
    for violation in ("x", None):
        run.intervals["GET /a"][0].add_checked(violation)
    assert _one(run, "contract == 0").reason == reason


def _one_slow_spell(service_ms):
    """Five requests a second for a minute: 10 ms, but for twelve seconds in a row."""
    return [
        sample(t + k / 5, service_ms=service_ms if 20 <= t < 32 else 10.0)
        for t, k in itertools.product(range(60), range(5))
    ]


@pytest.mark.parametrize(
    ("service_ms", "status", "n_effective"), [(49, Status.PASS, 300), (51, Status.INCONCLUSIVE, None)]
)
def test_a_spell_far_below_the_limit_is_no_evidence_about_it(service_ms, status, n_effective):
    """A fifth of the requests in one spell: under a quarter of the 200 ms they do not matter, above it they do."""
    verdict = _one(remember_run(_one_slow_spell(service_ms), [P95]), P95)
    assert verdict.status is status
    if n_effective:
        assert verdict.n_effective == n_effective  # each request counts for itself: not one was bad
    else:
        assert verdict.n_effective < 60


def test_a_far_limit_mutated(monkeypatch):
    """Mutation: were every own slow request taken for evidence, a service at a quarter of its limit would not pass."""
    monkeypatch.setattr(ruling, "NEAR", 0.0)
    assert _one(remember_run(_one_slow_spell(49), [P95]), P95).status is Status.INCONCLUSIVE


@pytest.mark.parametrize(("slow", "status"), [(0, "PASS"), (EVERY_5TH, "FAIL"), (None, "INCONCLUSIVE")])
def test_of_what_nobody_timed(slow, status):
    """Twice as many untimed deliveries say nothing of latency, whatever the timed ones do; of losses they say all."""
    samples = stream(series="ws deliver", odd_every=slow or 0, odd={"service_ms": 300})
    run = remember_run(samples, [P95, "lost < 1%"], deliveries={})
    for interval in run.intervals["ws deliver"].values():
        if slow is None:
            interval = run.intervals["ws deliver"][interval.second] = Interval("ws deliver", interval.second)
        interval.add_untimed(40)
    (check,) = [check for check in check_run(run, parsed([P95])) if check.name == "accounting"]
    assert check.ok, check
    verdict = _one(run, P95)
    assert verdict.status.value == status
    assert verdict.n == (0 if slow is None else 1200)
    assert ("of a known time" in verdict.reason) == (slow is None)
    assert _one(run, "lost < 1%").status is Status.PASS
    assert _one(run, "lost < 1%").n == (2400 if slow is None else 3600)


@pytest.mark.parametrize(("timed", "status"), [(0, "INCONCLUSIVE"), (10, "PASS")])
def test_lost_ones_of_what_nobody_timed(timed, status):
    """Of a second's deliveries as many lost ones bear on latency as were timed: without any, none does."""
    lost = [sample(k + 0.5, series="ws deliver", outcome=Outcome.LOST) for k in range(60) for _ in range(10)]
    in_time = [sample(k + j / timed, series="ws deliver") for k in range(60) for j in range(timed)]
    run = remember_run([*lost[::10], *in_time], [P95], deliveries={})
    for interval in run.intervals["ws deliver"].values():
        interval.add_untimed(100 - timed)
    verdict = _one(run, P95)
    assert verdict.status.value == status, verdict
    assert verdict.n == (0 if not timed else 600)


@pytest.mark.parametrize(
    ("copies", "status"),
    [
        ([], "PASS"),  # of 60,000: none seen is less than 0.005 %, at 95 %
        ([7, 21, 48], "INCONCLUSIVE"),  # 0.005 %, at most 0.013 %
        (range(60), "FAIL"),
    ],
)
@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("duplicated", "that came were copies"),
        ("reordered", "that came were out of order"),
        ("late", "that came had been given up"),
    ],
)
def test_share_of_what_came(copies, status, word, said):
    """Copies, and what came late or out of order, are held against all that came, by the gate of every share."""
    series = f"ws {word}"
    run = remember_run(
        stream(series="ws deliver"), deliveries={"expected": 20_000, "received": 60_000, word: len(copies)}
    )
    run.intervals[series] = {
        s: Interval(series, s, 1000, 1000 - (s in copies), errors={word: 1} if s in copies else {}) for s in range(60)
    }
    verdict = _one(run, f"{word} <= 0.01%", "ws deliver")
    assert verdict.status.value == status
    assert verdict.reason.startswith(f"{len(copies)} of 60,000 {said}, ")
    assert (verdict.n, verdict.bad) == (60_000, len(copies))
    count = _one(run, f"{word} == 0")
    assert count.status.value == ("FAIL" if copies else "PASS")
    assert (count.n, count.bad_fraction) == (60_000, verdict.bad_fraction), "both are of what came"
