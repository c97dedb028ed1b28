"""The dispersion of arrivals: by a slow oracle, of plans as they are made, and of those who come in bursts."""

from __future__ import annotations

import random
import statistics

import pytest
from scipy.stats import chi2

from loadtests.arrivalcheck import check_arrivals
from loadtests.header import PhaseSpan
from loadtests.plan import OpenModel, Plan, Stage
from tests.runs import MINUTE, remember_run, stream
from tests.test_lapse import vitals_row

S = 1_000_000_000


def _rows(counts, *, first_s=0):
    """Rows of one process that tell of the second before them."""
    return [vitals_row(first_s + s + 1.01, arrivals=count) for s, count in enumerate(counts)]


def _check(rows, *, arrivals="poisson", phases=MINUTE):
    found = list(
        check_arrivals(remember_run(stream(), vitals=rows, phases=phases, scenario={"load": {"arrivals": arrivals}}))
    )
    return found[0] if found else None


def _dispersion(check):
    return float(check.value.removeprefix("dispersion "))


def test_dispersion_is_variance_over_mean():
    """Sixty counts; the bounds hold 99 of 100 chi-squared draws of 59 degrees of freedom."""
    draw = random.Random(1)
    counts = [draw.randrange(5, 40) for _ in range(60)]
    check = _check(_rows(counts))
    assert _dispersion(check) == pytest.approx(statistics.variance(counts) / statistics.mean(counts), abs=0.005)
    low, high = chi2.ppf(0.005, 59) / 59, chi2.ppf(0.995, 59) / 59
    assert check.limit == f"{low:.2f} to {high:.2f}; told only"


@pytest.mark.parametrize(("arrivals", "low", "high"), [("poisson", 0.58, 1.55), ("constant", 0.0, 0.05)])
def test_plans_are_what_they_say(arrivals, low, high):
    """Of plans that were made: at 40/s for a minute, 19 of 20 seeds at least within what 99 of 100 should be."""
    within = 0
    for seed in range(40):
        plan = Plan(OpenModel((Stage(60 * S, 40.0, 40.0),), arrivals), seed)
        counts = [0] * 60
        for chunk in plan.chunks():
            for due_ns in chunk.tolist():
                counts[due_ns // S] += 1
        within += low <= _dispersion(_check(_rows(counts), arrivals=arrivals)) <= high
    assert within >= 38


def test_bursts_show():
    """Users who are all busy for four of five seconds: everything is taken up in the fifth."""
    assert _dispersion(_check(_rows([0, 0, 0, 0, 100] * 12))) > 50


def test_processes_are_added_up():
    """Two workers with 10 and 30 a second are one with 40."""
    rows = _rows([10] * 60) + [{**row, "source": "worker-2"} for row in _rows([30] * 60)]
    assert _dispersion(_check(rows)) == 0


def test_phases_of_different_rates_are_told_apart():
    """20/s, then 80/s, each steady: no dispersion; a ramp has no constant rate, and is left out."""
    two = (PhaseSpan("low", "steady", 0, 30, "20/s"), PhaseSpan("high", "steady", 30, 60, "80/s"))
    rows = _rows([20] * 30 + [80] * 30)
    assert _dispersion(_check(rows, phases=two)) == 0
    ramp = (PhaseSpan("ramp", "steady", 0, 60, "20 to 80/s"),)
    assert _check(rows, phases=ramp) is None


def test_too_little_to_tell():
    """Nine seconds, four arrivals a second, a closed model."""
    nine = (PhaseSpan("short", "steady", 0, 9, "20/s"),)
    assert _check(_rows([20] * 9), phases=nine) is None
    assert _check(_rows([4] * 60)) is None
    assert _check([vitals_row(s + 1.01) for s in range(60)]) is None
