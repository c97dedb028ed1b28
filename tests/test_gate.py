"""The gate against worked examples, closed forms and the slow oracle."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests import effective
from loadtests.effective import design_effect
from loadtests.gate import (
    Decision,
    clopper_pearson,
    effective_samples_beyond,
    gate,
    minimum_samples,
    own_series,
    quantile_bounds,
)
from tests.oracles import slow_gate
from tests.oracles.runs import BUDGETS, runs, spread

T = np.arange(60)
EVERY_SECOND = np.full(60, 120)
NONE = np.zeros(60, dtype=int)


def _at(*pairs):
    bad = NONE.copy()
    for second, requests in pairs:
        bad[second] = requests
    return bad


# 60 s of exactly 120 requests, an error objective: bad, budget, S, n_e, lower, upper, decision.
WORKED = {
    "no bad request": (NONE, 0.001, 0, "7200.0", "0.000000", "0.000416", "PASS"),
    "one error": (_at((10, 1)), 0.001, 1, "6514.3", "0.000005", "0.000704", "PASS"),
    "two errors apart": (_at((10, 1), (40, 1)), 0.001, 2, "6515.2", "0.000043", "0.000922", "PASS"),
    "two errors together": (_at((10, 2)), 0.001, 2, "3256.7", "0.000011", "0.001408", "INCONCLUSIVE"),
    "three errors": (_at((5, 1), (25, 1), (45, 1)), 0.001, 3, "6515.2", "0.000104", "0.001127", "INCONCLUSIVE"),
    "3 bad every second, 5 %": (NONE + 3, 0.05, 180, "5158.9", "0.021528", "0.028878", "PASS"),
    "3 bad every second, 1 %": (NONE + 3, 0.01, 180, "5158.9", "0.021528", "0.028878", "FAIL"),
    "2, 4, 2, 4 bad": (2 + 2 * (T % 2), 0.05, 180, "5158.9", "0.021528", "0.028878", "PASS"),
    "second half all bad": (120 * (T >= 30), 0.05, 3600, "4.6", "0.116467", "0.883533", "FAIL"),
    "last 5 s all bad, 1 %": (120 * (T >= 55), 0.01, 600, "5.4", "0.000181", "0.521423", "INCONCLUSIVE"),
    "last 5 s all bad, 0.1 %": (120 * (T >= 55), 0.001, 600, "5.4", "0.000181", "0.521423", "FAIL"),
    "5 s all bad": (120 * (T // 5 == 6), 0.01, 600, "9.5", "0.002187", "0.384036", "INCONCLUSIVE"),
    "one second all bad": (_at((30, 120)), 0.05, 120, "42.5", "0.000301", "0.096243", "INCONCLUSIVE"),
    "all bad": (EVERY_SECOND, 0.05, 7200, "7200.0", "0.999584", "1.000000", "FAIL"),
    "one slow wave": (
        np.round(6 + 6 * np.cos(np.pi * (T + 0.5) / 60)).astype(int),
        *(0.05, 360, "160.1", "0.025129", "0.088384", "INCONCLUSIVE"),
    ),
}


@pytest.mark.parametrize("name", WORKED)
def test_worked_example(name):
    """Every row of the worked examples comes out to the last printed digit."""
    bad, budget, total, *expected = WORKED[name]
    found = gate(EVERY_SECOND, bad, budget)
    printed = [f"{found.n_effective:.1f}", f"{found.lower:.6f}", f"{found.upper:.6f}", found.status.value]
    assert (total, expected) == (found.bad, printed)


@pytest.mark.parametrize("name", WORKED)
def test_worked_example_by_the_oracle(name):
    """The slow oracle, which shares no code, finds the same rows."""
    bad, budget, _, *expected = WORKED[name]
    n_effective, lower, upper, decision = slow_gate.gate(EVERY_SECOND.tolist(), bad.tolist(), budget)
    assert expected == [f"{n_effective:.1f}", f"{lower:.6f}", f"{upper:.6f}", decision]


@pytest.mark.parametrize(("n", "decision"), [(2994, Decision.INCONCLUSIVE), (2995, Decision.PASS)])
def test_fewest_requests_without_error(n, decision):
    """A run without errors passes 0.1 % from ln .05 / ln .999 = 2 994.2 requests on."""
    found = gate(spread(n), NONE, 0.001)
    assert (decision, n, 0.0) == (found.status, found.n_effective, found.lower)
    assert 1 - 0.05 ** (1 / n) == pytest.approx(found.upper, abs=1e-12)
    assert f"{found.upper:.6f}" == "0.001000"


# n, most bad requests that PASS, fewest that FAIL, of independent requests and a budget of 0.1 %.
ACCEPTANCE = [
    (2995, 0, 7),
    (4742, 1, 10),
    (10_000, 4, 16),
    (50_000, 38, 63),
    (100_000, 83, 118),
    (1_000_000, 947, 1053),
]


@pytest.mark.parametrize(("n", "passes", "fails"), ACCEPTANCE)
def test_acceptance_numbers(n, passes, fails):
    """The bounds turn from PASS to undecided to FAIL at the published counts."""
    assert clopper_pearson(passes, n)[1] <= 0.001 < clopper_pearson(passes + 1, n)[1]
    assert clopper_pearson(fails - 1, n)[0] <= 0.001 < clopper_pearson(fails, n)[0]


@pytest.mark.parametrize(("n", "passes", "fails"), ACCEPTANCE)
def test_acceptance_numbers_by_the_binomial_tail(n, passes, fails):
    """The same counts follow from binomial sums alone: P(X <= k) and P(X >= k) at the budget against 5 %."""
    assert slow_gate.at_most(passes, n, 0.001) <= 0.05 < slow_gate.at_most(passes + 1, n, 0.001)
    assert 1 - slow_gate.at_most(fails - 1, n, 0.001) < 0.05 <= 1 - slow_gate.at_most(fails - 2, n, 0.001)


@pytest.mark.parametrize(("k", "n"), [(1, 7), (3, 10), (9, 10), (4, 30)])
def test_bounds_by_exact_binomial_sums(k, n):
    """At the lower bound k or more, at the upper bound k or fewer, have a chance of exactly 5 % (in fractions)."""
    lower, upper = (Fraction(bound) for bound in clopper_pearson(k, n))

    def chance(p, counts):
        return float(sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in counts))

    assert chance(lower, range(k, n + 1)) == pytest.approx(0.05, abs=1e-12)
    assert chance(upper, range(k + 1)) == pytest.approx(0.05, abs=1e-12)


@pytest.mark.parametrize("n", [1, 59, 2995.5])
def test_bounds_at_the_ends(n):
    """None bad bounds at 1 - .05^(1/n), all bad at .05^(1/n), and the other bound is the end itself."""
    assert clopper_pearson(0, n) == (0.0, pytest.approx(1 - 0.05 ** (1 / n)))
    assert clopper_pearson(n, n) == (pytest.approx(0.05 ** (1 / n)), 1.0)


def test_student_factor_forgotten(monkeypatch):
    """Mutation: z in place of t moves the verdict rates by a few points only, but not past a worked example."""
    monkeypatch.setattr(effective, "student_factor", lambda df, alpha: 1.0)
    bad, budget, _, n_effective, *_ = WORKED["3 bad every second, 5 %"]
    assert n_effective == "5158.9"
    assert f"{gate(EVERY_SECOND, bad, budget).n_effective:.1f}" == "7200.0"


@settings(max_examples=60)
@given(run=runs(), budget=BUDGETS, latency=st.booleans(), burst=st.sampled_from([1.0, 2.0, 30.0]))
def test_agrees_with_the_oracle(run, budget, latency, burst):
    """Any run, however odd, gives the oracle's effective number, bounds and decision."""
    counts, bad, slow = run
    own = [slow] if latency else []
    found = gate(counts, bad, budget, own=own, burst=burst)
    n_effective, lower, upper, decision = slow_gate.gate(
        counts.tolist(), bad.tolist(), budget, [v.tolist() for v in own], burst
    )
    assert found.n_effective == pytest.approx(n_effective, rel=1e-8)
    assert (found.lower, found.upper) == (pytest.approx(lower, abs=1e-8), pytest.approx(upper, abs=1e-8))
    assert found.status.value == decision


