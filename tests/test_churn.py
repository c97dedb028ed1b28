"""Members that come and go leave as often as was asked."""

from __future__ import annotations

import random
from math import sqrt
from statistics import fmean

import pytest

from loadtests.churn import Churn


@pytest.mark.parametrize(
    ("per_s", "count", "stay_s", "absence_s"),
    [
        (20.0, 30, 0.75, 0.75),  # 30 members in rounds of 1.5 s are 20 a second
        (1.0, 30, 29.0, 1.0),
        (6.0, 6, 0.5, 0.5),
        (5.0, 10, 1.0, 1.0),
        (100.0, 10, 0.05, 0.05),
    ],
)
def test_the_rate(per_s: float, count: int, stay_s: float, absence_s: float) -> None:
    """By the mean of many rounds, which is members by rate; the absence is a second where there is time for it."""
    n, draw, churn = 20_000, random.Random(5), Churn(per_s, count)
    stays, absences = [churn.stay_s(draw) for _ in range(n)], [churn.absence_s(draw) for _ in range(n)]
    assert fmean(stays) == pytest.approx(stay_s, rel=4 / sqrt(n))  # of an exponential, the mean is its own deviation
    assert fmean(absences) == pytest.approx(absence_s, rel=4 / sqrt(n))
    assert count / (fmean(stays) + fmean(absences)) == pytest.approx(per_s, rel=4 / sqrt(n))
