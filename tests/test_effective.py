"""The effective share against printed tables, arithmetic and the slow oracle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.effective import design_effect, effective_share, lag_1, own_series, student_factor
from tests.oracles import slow_gate
from tests.oracles.runs import runs

T = np.arange(60)
EVERY_SECOND = np.full(60, 120)
NONE = np.zeros(60, dtype=int)


@pytest.mark.parametrize(("df", "t"), [(4, 2.131847), (6, 1.943180), (19, 1.729133)])
def test_student_factor_from_the_printed_tables(df, t):
    """The price of few waves is (1.644854 / t)^2 with t from the printed tables."""
    assert student_factor(df) == pytest.approx((1.644854 / t) ** 2, rel=1e-5)


def test_fast_variation_costs_nothing():
    """A series that alternates 2, 4, 2, 4 keeps .717 of its requests, the price of six waves and no more."""
    alternating = 2 + 2 * (T % 2)
    assert effective_share(alternating, EVERY_SECOND) == pytest.approx((1.644854 / 1.943180) ** 2, rel=1e-5)
    assert design_effect(alternating, EVERY_SECOND) == 1.0


@pytest.mark.parametrize(
    ("seconds", "factor"),
    [
        (60, (1.644854 / 1.943180) ** 2),  # six waves from a minute on
        (59, (1.644854 / 2.131847) ** 2),  # four below
        (30, (1.644854 / 2.131847) ** 2),
    ],
)
def test_waves_by_length(seconds, factor):
    """A steady series pays for six waves from a minute on, for four below."""
    assert effective_share(np.full(seconds, 2), np.full(seconds, 100)) == pytest.approx(factor, rel=1e-5)


@pytest.mark.parametrize("events", [19, 20])
def test_rare_events_in_one_second(events):
    """On either side of twenty events, all in second 17, blocks and waves give the oracle's share."""
    series = np.where(T == 17, events, 0)
    found = effective_share(series, EVERY_SECOND)
    assert found == pytest.approx(slow_gate.share(series.tolist(), EVERY_SECOND.tolist()), rel=1e-9)


@pytest.mark.parametrize(("events", "df"), [(19, 19), (20, 6)])
def test_rare_events_use_blocks(events, df):
    """Under twenty events the spread is over twenty blocks, from twenty on over six waves."""
    series = NONE.copy()
    series[(np.arange(events) * 3 + 1) % 60] = 1
    assert effective_share(series, EVERY_SECOND) == pytest.approx(student_factor(df))


@settings(max_examples=30)
@given(run=runs(30))
def test_doubled_counts(run):
    """Twice the requests in the same seconds never count as fewer, and the share at worst halves."""
    counts, _, series = run
    if series.sum() < 20:
        series = counts - counts // 3
    if series.sum() < 20:
        return
    once, twice = effective_share(series, counts), effective_share(2 * series, 2 * counts)
    assert once * (1 + 1e-9) >= twice >= once / 2 * (1 - 1e-9)


_requests = st.lists(st.tuples(st.integers(0, 9), st.one_of(st.none(), st.integers(0, 6))), max_size=60)


@settings(max_examples=60)
@given(requests=_requests, budget=st.sampled_from([0.4, 0.1, 0.05, 0.01, 0.001]))
def test_own_series_by_the_oracle(requests, budget):
    """The own series are those found by trying every edge on single requests."""
    buckets = sorted({bucket for _, bucket in requests if bucket is not None})
    slow_counts, failed = np.zeros((10, len(buckets)), dtype=np.int64), np.zeros(10, dtype=np.int64)
    for second, bucket in requests:
        if bucket is None:
            failed[second] += 1
        else:
            slow_counts[second, buckets.index(bucket)] += 1
    found = [series.tolist() for series in own_series(slow_counts, failed, budget)]
    assert found == slow_gate.own_series(requests, 10, budget)


def test_own_series_of_distinct_response_times():
    """A thousand requests, one per bucket: 10, 20 and 50 are the slowest 1, 2 and 5 %; at 20 % a half is the cap."""
    one_each = np.eye(1000, dtype=np.int64)
    none_failed = np.zeros(1000, dtype=np.int64)
    for budget, sizes in ((0.01, (10, 20, 50)), (0.2, (200, 400, 500)), (0.0001, (1, 1, 1))):
        found = own_series(one_each, none_failed, budget)
        assert [series[-size:].sum() for series, size in zip(found, sizes, strict=True)] == list(sizes)
        assert [series.sum() for series in found] == list(sizes)


@pytest.mark.parametrize(
    ("slow_counts", "failed", "totals"),
    [
        (
            EVERY_SECOND[:, None],
            NONE,
            [7200] * 3,
        ),  # all response times equal: the only edge with one above is below all
        (np.zeros((60, 0), dtype=int), EVERY_SECOND, [7200] * 3),  # everything failed
        (EVERY_SECOND[:, None], NONE + 1, [60] * 3),  # all equal, some failed
        (np.zeros((60, 3), dtype=int), NONE, [0] * 3),  # no request
    ],
)
def test_own_series_that_say_nothing(slow_counts, failed, totals):
    """Where response times do not differ the own series hold all or only the failed, and cost no share of their own."""
    found = own_series(slow_counts, failed, 0.05)
    assert [series.sum() for series in found] == totals
    counts = slow_counts.sum(axis=1) + failed
    assert all(effective_share(series, counts) >= student_factor(6) for series in found)


@pytest.mark.parametrize("series", [NONE, EVERY_SECOND])
def test_nothing_tospread(series):
    """No event, or nothing but events, has no spread and costs nothing."""
    assert (design_effect(series, EVERY_SECOND), effective_share(series, EVERY_SECOND)) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        ([1, 0] * 20, -39 / 40),  # z is +-.5, 39 neighbours of opposite sign
        ([1] * 20 + [0] * 20, 37 / 40),  # 38 neighbours alike, one not
        ([0] * 40, 0.0),
    ],
)
def test_lag_1(bad, expected):
    """By hand, of 2 requests a second."""
    assert lag_1(np.array(bad), np.full(40, 2)) == pytest.approx(expected)
