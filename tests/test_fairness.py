"""How evenly subscribers are served: an index with bounds, and what follows for an objective."""

import numpy as np
import pytest

from loadtests import ruling
from loadtests.errors import ObjectiveError
from loadtests.fairness import Fairness
from loadtests.objective import parse_objective
from loadtests.swarmaccount import SwarmAccount
from loadtests.verdict import Status
from loadtests.waits import Waits
from tests.runs import S, remember_run, stream

LINE = "fairness >= 0.9"


def alike(*means_us):
    """Subscribers whose averages were the same in both halves."""
    return Fairness.of(np.array([means_us, means_us], dtype=float).T)


def test_the_index():
    """By arithmetic: alike 1, one of four alone 1/4; over processes as over one."""
    assert alike(7, 7, 7, 7).index == 1
    assert alike(8, 0, 0, 0).index == 0.25
    both = Fairness.together([alike(1, 2), alike(3)])
    assert both == alike(1, 2, 3)
    assert both.index == pytest.approx(36 / (3 * 14))
    assert both.bounds() == pytest.approx((both.index, both.index))  # nothing differs between the halves: no noise


def test_nobody_to_compare():
    """One alone, nobody, or nothing waited for is neither fair nor unfair."""
    for none in (Fairness(), Fairness.together([]), alike(5), alike(0, 0)):
        assert none.index is None
        assert none.bounds() == (0, 1)


def test_noise_is_no_unfairness():
    """Ten subscribers alike, five deliveries each in a half: averages differ, by chance, as if the index were 0.9."""
    rng = np.random.default_rng(3)
    averages = rng.exponential(100.0, size=(500, 10, 2, 5)).mean(axis=3)
    naive = [1 / (1 + one.mean(axis=1).var() / one.mean() ** 2) for one in averages]
    ours = [Fairness.of(one) for one in averages]
    assert np.mean(naive) == pytest.approx(1 / (1 + 0.9 / 10), abs=0.01)  # variance 1/10 of the square, times 9/10
    assert np.mean([f._covariance for f in ours]) == pytest.approx(0, abs=100.0**2 / 10 / 20)
    assert sum(f.bounds()[1] < 1 for f in ours) < 0.08 * 500


def test_what_delays_all_alike_is_no_unfairness():
    """One half of the time is a second slower for everybody."""
    spread = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]) * 1e6
    slower = Fairness.of(spread + np.array([[0.0, 1e6]]))
    assert slower.index == pytest.approx(1 / (1 + (2 / 3) / 2.5**2))


@pytest.mark.parametrize("subscribers", [2, 5, 30])
@pytest.mark.parametrize("spread", [0.0, 0.2, 0.5])
def test_bounds_hold_the_truth(subscribers, spread):
    """Of known averages under exponential noise each bound is wrong in 5 %; 8 % are allowed here (and 1,000 runs)."""
    rng = np.random.default_rng(subscribers)
    means = 100.0 * (1 + spread * np.linspace(-1, 1, subscribers))
    truth = 1 / (1 + means.var() / means.mean() ** 2)
    noisy = means[:, None] * rng.gamma(30, 1 / 30, size=(1000, subscribers, 2))  # 30 deliveries in each half
    bounds = np.array([Fairness.of(one).bounds() for one in noisy])
    assert (bounds[:, 0] > truth + 1e-9).mean() <= 0.08
    assert (bounds[:, 1] < truth - 1e-9).mean() <= 0.08
    if subscribers == 30 and spread:
        assert (bounds[:, 1] - bounds[:, 0]).mean() < 0.1


def test_what_cannot_be_known_widens_the_bounds():
    """By arithmetic: averages 3 and 5 ms, V = 1, M = 4; a clock off by 1 ms; 1 ms of our own takes half of one off."""
    fairness = alike(3000, 5000)
    assert fairness.bounds(clock_us=1000) == pytest.approx((1 / (1 + 1 / 9), 1 / (1 + 1 / 25)))
    assert fairness.bounds(own_us=1000) == pytest.approx((1 / (1 + 1 / 16), 1 / (1 + 0.25 / 16)))
    assert fairness.bounds(own_us=9000)[1] == 1
    assert fairness.bounds(clock_us=9000)[0] == 0


