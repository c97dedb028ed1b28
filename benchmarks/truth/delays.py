"""Every request is held for a known while, however many there are: a fixed delay, and a lognormal one.

The p-quantile of the lognormal is ``median exp(sigma z_p)``, z_p that of the standard normal (Johnson, Kotz,
Balakrishnan, Continuous Univariate Distributions 1, 14). The server's points fill the distribution evenly, so there is
no sampling error but that of such points, about ``ln(n) / n`` in probability (Kuipers, Niederreiter, Uniform
Distribution of Sequences, chapter 2); over the density it is one in ms.
"""

from __future__ import annotations

from dataclasses import replace
from math import exp, log, pi, sqrt
from statistics import NormalDist

from benchmarks.truth.record import Record
from benchmarks.truth.truth import Figure, Truth, times

MEDIAN_MS, SIGMA, RATE_PER_S = 50.0, 0.5, 100


def lognormal_ms(p: float) -> float:
    """The closed form."""
    return MEDIAN_MS * exp(SIGMA * NormalDist().inv_cdf(p))


def discrepancy_ms(p: float, n: int) -> float:
    """``ln(n) / n`` over the lognormal density at the p-quantile; the upper end's rank counts one more."""
    z = NormalDist().inv_cdf(p)
    density_per_ms = exp(-z * z / 2) / (sqrt(2 * pi) * SIGMA * lognormal_ms(p))
    return (log(max(n, 2)) + 1) / max(n, 2) / density_per_ms


def lognormal_figures(record: Record) -> list[Figure]:
    """Percentiles."""

    def off(p: float) -> float:
        return discrepancy_ms(p, record.requests)

    return times(lognormal_ms, record, below=off, above=off)


def fixed(delay_ms: float, objective: str, verdict: str) -> Truth:
    """All percentiles are the delay."""
    return Truth(
        f"fixed delay {delay_ms:g} ms",
        ("delay", f"{delay_ms:g}", "0"),
        verdict,
        lambda record: times(lambda _: delay_ms, record, (50, 95, 99)),
        objective=objective,
        rate_per_s=RATE_PER_S,
        peers=True,
    )


FIXED_20 = fixed(20, "p95 < 19ms", "FAIL")
"""Every request takes longer than the limit."""
FIXED_100 = fixed(100, "p95 < 500ms", "PASS")
"""All are under a quarter of the limit, so that it bears on nothing how those crowd that the machine was busy for."""
LOGNORMAL = Truth(
    "lognormal",
    ("delay", f"{MEDIAN_MS:g}", f"{SIGMA:g}"),
    "PASS",
    lognormal_figures,
    objective="p95 < 200ms",
    rate_per_s=RATE_PER_S,
    peers=True,
)
"""``P(z > ln(4) / 0.5)`` = 0.28 % take longer than the limit, of 5 %."""
LOGNORMAL_TWO = replace(LOGNORMAL, name="lognormal, 2 workers", load=("--processes", "2"), peers=False)
"""Each worker has half of the arrivals; counts are added, percentiles are not averaged."""
