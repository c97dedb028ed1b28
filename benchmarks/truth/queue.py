"""M/M/1: one server, first come first served, Poisson arrivals at rate l, exponential service at rate m.

The time in the system is exponential at rate m - l, so its p-quantile is ``-ln(1 - p) / (m - l)`` (Kleinrock, Queueing
Systems 1, chapter 5; any text on queues). Successive times depend on each other strongly, so a run's own percentiles
wander about the truth: by how much is simulated with Lindley's recursion, which knows neither server nor harness.
"""

from __future__ import annotations

from functools import cache
from math import log

import numpy as np

from benchmarks.truth.record import Record
from benchmarks.truth.truth import HISTOGRAM, Figure, Truth, renamed, times

ARRIVALS_PER_S, SERVICE_PER_S = 60, 100


def quantile_ms(p: float) -> float:
    """The closed form."""
    return -1000 * log(1 - p) / (SERVICE_PER_S - ARRIVALS_PER_S)


@cache
def sampling_ms(p: float, seconds: float, repeats: int = 400) -> float:
    """Three standard deviations of the p-quantile of a run of so many seconds, in ms."""
    draw = np.random.default_rng(20)
    n = int(ARRIVALS_PER_S * seconds)
    found = []
    for _ in range(repeats):
        came = np.cumsum(draw.exponential(1 / ARRIVALS_PER_S, n + 1000))
        served = np.cumsum(draw.exponential(1 / SERVICE_PER_S, n + 1000))
        # left_n = served_n + max over k <= n of (came_k - served_{k-1}): Lindley's recursion, unrolled
        left = served + np.maximum.accumulate(came - np.concatenate(([0.0], served[:-1])))
        found.append(np.quantile((left - came)[1000:], p))
    return float(3000 * np.std(found))


def figures(record: Record) -> list[Figure]:
    """Against the closed form to within the sampling error; and against what this server did this time, without it."""
    sampling = times(
        quantile_ms,
        record,
        below=lambda p: sampling_ms(p, record.seconds),
        above=lambda p: sampling_ms(p, record.seconds),
    )
    own = times(
        lambda p: record.percentile_ms(100 * p) or 0.0,
        record,
        below=lambda p: HISTOGRAM * quantile_ms(p),
    )
    return sampling + renamed(own, ", this path")


QUEUE = Truth(
    "M/M/1, 60 % busy",
    ("single", f"{SERVICE_PER_S}", "1"),
    "PASS",
    figures,
    load=("--arrivals", "poisson"),
    objective="p95 < 400ms",
    rate_per_s=ARRIVALS_PER_S,
    peers=True,
)
"""exp(-40 x 0.4) of the requests take longer than the limit, one in nine million; and the slowest 5 % begin at 75 ms,
under a quarter of it, so that how they crowd together bears on nothing."""

QUEUE_SLOW = Truth(
    "M/M/1, limit too low",
    ("single", f"{SERVICE_PER_S}", "2"),
    "FAIL",
    lambda record: figures(record)[:4],
    load=("--arrivals", "poisson"),
    objective="p95 < 30ms",
    rate_per_s=ARRIVALS_PER_S,
)
"""exp(-40 x 0.03) = 30 % take longer than the limit, six times the budget."""
