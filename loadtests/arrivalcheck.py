"""G12: whether arrivals that are to come at random did, and evenly spaced ones evenly."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from scipy.special import chdtri

from loadtests.run import Run
from loadtests.verdict import Check

__all__ = ["check_arrivals"]

LEAST_SECONDS, LEAST_PER_SECOND = 10, 5.0
ALPHA = 0.01


def check_arrivals(run: Run) -> Iterator[Check]:
    """The dispersion of the arrivals that users took up in each second, told and no more.

    Of a Poisson process the variance of these counts equals their mean, so that ``D = sum (c - m)^2 / m / (n - 1)`` is
    chi-squared over its degrees of freedom (Cochran 1954): 1, and in 99 of 100 plans between the bounds that are
    shown. Users who are all busy take arrivals up in bursts, which raises it; evenly spaced arrivals have about 0.
    Seconds are compared within their phase, where its rate is constant.
    """
    taken: dict[int, float] = defaultdict(float)
    for row in run.vitals:
        if "arrivals" in row:
            taken[math.floor(row["at_s"]) - 1] += row["arrivals"]
    squares, degrees = 0.0, 0
    for phase in run.header.steady:
        counts = [taken[s] for s in range(math.ceil(phase.start_s), math.floor(phase.end_s)) if s in taken]
        mean = sum(counts) / max(1, len(counts))
        if " to " not in phase.load and mean >= LEAST_PER_SECOND:
            squares += sum((count - mean) ** 2 for count in counts) / mean
            degrees += len(counts) - 1
    if degrees + 1 < LEAST_SECONDS:
        return
    low, high = (chdtri(degrees, p) / degrees for p in (1 - ALPHA / 2, ALPHA / 2))
    is_random = run.header.scenario.get("load", {}).get("arrivals", "poisson") == "poisson"
    due = f"{low:.2f} to {high:.2f}" if is_random else "about 0"
    kind = "at random" if is_random else "evenly"
    yield Check(
        "arrivals", f"Arrivals came {kind}", f"dispersion {squares / degrees:.2f}", f"{due}; told only", ok=True
    )