@settings(max_examples=30)
@given(run=st.sampled_from([40, 60, 80]).flatmap(lambda t: runs(t, t)), budget=BUDGETS)
def test_time_reversed(run, budget):
    """Reading the seconds backwards changes nothing: waves change sign, blocks mirror."""
    counts, bad, slow = run
    forwards = gate(counts, bad, budget, own=[slow])
    backwards = gate(counts[::-1], bad[::-1], budget, own=[slow[::-1]])
    assert forwards.n_effective == pytest.approx(backwards.n_effective, rel=1e-9)
    assert forwards.status is backwards.status


@settings(max_examples=30)
@given(run=runs(30), budget=st.sampled_from([0.05, 0.01, 0.001]))
def test_everything_bad_fails(run, budget):
    """When every request is bad the run fails, however few there were."""
    counts, *_ = run
    assert gate(counts, counts, budget).status is Decision.FAIL


@settings(max_examples=60)
@given(run=runs(), budget=BUDGETS)
def test_bounds_hold_the_observed_fraction(run, budget):
    """The observed fraction lies between its bounds, and effective requests are never more than real ones."""
    counts, bad, slow = run
    found = gate(counts, bad, budget, own=[slow])
    assert 0 <= found.lower <= found.observed <= found.upper <= 1
    assert 0 < found.n_effective <= found.n
    assert found.design_effect >= 1


