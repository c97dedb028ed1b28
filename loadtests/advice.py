"""What a plan can decide, said before the load instead of after it.

How many requests an objective takes: docs/measurement.md, "How much load is enough".
"""

import math
from typing import Literal

from loadtests.effective import RARE, spread_df, student_factor
from loadtests.gate import LEAST_SECONDS

__all__ = ["ADVISED_SECONDS", "MODERATE_DEPENDENCE", "advise", "minimum_requests", "rule_of_thumb"]

ADVISED_SECONDS = 60.0
"""The least steady state of a gated run that nobody has to explain."""
MODERATE_DEPENDENCE = 5.0
"""D of a service busy near 40 %: five requests are worth one."""

Health = Literal["none", "fifth", "half"]
_PER_BUDGET: dict[Health, float] = {"none": 10, "fifth": 20, "half": 55}


def minimum_requests(budget: float, latency: bool, steady_s: float = ADVISED_SECONDS, alpha: float = 0.05) -> int:
    """Return the fewest requests at which even a run without a bad one can PASS.

    The chance of seeing none at a bad fraction of B is (1-B)^n, so ``n >= ln alpha / ln(1-B)``: 29, 59, 299, 598 and
    2 995 at 10, 5, 1, .5 and .1 %. A latency objective also pays (z/t)^2 for the spread of its own slow requests: .717
    of them count from a minute on, .595 below it.
    """
    factor = student_factor(spread_df(RARE, seconds=int(steady_s)), alpha) if latency else 1.0
    return math.ceil(math.log(alpha) / math.log1p(-budget) / factor)


def rule_of_thumb(budget: float, healthy: Health = "none", dependence: float = MODERATE_DEPENDENCE) -> int:
    """Return about how many requests a latency objective takes to be decided nine times in ten.

    10 D/B when none is bad, 20 D/B when a fifth of the budget is (or twice the budget, to FAIL), 55 D/B when half is.
    """
    return round(_PER_BUDGET[healthy] * dependence / budget)


def advise(objective: str, budget: float, latency: bool, expected_requests: float, steady_s: float) -> str | None:
    """Return one sentence on why the plan will not, or will hardly, decide an objective; None when it will.

    Args:
        objective: its text, to start the sentence with.
        budget: B, the allowed bad fraction.
        latency: whether slow requests are bad, or only failed ones.
        expected_requests: requests that the objective's series will see in the steady state.
        steady_s: length of the steady state in seconds.

    """
    least = minimum_requests(budget, latency, max(steady_s, LEAST_SECONDS))
    likely = rule_of_thumb(budget) if latency else least
    if steady_s < LEAST_SECONDS:
        wanted_s = max(ADVISED_SECONDS, _seconds_for(likely, expected_requests, steady_s))
        return (
            f"{objective}: {steady_s:g} s of steady state are too short to pass, whatever they show;"
            f" plan {_duration(wanted_s)} ({LEAST_SECONDS} s at the very least)"
        )
    found = f"{objective}: about {expected_requests:,.0f} requests are planned"
    if expected_requests < least:
        return (
            f"{found}, but even without a single bad one it takes {least:,} to pass"
            f"{_at_this_rate(least, expected_requests, steady_s)}"
        )
    if expected_requests < likely:
        half = rule_of_thumb(budget, "half")
        return (
            f"{found}, likely too few: it takes about {likely:,} when hardly any is slow"
            f"{_at_this_rate(likely, expected_requests, steady_s)}, and {half:,} when half the budget is spent"
        )
    return None


def _seconds_for(requests: float, expected_requests: float, steady_s: float) -> float:
    """Return how long the planned rate takes for so many requests; 0 when it has no rate."""
    return requests * steady_s / expected_requests if expected_requests > 0 else 0.0


def _at_this_rate(requests: float, expected_requests: float, steady_s: float) -> str:
    seconds = _seconds_for(requests, expected_requests, steady_s)
    return f" ({_duration(seconds)} at this rate)" if seconds else ""


def _duration(seconds: float) -> str:
    """Write a duration to plan with: rounded up, coarser the longer it is."""
    if seconds < 120:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
