"""Where a warm-up ends and whether a run settled, on signals whose truth is known."""

import math

import numpy as np
import pytest
import ruptures

from loadtests.changepoint import LEAST, PENALTY, Shape, course, segments
from loadtests.mser import drift, truncation
from loadtests.settling import unsettled
from loadtests.steadystate import steady_state, steady_state_of
from loadtests.verdict import Status, Verdict
from tests.oracles.streams import mm1_run
from tests.runs import remember_run, sample, stream

RUNS = 100


def _signals(rng, level_ms, noise=0.1):
    seconds = len(level_ms)
    logs = np.log(1000 * level_ms)
    times = {50: logs + noise * rng.normal(size=seconds), 95: logs + 1 + noise * rng.normal(size=seconds)}
    return {p: np.exp(values) for p, values in times.items()}


def _share_unsettled(signals):
    states = [steady_state_of(0, one, {}) for one in signals]
    return sum(state.drift is not None for state in states) / len(states)


def _queue(rng, utilisation, seconds):
    run = mm1_run(rng, 120 / utilisation, utilisation, seconds)
    each = [1e6 * run.response_s[run.second == t] for t in range(seconds)]
    return {p: np.array([np.percentile(one, p) for one in each]) for p in (50, 95)}


def _truncation_by_hand(values):
    means = [sum(values[k : k + 5]) / 5 for k in range(0, len(values) // 5 * 5, 5)]
    errors = []
    for d in range(len(means) // 2 + 1):
        rest = means[d:]
        mean = sum(rest) / len(rest)
        errors.append(sum((z - mean) ** 2 for z in rest) / len(rest) ** 2)
    return 5 * errors.index(min(errors))


@pytest.mark.parametrize("seconds", [60, 63, 120])
def test_truncation_by_its_formula(seconds):
    """The cut is that of the formula in plain loops."""
    rng = np.random.default_rng(seconds)
    for _ in range(30):
        values = rng.normal(size=seconds)
        assert truncation(values) == _truncation_by_hand(values.tolist())


def test_transient_is_removed():
    """80 % that dies away with a tau of 30 s: little of it is left, and the run has settled."""
    rng = np.random.default_rng(1)
    level = 20 * (1 + 0.8 * np.exp(-np.arange(600) / 30))
    states = [steady_state_of(0, _signals(rng, level), {}) for _ in range(RUNS)]
    left = [np.mean(level[state.cut_s :]) / 20 - 1 for state in states]
    assert np.median(left) < 0.01 < np.mean(level) / 20 - 1
    assert not any(state.drift for state in states)


def test_without_a_transient_nothing_is_cut():
    """A constant signal is cut nowhere."""
    assert truncation(np.full(60, 3.0)) == 0
    assert drift(np.full(60, 3.0)) == 1.0


@pytest.mark.parametrize("utilisation", [0.5, 0.9])
@pytest.mark.parametrize("seconds", [60, 120])
def test_stationary_queue_settles(utilisation, seconds):
    """Under 5 % false alarms."""
    rng = np.random.default_rng([2, seconds])
    assert _share_unsettled(_queue(rng, utilisation, seconds) for _ in range(RUNS)) < 0.05


@pytest.mark.parametrize("level", [1 + 0.8 * np.exp(-np.arange(60) / 30), 1 + np.arange(60) / 60])
def test_drift_is_seen(level):
    """A transient as long as the run, and a ramp, never settle."""
    rng = np.random.default_rng(3)
    assert _share_unsettled(_signals(rng, 20 * level) for _ in range(RUNS)) > 0.9


def test_courses():
    """Flat, warm-up, slowdown by a step, and no steady state, each with its place."""
    rng = np.random.default_rng(4)
    noise = rng.normal(size=600)
    assert course(20 + noise).shape is Shape.FLAT
    ramp = np.where(np.arange(600) < 120, 60 - np.arange(600) / 3, 20)
    assert course(ramp + noise).shape is Shape.WARM_UP
    step = course(np.where(np.arange(600) < 300, 20, 40) + noise)
    assert (step.shape, len(step.segments)) == (Shape.SLOWDOWN, 2)
    assert abs(step.settled_from - 300) <= 2
    assert course(np.where(np.arange(600) < 560, 20, 40) + noise).shape is Shape.NONE


@pytest.mark.parametrize(("grows", "doubtful"), [(True, Status.PASS), (False, Status.FAIL)])
def test_what_a_drift_takes_back(grows, doubtful):
    """A PASS while it gets slower, a FAIL while it gets quicker; of latency alone."""
    slow = [10 + t if grows else 10 + 60 * math.exp(-t / 20) for t in range(60)]
    run = remember_run([sample(t + k / 20, service_ms=slow[t] + k / 20) for t in range(60) for k in range(20)])
    assert (steady_state(run).drift.factor > 1) is grows
    verdicts = [Verdict("p95 < 1s", "*", s, "it was", k, "ns", 1.0) for s in Status for k in ("latency", "share")]
    changed = [
        (before.status, before.kind)
        for before, after in zip(verdicts, unsettled(run, verdicts), strict=True)
        if before.status is not after.status
    ]
    assert changed == [(doubtful, "latency")]


def test_steady_run_keeps_its_verdicts():
    """Nothing is taken back from a run that settled, and under a minute nothing is asked."""
    verdicts = [Verdict("p95 < 1s", "*", status, "it was", "latency", "ns", 1.0) for status in Status]
    assert list(unsettled(remember_run(stream()), verdicts)) == verdicts
    assert steady_state(remember_run(stream(seconds=30), phases=())) is None


def _stepped(seed, seconds):
    """Skewed noise, with a slow start, a step, or two, or none."""
    rng = np.random.default_rng(seed)
    values = rng.gamma(9, 2, seconds)
    kind = seed % 4
    values[: seconds // 5] += 20 * (kind == 1)
    values[seconds // 3 :] *= 1.8 if kind == 2 else 1.0
    values[seconds // 2 :] += 15 * (kind == 3)
    values[3 * seconds // 4 :] -= 25 * (kind == 3)
    return values


@pytest.mark.filterwarnings("ignore:New behaviour in v1.1.5")
@pytest.mark.parametrize(
    ("seconds", "signals"), [(60, 60), pytest.param(300, 200, marks=(pytest.mark.long, pytest.mark.timed))]
)
def test_segments_are_those_of_pelt(seconds, signals):
    """The same optimum as the PELT of ``ruptures`` finds, which takes some hundred times as long."""
    for seed in range(signals):
        values = _stepped(seed, seconds)
        pelt = ruptures.Pelt(model="normal", min_size=LEAST, jump=1).fit(values)
        assert [one.end for one in segments(values)] == pelt.predict(pen=PENALTY * math.log(seconds)), seed