def test_two_halves_of_the_time():
    """Warm-up does not count; what comes every second second, or every fourth, is in both halves."""
    for period in (1, 2, 3, 4, 7, 10):
        waits = Waits()
        waits.from_ns = 100 * S
        quick, slow, late = waits.place(), waits.place(), waits.place()
        for second in range(95, 160):
            waits.turn(second * S)
            waits.turn(second * S + S - 1)
            if second < 100:
                waits.enter(quick, 70_000_000)
                assert waits.fairness() == Fairness()
            elif second % period == 0:
                waits.enter(quick, 1_000_000)
                waits.enter(slow, 3_000_000)
            elif second == 101:
                waits.enter(late, 7_000_000)  # in one half only
        assert waits.fairness() == alike(1000, 3000)


def judged(fairness, *, own_ms=0.0, line=LINE, **known):
    """The verdict on a run that knows this of its subscribers."""
    row = {"source": "local.swarm", "loop_worst_ms": own_ms}
    run = remember_run(
        stream(series="ws deliver"), [line], vitals=[row | {"at_s": second + 1.5} for second in range(60)]
    )
    run.swarm = SwarmAccount(fairness=fairness, **known)
    (verdict,) = ruling.rule(run, parse_objective(line))
    return verdict


def noisy(*means_us):
    """Averages that the halves do not agree on."""
    means = np.array(means_us, dtype=float)
    return Fairness.of(np.stack([means * np.tile([0.8, 1.2], len(means) // 2), means], axis=1))


@pytest.mark.parametrize(
    ("fairness", "more", "status", "said"),
    [
        (alike(3000, 4000), {}, Status.PASS, "the fairness of 2 subscribers was 0.98 against a least of 0.9"),
        (alike(1000, 5000), {}, Status.FAIL, "was 0.692 against a least of 0.9"),
        (noisy(1000, 2000), {}, Status.INCONCLUSIVE, "too little evidence"),
        (alike(1000, 5000), {"own_ms": 4.0}, Status.INVALID, "own loop let subscribers wait up to 4 ms"),
        (alike(1000, 5000), {"own_ms": 0.5}, Status.FAIL, ""),
        (alike(1000, 5000), {"clock": {"uncertainty_us": 5000.0}}, Status.INCONCLUSIVE, "too little evidence"),
        (Fairness(), {}, Status.INCONCLUSIVE, "there were no two subscribers to compare"),
    ],
)
def test_the_verdict(fairness, more, status, said):
    """Each status for its own reason."""
    verdict = judged(fairness, **more)
    assert verdict.status is status
    assert said in verdict.reason
    assert (verdict.unit, verdict.limit, verdict.kind) == ("index", 0.9, "fairness")


def test_an_unknown_clock_decides_nothing():
    """Stamps of another machine's clock that nobody asked."""
    run = remember_run(stream(series="ws deliver"), [LINE], vitals=[], target="http://203.0.113.7:80")
    run.swarm = SwarmAccount(fairness=alike(1000, 9000), stamped=5)
    (verdict,) = ruling.rule(run, parse_objective(LINE))
    assert verdict.status is Status.INCONCLUSIVE
    assert "the target's clock is not known" in verdict.reason


def test_a_run_without_deliveries():
    """A line that asks of what did not happen cannot pass."""
    (verdict,) = ruling.rule(remember_run(stream(), [LINE]), parse_objective(LINE))
    assert verdict.status is Status.INCONCLUSIVE


@pytest.mark.parametrize(
    "line", ["fairness < 0.9", "fairness >= 90%", "fairness >= 1", "fairness >= 0", "fairness == 0"]
)
def test_lines_that_make_no_sense(line):
    """The index lies between 0 and 1, and more of it is better."""
    with pytest.raises(ObjectiveError, match=r"fairness >= 0\.9|makes no sense here"):
        parse_objective(line)


def test_it_is_parsed():
    """Whatever series the line stands under, deliveries are meant."""
    one = parse_objective("Fairness > .95", series="*", scope="each")
    assert (one.metric, one.limit, one.series, one.scope) == ("fairness", 0.95, "ws deliver", "pool")
