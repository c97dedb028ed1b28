"""Another machine's clock, faked: half a second off, running fast, over a way that is slow in one direction."""

import random

import pytest

from loadtests.clockoffset import ClockOffset, Exchange

MS, S = 1_000_000, 1_000_000_000


class Far:
    """A machine whose clock is off by ``skew_ns`` at 0, runs ``ppm`` fast, and is ``there_ns`` and ``back_ns`` away."""

    def __init__(self, skew_ns, ppm, there_ns, back_ns, seed=1):
        self.skew_ns, self.ppm, self.there_ns, self.back_ns = skew_ns, ppm, there_ns, back_ns
        self.draw = random.Random(seed)

    def reads(self, at_ns):
        """Its clock at a true moment, which is ours."""
        return round(at_ns + self.skew_ns + at_ns * self.ppm / 1e6)

    def exchange(self, at_ns):
        """One, with a queue on each way that is mostly short."""
        there = self.there_ns + round(self.draw.expovariate(1 / (2 * MS)))
        back = self.back_ns + round(self.draw.expovariate(1 / (2 * MS)))
        answered = at_ns + there + 50_000
        return Exchange(at_ns, self.reads(at_ns + there), self.reads(answered), answered + back)


@pytest.mark.parametrize("skew_ns", [500 * MS, -500 * MS])
@pytest.mark.parametrize("ppm", [0, 50, -50])
@pytest.mark.parametrize(("there_ms", "back_ms"), [(1, 1), (4, 1), (1, 4)])
def test_skew_drift_and_asymmetry(skew_ns, ppm, there_ms, back_ms):
    """Twenty pings in ten seconds for a minute: wrong by at most half the delay, and by half the asymmetry at least."""
    far, offset = Far(skew_ns, ppm, there_ms * MS, back_ms * MS), ClockOffset()
    for k in range(120):
        offset.add(far.exchange(k * S // 2))
    asymmetry_ns = (there_ms - back_ms) * MS / 2
    for at_ns in range(5 * S, 60 * S, S):
        error_ns = at_ns - offset.ours_ns(far.reads(at_ns))
        wrong_ns = -error_ns
        assert abs(wrong_ns) <= offset.uncertainty_ns
        assert wrong_ns == pytest.approx(-asymmetry_ns, abs=0.6 * MS)  # what queues add to the best of twenty
    assert offset.drift * 1e6 == pytest.approx(ppm, abs=15)
    assert offset.uncertainty_ns < (there_ms + back_ms) * MS / 2 + 0.8 * MS


def test_the_best_of_a_window_counts():
    """A long exchange says little; it is dropped for a short one of the same ten seconds, and not of others."""
    offset = ClockOffset()
    offset.add(Exchange(0, 100 * MS, 100 * MS, 40 * MS))  # 80 +- 20
    offset.add(Exchange(S, S + 91 * MS, S + 91 * MS, S + 2 * MS))  # 90 +- 1
    offset.add(Exchange(2 * S, 2 * S + 100 * MS, 2 * S + 100 * MS, 2 * S + 40 * MS))
    assert offset.at_ns(5 * S) == 90 * MS
    assert offset.uncertainty_ns == MS
    offset.add(Exchange(10 * S, 10 * S + 103 * MS, 10 * S + 103 * MS, 10 * S + 6 * MS))  # 100 +- 3
    assert offset.uncertainty_ns == 3 * MS
    assert 90 * MS < offset.at_ns(5 * S) < 100 * MS


def test_nothing_known():
    """Without an exchange the other clock is taken as ours, and anything is possible."""
    offset = ClockOffset()
    assert not offset.known
    assert offset.ours_ns(7) == 7
    assert offset.uncertainty_ns == float("inf")
    assert offset.drift == 0
