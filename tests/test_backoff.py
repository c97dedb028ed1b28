"""Pauses before a lost connection is tried again."""

import random
from statistics import fmean

import pytest

from loadtests.backoff import Backoff
from loadtests.swarmspec import Reconnect

S = 1_000_000_000


def pauses(attempt, *, jitter=True, n=4000):
    """Draw pauses after so many failures: base .5 s, cap 4 s."""
    backoff, draw = Backoff(Reconnect(base=S // 2, cap=4 * S, jitter=jitter)), random.Random(3)
    return [backoff.pause_s(attempt, draw) for _ in range(n)]


@pytest.mark.parametrize(("attempt", "longest_s"), [(0, 0.5), (1, 1.0), (2, 2.0), (3, 4.0), (4, 4.0), (5000, 4.0)])
def test_full_jitter(attempt, longest_s):
    """Uniform between nothing and the longest, which doubles up to the cap."""
    drawn = pauses(attempt)
    assert 0 <= min(drawn) < longest_s / 100
    assert longest_s * 0.99 < max(drawn) <= longest_s
    assert fmean(drawn) == pytest.approx(longest_s / 2, rel=0.03)  # 3.3 standard errors


def test_without_jitter():
    """Everybody takes the longest: the herd."""
    assert set(pauses(2, jitter=False)) == {2.0}