@pytest.mark.parametrize(
    ("counts", "bad", "decision"),
    [
        (np.zeros(60, dtype=int), np.zeros(60, dtype=int), Decision.INCONCLUSIVE),  # no request at all
        (np.zeros(0, dtype=int), np.zeros(0, dtype=int), Decision.INCONCLUSIVE),  # not even a second
        (np.array([7200]), np.array([0]), Decision.INCONCLUSIVE),  # one second
        (np.array([7200]), np.array([7200]), Decision.FAIL),  # one second, all bad: 20 times the budget
        (np.array([7200]), np.array([7199]), Decision.INCONCLUSIVE),  # all but one
        (np.full(2, 3000), np.array([0, 30]), Decision.INCONCLUSIVE),  # two seconds, one wave
        (np.full(29, 240), np.zeros(29, dtype=int), Decision.INCONCLUSIVE),  # a second short
        (np.full(30, 240), np.zeros(30, dtype=int), Decision.PASS),  # just long enough
        (EVERY_SECOND * (T // 3 != 7), NONE, Decision.PASS),  # one block empty
        (EVERY_SECOND * (T % 2), 3 * (T % 2), Decision.PASS),  # every second second empty
        (EVERY_SECOND * (T == 30), NONE, Decision.INCONCLUSIVE),  # 120 requests in one of 60 seconds
        (EVERY_SECOND, EVERY_SECOND - _at((30, 1)), Decision.FAIL),  # all bad but one
    ],
)
def test_degenerateruns(counts, bad, decision):
    """Empty, tiny and lopsided runs do not crash and fall into the right class (budget 5 %, or 0.1 % with none bad)."""
    budget = 0.05 if bad.any() else 0.001
    assert gate(counts, bad, budget, own=[bad]).status is decision


SHORT, RUNS, B = 6, 4000, 0.01


def _iid(draw):
    return draw.binomial(20, B, (RUNS, SHORT))


def _outages(draw):
    """Everything is bad for 2 s on average, and well between: for a hundredth of the time."""
    down = np.zeros((RUNS, SHORT), dtype=bool)
    down[:, 0] = draw.random(RUNS) < B
    for t in range(1, SHORT):
        stays = np.where(down[:, t - 1], 0.5, 0.5 * B / (1 - B))  # so that the share that is down stays B
        down[:, t] = draw.random(RUNS) < stays
    return 20 * down


def _whole_runs(draw, share):
    """A run has that share of bad requests or none, and B of all are bad: one run in ``share / B`` is such a one."""
    hit = draw.random(RUNS) < B / share
    return np.outer(hit, np.full(SHORT, round(20 * share)))


SHORT_RUNS = {
    "independent": (_iid, 0.0),
    "outages": (_outages, 0.05),
    "down throughout": (lambda draw: _whole_runs(draw, 1.0), 0.01),
    "the worst there is": (lambda draw: _whole_runs(draw, 0.2), 0.05),  # 20 B in one run of 20: Markov's bound is met
}


@pytest.mark.parametrize("name", SHORT_RUNS)
def test_false_alarms_of_short_runs(name):
    """At the exact budget runs of six seconds never pass, and fail wrongly no oftener than alpha, however dependent."""
    made, at_most = SHORT_RUNS[name]
    draw = np.random.default_rng(20_261_130)
    bad = made(draw)
    scatter = np.sqrt(at_most * (1 - at_most) / RUNS)
    assert abs(bad.mean() / 20 - B) < 4 * np.std(bad.mean(axis=1) / 20, ddof=1) / np.sqrt(RUNS)  # the truth is B
    counts = np.full(SHORT, 20)
    found = [gate(counts, run, B).status for run in bad]
    assert Decision.PASS not in found
    assert found.count(Decision.FAIL) / RUNS <= at_most + 3 * scatter
    if name == "the worst there is":  # and of half as much evidence, twice as many would have been wrong
        assert found.count(Decision.FAIL) / RUNS > 0.03
        lax = [gate(counts, run, B, alpha=0.1).status for run in _whole_runs(draw, 0.1)]
        assert lax.count(Decision.FAIL) / RUNS > 0.05 + 3 * scatter


@pytest.mark.parametrize(("down", "decision"), [(120, Decision.FAIL), (24, Decision.FAIL), (23, Decision.INCONCLUSIVE)])
def test_overwhelming_failure_of_a_short_run(down, decision):
    """Of 120 connection-seconds in six seconds 1 % may be down: 24 are 20 times as many."""
    bad = np.array([max(0, min(20, down - 20 * t)) for t in range(6)])
    assert gate(np.full(6, 20), bad, 0.01).status is decision


def test_no_request_is_not_a_pass():
    """Nothing observed is None with bounds that exclude nothing."""
    found = gate(NONE, NONE, 0.001)
    assert (found.observed, found.lower, found.upper) == (None, 0.0, 1.0)
    assert found.notes == ("no request in the steady state",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((EVERY_SECOND, NONE, 0.0), "budget"),
        ((EVERY_SECOND, NONE, 1.0), "budget"),
        ((EVERY_SECOND, NONE[:-1], 0.1), "one count a second"),
        ((NONE, EVERY_SECOND, 0.1), "more events than requests"),
        ((EVERY_SECOND, NONE - 1, 0.1), "fewer than none"),
    ],
)
def test_senseless_arguments(arguments, message):
    """Arguments that make no sense are refused, not judged."""
    with pytest.raises(ValueError, match=message):
        gate(*arguments)
    with pytest.raises(ValueError, match="burst"):
        gate(EVERY_SECOND, NONE, 0.1, burst=0.5)


@pytest.mark.parametrize(("last", "decision"), [(23, Decision.INCONCLUSIVE), (24, Decision.FAIL)])
def test_twenty_budgets_fail_under_any_dependence(last, decision):
    """144 of 7 200 are 20 times 0.1 %, which Markov's inequality allows in 5 % of runs; 143 in one event are open."""
    assert gate(EVERY_SECOND, _at((30, 120), (31, last)), 0.001).status is decision


@pytest.mark.parametrize("name", ["one error", "two errors together", "3 bad every second, 5 %", "one second all bad"])
def test_budget_on_a_bound(name):
    """A budget that is met exactly passes, and one that is not exceeded does not fail."""
    bad = WORKED[name][0]
    found = gate(EVERY_SECOND, bad, 0.5)
    lower, upper = found.lower, found.upper
    assert gate(EVERY_SECOND, bad, upper).status is Decision.PASS
    assert gate(EVERY_SECOND, bad, np.nextafter(upper, 0)).status is Decision.INCONCLUSIVE
    if bad.sum() / 7200 < 20 * lower:  # else Markov's clause has spoken first
        assert gate(EVERY_SECOND, bad, lower).status is Decision.INCONCLUSIVE
        assert gate(EVERY_SECOND, bad, np.nextafter(lower, 0)).status is Decision.FAIL


@pytest.mark.parametrize(("burst", "decision"), [(1, "PASS"), (2, "PASS"), (3, "INCONCLUSIVE")])
def test_declared_burst(burst, decision):
    """7 200 requests without error are worth 7 200 / burst, and 0.1 % takes 2 995 of them."""
    found = gate(EVERY_SECOND, NONE, 0.001, burst=burst)
    assert (decision, 7200 / burst, burst) == (found.status.value, found.n_effective, found.design_effect)


def test_design_effect_of_the_deciding_series():
    """D = (n/n_e) (z/t)^2 belongs to the series with the smallest share: here the own one, a half bad run."""
    found = gate(EVERY_SECOND, NONE + 3, 0.05, own=[120 * (T >= 30)])
    assert found.n_effective == pytest.approx(7200 * slow_gate.share((120 * (T >= 30)).tolist(), [120] * 60))
    assert found.design_effect == pytest.approx(design_effect(120 * (T >= 30), EVERY_SECOND))
    assert gate(EVERY_SECOND, NONE + 3, 0.05).design_effect == 1.0


@pytest.mark.parametrize(
    ("counts", "factor"),
    [
        (spread(2994), math.log(0.05) / math.log(0.999) / 2994),  # six more milliseconds
        (spread(1000), math.log(0.05) / math.log(0.999) / 1000),  # 2.994
        (spread(60), math.log(0.05) / math.log(0.999) / 60),  # 49.9, the longest wait
        (spread(59), None),  # 50.7: not by waiting
        (np.full(20, 360), 1.5),  # enough requests, but 20 s are no 30 s
        (np.full(10, 120), 3.0),  # 2.495 times for the requests, 3 for the seconds
    ],
)
def test_needs_factor_without_error(counts, factor):
    """Without errors the run must be ln .05 / ln .999 / n as long, and at least 30 s."""
    found = gate(counts, np.zeros_like(counts), 0.001)
    assert found.needs_factor == (factor if factor is None else pytest.approx(factor, rel=1e-9))


@pytest.mark.parametrize("name", ["two errors together", "three errors", "one second all bad", "5 s all bad"])
def test_needs_factor_by_the_oracle(name):
    """A run longer by a hair more than the factor is decided, by a hair less it is not; the oracle looks."""
    bad, budget, *_ = WORKED[name]
    found = gate(EVERY_SECOND, bad, budget)

    def decided(factor):
        return slow_gate.verdict(factor * found.n_effective, found.observed, budget, 60)[-1]

    assert decided(found.needs_factor * 0.999) == "INCONCLUSIVE"
    assert decided(found.needs_factor * 1.001) == ("PASS" if found.observed < budget else "FAIL")


def test_needs_factor_at_the_budget():
    """A bad fraction of exactly the budget is decided by no length of run."""
    assert gate(EVERY_SECOND, WORKED["one slow wave"][0], 0.05).needs_factor is None


@pytest.mark.parametrize("name", ["no bad request", "3 bad every second, 1 %", "last 5 s all bad, 0.1 %"])
def test_decided_run_needs_no_more(name):
    """A decided run needs nothing more, by whichever clause it was decided."""
    bad, budget, *_ = WORKED[name]
    assert gate(EVERY_SECOND, bad, budget).needs_factor == 1.0


def test_notes_of_a_clean_pass():
    """No error in 7 200: bursts of n B / 3 = 2.4 requests would have been missed; .0416 % is the bound."""
    assert gate(EVERY_SECOND, NONE, 0.001).notes == (
        "no bad request in 7,200: rules out single ones at 0.042 %; would have missed bursts of more than 2 requests",
    )


def test_notes_of_an_undecided_run():
    """An undecided run says what it is worth and how long it would have to be."""
    found = gate(spread(1000), NONE, 0.001)
    assert found.notes == (
        "1,000 requests are worth 1,000 independent ones (D 1.0): needs about 180 s of steady state",
    )
    assert "not by waiting" in gate(spread(59), NONE, 0.001).notes[0]


def test_notes_of_a_short_run():
    """Under a minute slow modulation is out of sight, under half a minute nothing is known."""
    assert "modulation slower than 8 s is not seen" in gate(np.full(48, 200), np.zeros(48, dtype=int), 0.001).notes
    short = gate(np.full(20, 200), np.zeros(20, dtype=int), 0.05)
    assert short.notes[0] == "under 30 s of steady state nothing is known about dependence"
    assert "needs about 30 s" in short.notes[1]


@pytest.mark.parametrize(
    ("bad", "incident"),
    [
        (_at((10, 3), (14, 3), (40, 5)), True),  # 6 of 11 within 5 s
        (_at((10, 3), (15, 3), (40, 5)), False),  # 6 of 11 within 6 s
        (_at((10, 3), (40, 3)), False),  # a half is not most
        (_at((59, 2)), True),
        (_at((10, 1)), False),  # a single one is no incident
        (NONE, False),
        (NONE + 3, False),
    ],
)
def test_incident(bad, incident):
    """Five seconds in a row with over half of several bad requests are one incident, and the notes say so."""
    found = gate(EVERY_SECOND, bad, 0.05)
    assert found.incident is incident
    assert ("one incident: whether it is typical needs more runs" in found.notes) is incident


def test_constant_latency_passes():
    """A constant response time below its limit passes p99.9 on 2 995 requests: there is nothing to depend on."""
    counts = spread(2995)
    assert gate(counts, NONE, 0.001, own=own_series(counts[:, None], NONE, 0.001)).status is Decision.PASS


def test_own_series_forgotten():
    """Slow requests below the limit that come in one cluster keep a run without a bad one from passing."""
    slow = np.stack([EVERY_SECOND - 120 * (T >= 57), 120 * (T >= 57)], axis=1)
    assert gate(EVERY_SECOND, NONE, 0.05, own=own_series(slow, NONE, 0.05)).status is Decision.INCONCLUSIVE
    assert gate(EVERY_SECOND, NONE, 0.05).status is Decision.PASS


@pytest.mark.parametrize(("percentile", "n"), [(50, 20), (95, 100), (99, 1000), (99.9, 5000)])
def test_quantile_bounds(percentile, n):
    """Woodruff's bounds leave 2.5 % in each tail of the binomial with p n of n below."""
    lower, upper = (bound / 100 for bound in quantile_bounds(percentile, n))
    below = round(percentile / 100 * n)
    assert 1 - slow_gate.at_most(below - 1, n, lower) == pytest.approx(0.025, abs=1e-6)
    assert slow_gate.at_most(below, n, upper) == pytest.approx(0.025, abs=1e-6)


def test_quantile_bounds_of_nothing():
    """No evidence excludes no percentile."""
    assert quantile_bounds(95, 0.0) == (0.0, 100.0)


@pytest.mark.parametrize(("percentile", "n"), [(95, 200), (99, 1000), (99.9, 10_000), (99.99, 100_000), (50, 20)])
def test_samples_beyond(percentile, n):
    """Ten samples beyond a percentile take 10 / (1 - p) of them, in exact decimals."""
    assert minimum_samples(percentile) == n
    assert effective_samples_beyond(percentile, n) == pytest.approx(10)
    assert effective_samples_beyond(percentile, n - 1) < 10
