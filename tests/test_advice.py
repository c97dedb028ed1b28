"""Advice on plans against the tables, the closed form and the gate itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.advice import advise, minimum_requests, rule_of_thumb
from loadtests.gate import Decision, effective_share, gate
from tests.oracles.runs import spread


@pytest.mark.parametrize(
    ("budget", "n"), [(0.1, 29), (0.05, 59), (0.01, 299), (0.005, 598), (0.001, 2995), (0.0001, 29_956)]
)
def test_fewest_requests_of_an_error_objective(budget, n):
    """The published counts, which are those at which (1-B)^n falls to 5 %."""
    assert minimum_requests(budget, latency=False) == n
    assert (1 - budget) ** n <= 0.05 < (1 - budget) ** (n - 1)


@pytest.mark.parametrize(("seconds", "t"), [(60, 1.943180), (3600, 1.943180), (59, 2.131847), (30, 2.131847)])
@pytest.mark.parametrize("budget", [0.1, 0.05, 0.01, 0.005, 0.001])
def test_fewest_requests_of_a_latency_objective(budget, seconds, t):
    """A latency objective pays (1.644854 / t)^2 on top, for six waves or for four."""
    n, factor = minimum_requests(budget, latency=True, steady_s=seconds), (1.644854 / t) ** 2
    assert (1 - budget) ** (n * factor) <= 0.05 < (1 - budget) ** ((n - 1) * factor)


@pytest.mark.parametrize("seconds", [60, 45])
@pytest.mark.parametrize("budget", [0.05, 0.01, 0.001])
@pytest.mark.parametrize("latency", [False, True])
def test_the_gate_agrees(budget, latency, seconds):
    """The gate passes a clean and steady run of the fewest requests, and not one of a request less."""
    least = minimum_requests(budget, latency, seconds)
    for n, decision in ((least, Decision.PASS), (least - 1, Decision.INCONCLUSIVE)):
        counts, clean = spread(n, seconds), np.zeros(seconds, dtype=np.int64)
        slow = [spread(max(20, round(5 * budget * n)), seconds)] if latency else []
        assert gate(counts, clean, budget, own=slow).status is decision


# Requests in steady state for nine right verdicts in ten at D = 5, by simulation: budget, none bad, .2 B, .5 B.
NEEDED = [
    (0.05, 1_100, 2_000, 5_700),
    (0.01, 4_500, 9_200, 25_000),
    (0.005, 9_300, 18_000, 50_000),
    (0.001, 49_000, 91_000, 260_000),
]


@pytest.mark.parametrize(("budget", "none", "fifth", "half"), NEEDED)
def test_rule_of_thumb(budget, none, fifth, half):
    """The rule of thumb meets the simulated numbers within an eighth."""
    for healthy, needed in (("none", none), ("fifth", fifth), ("half", half)):
        assert rule_of_thumb(budget, healthy) == pytest.approx(needed, rel=1 / 8)


def test_rule_of_thumb_is_arithmetic():
    """55 D/B at half the budget, 20 at a fifth, 10 with none bad; D is 5 unless known better."""
    assert [rule_of_thumb(0.01, healthy) for healthy in ("half", "fifth", "none")] == [27_500, 10_000, 5_000]
    assert rule_of_thumb(0.01, dependence=20) == 20_000


@pytest.mark.parametrize(
    ("text", "budget", "latency"),
    [("p95 < 200ms", 0.05, True), ("p99 < 500ms", 0.01, True), ("errors < 0.1%", 0.001, False)],
)
def test_standard_smoke_needs_no_advice(text, budget, latency):
    """A minute at 120 requests/s decides p95, p99 and errors < 0.1 %."""
    assert advise(text, budget, latency, 7_200, 60) is None


def test_likely_too_short():
    """p99.9 on 7 200 requests: 10 x 5 / .001 = 50 000 take 417 s at 120/s, which is 7 minutes."""
    assert advise("p99.9 < 1s", 0.001, True, 7_200, 60) == (
        "p99.9 < 1s: about 7,200 requests are planned, likely too few: it takes about 50,000 when hardly any is slow"
        " (7 min at this rate), and 275,000 when half the budget is spent"
    )


def test_too_short_to_pass():
    """Errors < 0.1 % on 1 200 requests in a minute: 2 995 take 149.75 s, which is 3 minutes."""
    assert advise("errors < 0.1%", 0.001, False, 1_200, 60) == (
        "errors < 0.1%: about 1,200 requests are planned, but even without a single bad one it takes 2,995 to pass"
        " (3 min at this rate)"
    )


@pytest.mark.parametrize(
    ("requests", "steady_s", "wanted"),
    [
        (20_000, 20, "60 s"),  # enough requests: then a minute
        (100, 20, "4 min"),  # 1 000 requests at 5/s take 200 s, and from two minutes on whole minutes are told
    ],
)
def test_too_few_seconds(requests, steady_s, wanted):
    """Under 30 s nothing passes, however many requests there are."""
    assert advise("p95 < 200ms", 0.05, True, requests, steady_s) == (
        "p95 < 200ms: 20 s of steady state are too short to pass, whatever they show; "
        f"plan {wanted} (30 s at the very least)"
    )


@pytest.mark.parametrize(("requests", "advised"), [(2_994, True), (2_995, False)])
def test_enough_is_enough(requests, advised):
    """Exactly the fewest requests need no advice, one less does."""
    assert (advise("errors < 0.1%", 0.001, False, requests, 60) is not None) is advised


def test_short_durations_read_in_seconds():
    """Errors < 1 % at 163 requests/min: 299 requests take 110.06 s."""
    assert "(111 s at this rate)" in advise("errors < 1%", 0.01, False, 163, 60)


def test_half_a_minute_is_allowed():
    """30 s are enough seconds if they hold enough requests; 29 are not."""
    assert advise("p95 < 200ms", 0.05, True, 10_000, 30) is None
    assert advise("p95 < 200ms", 0.05, True, 10_000, 29) is not None


def test_long_durations_read_in_hours():
    """Errors < 0.01 % at 2 requests/s: 29 956 requests take 4 h 10 min."""
    assert "(4 h 10 min at this rate)" in advise("errors < 0.01%", 0.0001, False, 7_200, 3_600)


@pytest.mark.parametrize("steady_s", [0, 60])
def test_no_request_planned(steady_s):
    """A plan without requests or without seconds is told so, not divided by."""
    sentence = advise("p95 < 200ms", 0.05, True, 0, steady_s)
    assert "too short to pass" in sentence if steady_s == 0 else sentence.endswith("it takes 82 to pass")


@settings(max_examples=100)
@given(
    budget=st.sampled_from([0.1, 0.05, 0.01, 0.001]),
    latency=st.booleans(),
    requests=st.integers(0, 100_000),
    steady_s=st.integers(1, 7_200),
    longer=st.floats(1, 10),
)
def test_longer_is_never_worse(budget, latency, requests, steady_s, longer):
    """A plan that needs no advice needs none when it runs longer at the same rate."""
    if advise("x", budget, latency, requests, steady_s) is None:
        assert advise("x", budget, latency, requests * longer, steady_s * longer) is None


@settings(max_examples=100)
@given(budget=st.sampled_from([0.1, 0.05, 0.01, 0.001]), requests=st.integers(1, 6_000), steady_s=st.integers(20, 90))
def test_no_advice_where_a_clean_run_passes(budget, requests, steady_s):
    """An error objective needs no advice exactly where the gate would pass a run without errors."""
    clean = gate(spread(requests, steady_s), np.zeros(steady_s, dtype=np.int64), budget)
    assert (clean.status is Decision.PASS) is (advise("errors", budget, False, requests, steady_s) is None)


def test_steady_own_series_cost_six_waves():
    """The factor that the advice counts on is the share of a steady series in the gate."""
    assert effective_share(spread(600), spread(6_000)) == pytest.approx((1.644854 / 1.943180) ** 2, rel=1e-5)
