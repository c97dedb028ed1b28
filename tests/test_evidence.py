"""What a run knows of a series, second by second, against loops over the single samples."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.evidence import Evidence, Side
from loadtests.histogram import Histogram
from loadtests.sample import Outcome
from tests.oracles import slow_gate
from tests.runs import MS, T0_NS, S, remember_run, sample, stream

LIMIT_NS = 200 * MS
LINES = ["p95 < 200ms"]
OUTCOMES = st.sampled_from(Outcome)
NEVER = (Outcome.DROPPED, Outcome.UNSENT)

samples_of = st.lists(
    st.builds(
        sample,
        st.integers(0, 60_999).map(lambda ms: ms / 1000),
        series=st.sampled_from(["GET /a", "GET /b", "ws deliver"]),
        service_ms=st.floats(0, 400).map(lambda ms: round(ms, 6)) | st.sampled_from([200.0, 199.999999, 200.000001]),
        late_ms=st.sampled_from([0.0, 0.5, 0.000001, 150.0, 200.0]),
        outcome=OUTCOMES,
    ),
    max_size=40,
)


def _slow_sides(samples, names):
    """Counts, bad and failed of both sides, sample by sample, for 60 steady seconds."""
    upper, lower = ([[0, 0, 0] for _ in range(60)] for _ in range(2))
    for s in samples:
        second = (s.intended_ns - T0_NS) // S
        if s.series in names and 0 <= second < 60:
            failed = s.outcome is not Outcome.OK
            for row, time_ns, counted in (
                (upper[second], s.ended_ns - s.intended_ns, True),
                (lower[second], s.ended_ns - s.started_ns, s.outcome not in NEVER),
            ):
                row[0] += counted
                row[1] += counted and (failed or time_ns > LIMIT_NS)
                row[2] += counted and failed
    return upper, lower


def _rows(side):
    return np.stack([side.counts, side.bad, side.failed], axis=1).tolist()


@settings(max_examples=60)
@given(samples=samples_of, names=st.sampled_from([("GET /a",), ("GET /b",), ("GET /a", "GET /b")]))
def test_sides(samples, names):
    """Both readings of a series or a pool hold what a loop over its samples counts, to the nanosecond."""
    run = remember_run(samples, LINES)
    sides = Evidence(run, [name for name in names if name in run.intervals]).latency_sides(LIMIT_NS)
    assert tuple(_rows(side) for side in sides) == _slow_sides(samples, names)


@settings(max_examples=60)
@given(samples=samples_of)
def test_failure_sides(samples):
    """Where only failures are bad, those are the bad ones; what never started is so on the upper side alone."""
    run = remember_run(samples)
    for side, slow in zip(
        Evidence(run, run.intervals).failure_sides(), _slow_sides(samples, run.intervals), strict=True
    ):
        assert [side.counts.tolist(), side.bad.tolist()] == [[row[0] for row in slow], [row[2] for row in slow]]


@settings(max_examples=60)
@given(samples=samples_of)
def test_the_truth_lies_between(samples):
    """The upper side has every bad request of the lower one, and what never started besides."""
    run = remember_run(samples, LINES)
    evidence = Evidence(run, run.intervals)
    for upper, lower in (evidence.latency_sides(LIMIT_NS), evidence.failure_sides(), evidence.lost_sides()):
        assert (upper.bad >= lower.bad).all()
        assert (upper.counts - lower.counts == [i.never_started for i in evidence.intervals]).all()
        assert (lower.bad <= lower.counts).all()


def test_lost_sides():
    """Of deliveries, the lost ones alone are bad."""
    samples = [sample(5.1, series="ws deliver"), sample(5.2, series="ws deliver", outcome=Outcome.LOST)]
    samples.append(sample(5.3, series="ws deliver", outcome=Outcome.ERROR))
    upper, lower = Evidence(remember_run(samples), ["ws deliver"]).lost_sides()
    assert (upper.counts[5], upper.bad[5], lower.counts[5], lower.bad[5]) == (3, 1, 3, 1)


def test_stray_arrivals_are_bad_although_their_series_knows_no_limit():
    """An arrival dropped before it had a series counts on the upper side of a series whose limit was recorded."""
    samples = [*stream(2, 60), sample(7.7, series="arrival Buyer", outcome=Outcome.DROPPED)]
    run = remember_run(samples, [("p95 < 200ms", "GET *", "pool")])
    assert run.intervals["arrival Buyer"][7].bad == {}
    upper, lower = Evidence(run, ["GET /a"], ["arrival Buyer"]).latency_sides(LIMIT_NS)
    assert (upper.counts[7], upper.bad[7], upper.bad.sum()) == (3, 1, 1)
    assert (lower.counts[7], lower.bad.sum()) == (2, 0)


def test_only_whole_steady_seconds_count():
    """Warm-up and what lies beyond the last whole steady second are left out."""
    run = remember_run([sample(at) for at in (-0.5, 59.999, 60.0)])
    assert Evidence(run, ["GET /a"]).total.count == 1


@settings(max_examples=100)
@given(
    service_ms=st.lists(st.floats(190, 210) | st.sampled_from([200.0, 200.064, 200.128]), min_size=1, max_size=60),
    limit_ms=st.sampled_from([195, 200, 200.1, 205]),
)
def test_a_limit_judged_later(service_ms, limit_ms):
    """A limit that was not recorded is read off the histogram: it misses at most what lies in the limit's own bucket.

    At 200 ms a bucket is 2^17 / 1024 = 128 microseconds wide, and times are rounded up to whole microseconds.
    """
    run = remember_run([sample(1 + k / 100, service_ms=ms) for k, ms in enumerate(service_ms)])
    upper, lower = Evidence(run, ["GET /a"]).latency_sides(round(limit_ms * MS))
    times = [round(ms * MS) for ms in service_ms]
    exact, surely = (sum(t > round(limit_ms * MS) + more for t in times) for more in (0, 129_000))
    assert surely <= upper.bad.sum() == lower.bad.sum() <= exact


def _microseconds(rows):
    """Requests (second, microseconds or None for a failed one) as a run; below 2 048 us a bucket is one microsecond."""
    return remember_run(
        [
            sample(t + k / 1000, service_ms=(us or 1) / 1000, outcome=Outcome.OK if us else Outcome.TIMEOUT)
            for k, (t, us) in enumerate(rows)
        ]
    )


rows_of = st.lists(st.tuples(st.integers(0, 59), st.integers(1, 30) | st.none()), min_size=1, max_size=50)


@settings(max_examples=100)
@given(rows=rows_of, budget=st.sampled_from([0.5, 0.1, 0.05, 0.01, 0.001]))
def test_own_series(rows, budget):
    """The run's own slowest requests are those that a count request by request finds."""
    (upper, lower) = Evidence(_microseconds(rows), ["GET /a"]).latency_sides(LIMIT_NS)
    slow = slow_gate.own_series(rows, 60, budget) if any(us for _, us in rows) else []
    assert [series.tolist() for series in upper.own(budget)] == slow
    assert [series.tolist() for series in lower.own(budget)] == slow


def test_own_series_far_below_the_limit():
    """Each is left out that begins below: of requests of 1 to 20 us the slowest 5 begin at 16, 10 of them at 11 us."""
    (upper, _) = Evidence(_microseconds([(us, us) for us in range(1, 21)]), ["GET /a"]).latency_sides(LIMIT_NS)
    assert [int(series.sum()) for series in upper.own(0.25, 11)] == [5, 10, 10]
    assert [int(series.sum()) for series in upper.own(0.25, 11.5)] == [5]
    assert [int(series.sum()) for series in upper.own(0.25, 16)] == [5]
    assert upper.own(0.25, 16.5) == []


def test_own_series_of_a_long_run_take_little_memory():
    """Two hours in a thousand buckets need a few counts a second, not a table of seconds and buckets (58 MB)."""
    rng = np.random.default_rng(5)
    histograms = [Histogram.of(rng.integers(1024, 2048, 100)) for _ in range(200)] * 36
    counts, none = np.full(7200, 100), np.zeros(7200, dtype=np.int64)
    tracemalloc.start()
    own = Side(counts, none, none, tuple(histograms)).own(0.05)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [round(int(series.sum()) / 720_000, 2) for series in own] == [0.05, 0.1, 0.25]
    assert peak < 4e6


@settings(max_examples=100)
@given(rows=rows_of, percentile=st.sampled_from([1, 50, 90, 95, 99, 99.9]) | st.floats(0.1, 99.9))
def test_percentile(rows, percentile):
    """A percentile is the value of rank ceil(p n) of the sorted times, failures last; among those there is none."""
    times = sorted(math.inf if us is None else us for _, us in rows)
    rank = next(k for k in range(1, len(times) + 1) if k / len(times) >= percentile / 100 - 1e-12)
    expected = None if times[rank - 1] == math.inf else times[rank - 1]
    assert Evidence(_microseconds(rows), ["GET /a"]).percentile_us(percentile) == expected


def test_percentile_of_nothing():
    """Without a request there is no percentile, and no lateness either."""
    evidence = Evidence(remember_run([sample(-3)]), ["GET /a"])
    assert (evidence.percentile_us(95), evidence.lateness_us(99)) == (None, 0.0)


@pytest.mark.parametrize(
    ("slow_ms", "slow_every", "outcome", "budget", "expected"),
    [
        (900, 2, Outcome.OK, 0.01, False),  # no time-out at all: errors are no matter of time
        (900, 10, Outcome.TIMEOUT, 0.01, True),  # p95 is among the time-outs themselves
        (900, 50, Outcome.TIMEOUT, 0.01, False),  # 2 % timed out, p95 is 10 ms: a tenth of 10 s is far
        (900, 50, Outcome.TIMEOUT, 0.001, True),  # p99.5 is among the time-outs
    ],
)
def test_timeouts_of_a_queue(slow_ms, slow_every, outcome, budget, expected):
    """Errors are the tail of a queue when some timed out and the (1-5B)-quantile is over a tenth of the time-out."""
    odd = {"service_ms": slow_ms, "outcome": outcome}
    evidence = Evidence(remember_run(stream(20, 60, odd_every=slow_every, odd=odd)), ["GET /a"])
    assert evidence.timeouts_of_a_queue(budget) is expected


@pytest.mark.parametrize(("usual_ms", "expected"), [(990, False), (1010, True)])
def test_a_tenth_of_the_time_out(usual_ms, expected):
    """With a time-out of 10 s the quantile must be above 1 s."""
    samples = [*stream(20, 60, service_ms=usual_ms), sample(3.01, service_ms=10_000, outcome=Outcome.TIMEOUT)]
    assert Evidence(remember_run(samples), ["GET /a"]).timeouts_of_a_queue(0.01) is expected


def test_completed_per_second():
    """Successes are counted in the second in which they ended, failures in none."""
    samples = [sample(3.5, service_ms=1200), sample(4.1), sample(4.2, outcome=Outcome.ERROR)]
    assert Evidence(remember_run(samples), ["GET /a"]).completed_per_s()[3:6].tolist() == [0, 2, 0]
