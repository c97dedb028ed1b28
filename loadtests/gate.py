"""The gate: tell whether the bad fraction of a run is below its budget, above it, or not yet known.

One rule for every objective: Clopper-Pearson bounds on the *effective* number of requests, so that dependence widens
them (docs/measurement.md, "The gate"). Pure functions of per-second counts; they know of no run and no file.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaincinv

from loadtests.effective import IntArray, effective_share, lag_1, own_series, spread_df, student_factor

__all__ = [
    "LEAST_SECONDS",
    "LONGEST_WAIT",
    "Decision",
    "GateResult",
    "clopper_pearson",
    "effective_samples_beyond",
    "effective_share",
    "gate",
    "minimum_samples",
    "own_series",
    "quantile_bounds",
]

LEAST_SECONDS = 30
"""Under this much steady state nothing is known about dependence: nothing is decided that is not certain under any."""
LONGEST_WAIT = 50.0
"""A run that would have to be longer by more than this factor is not decided by waiting."""


class Decision(Enum):
    """What the evidence allows to say."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class GateResult:
    """The decision with everything it rests on.

    Fractions are 0 to 1. ``observed`` is None when there was no request. ``design_effect`` is D of the series that
    decided ``n_effective``. ``needs_factor`` is how many times as long the steady state must be for the same bad
    fraction to be decided: 1 when it is, None when waiting would not do it.
    """

    status: Decision
    seconds: int
    n: int
    bad: int
    n_effective: float
    observed: float | None
    lower: float
    upper: float
    budget: float
    design_effect: float
    needs_factor: float | None
    incident: bool
    lag_1: float = 0.0  # of the bad fractions of neighbouring seconds
    notes: tuple[str, ...] = ()


def clopper_pearson(k: float, n: float, alpha: float = 0.05) -> tuple[float, float]:
    """Return the exact lower and upper bound of a fraction, each wrong with probability at most ``alpha``.

    ``lower = BetaInv(alpha; k, n-k+1)``, 0 if k = 0;  ``upper = BetaInv(1-alpha; k+1, n-k)``, 1 if k = n. Both k events
    and n trials may be fractional, as effective numbers are.
    """
    lower = 0.0 if k <= 0 else float(betaincinv(k, n - k + 1, alpha))
    upper = 1.0 if k >= n else float(betaincinv(k + 1, n - k, 1 - alpha))
    return lower, upper


def gate(
    counts: IntArray,
    bad: IntArray,
    budget: float,
    *,
    own: Sequence[IntArray] = (),
    burst: float = 1.0,
    alpha: float = 0.05,
) -> GateResult:
    """Decide whether the bad fraction is below ``budget``.

    ``n_e = n min(E(v) over bad and own, 1/burst)``, ``k_e = n_e S/n``; PASS if the upper bound of (k_e, n_e) is within
    the budget, FAIL if the lower one is beyond it. By Markov's inequality a fraction of budget/alpha is a FAIL under
    any dependence, which is what lets a five-second outage fail a budget of 0.1 %: E f <= B gives P(f >= B/alpha) <=
    alpha, however long the run. So that is also all that can be said of one under ``LEAST_SECONDS``, whose bounds rest
    on a dependence that nobody knows.

    Args:
        counts: requests per full second of the steady state, by intended start, shape (T,).
        bad: the bad ones among them, shape (T,).
        budget: B, the allowed bad fraction, between 0 and 1.
        own: the run's own slow series (``own_series``) for a latency objective; none for errors.
        burst: size in requests of the smallest error burst that a PASS must rule out.
        alpha: probability of a wrong PASS, and of a wrong FAIL, at the budget.

    Raises:
        ValueError: the budget, burst or arrays make no sense.

    """
    _check(counts, bad, budget, own, burst)
    n, total_bad, seconds = int(counts.sum()), int(bad.sum()), len(counts)
    if n == 0:
        note = ("no request in the steady state",)
        return GateResult(
            Decision.INCONCLUSIVE, seconds, 0, 0, 0.0, None, 0.0, 1.0, budget, 1.0, None, incident=False, notes=note
        )
    observed = total_bad / n
    n_effective, dependence = _effective(counts, (bad, *own), burst, alpha)
    lower, upper = clopper_pearson(observed * n_effective, n_effective, alpha)
    if observed >= budget / alpha:
        status = Decision.FAIL
    elif seconds < LEAST_SECONDS:
        status = Decision.INCONCLUSIVE
    elif upper <= budget:
        status = Decision.PASS
    elif lower > budget:
        status = Decision.FAIL
    else:
        status = Decision.INCONCLUSIVE
    needs = _needs_factor(observed, n_effective, budget, alpha, seconds) if status is Decision.INCONCLUSIVE else 1.0
    result = GateResult(
        status=status,
        seconds=seconds,
        n=n,
        bad=total_bad,
        n_effective=n_effective,
        observed=observed,
        lower=lower,
        upper=upper,
        budget=budget,
        design_effect=dependence,
        needs_factor=needs,
        incident=_incident(bad),
        lag_1=lag_1(bad, counts),
    )
    return replace(result, notes=_notes(result))


def quantile_bounds(percentile: float, n_effective: float, alpha: float = 0.05) -> tuple[float, float]:
    """Return the two percentiles whose empirical values bracket the true ``percentile`` (Woodruff's interval).

    They are the two-sided Clopper-Pearson bounds of p from (p n_e, n_e): a display interval of confidence 1 - alpha.
    All percentiles are 0 to 100.
    """
    p = percentile / 100
    lower, upper = clopper_pearson(p * n_effective, n_effective, alpha / 2)
    return 100 * lower, 100 * upper


def effective_samples_beyond(percentile: float, n_effective: float) -> float:
    """Return how many effective samples lie beyond a percentile; with fewer than 10 it must not be printed."""
    return float(1 - Fraction(str(percentile)) / 100) * n_effective


def minimum_samples(percentile: float, beyond: int = 10) -> int:
    """Return the N of "n/a (needs N)": the effective samples at which ``beyond`` of them lie beyond a percentile.

    10 beyond: 200 for p95, 1 000 for p99, 10 000 for p99.9, 100 000 for p99.99. Exact decimals, since in floating
    point 10 / (1 - .9999) is a little over 100 000 and would round up.
    """
    return math.ceil(beyond / (1 - Fraction(str(percentile)) / 100))


def _check(counts: IntArray, bad: IntArray, budget: float, own: Sequence[IntArray], burst: float) -> None:
    if not 0 < budget < 1:
        raise ValueError(f"budget must be a fraction between 0 and 1, not {budget}")
    if burst < 1:
        raise ValueError(f"burst must be at least one request, not {burst}")
    for series in (bad, *own):
        if series.shape != counts.shape:
            raise ValueError(f"{series.shape} and {counts.shape}: every series needs one count a second")
        if np.any(series < 0) or np.any(series > counts):
            raise ValueError("a second cannot have more events than requests, nor fewer than none")


def _effective(counts: IntArray, series: Sequence[IntArray], burst: float, alpha: float) -> tuple[float, float]:
    """Return n_e and D = (n/n_e) (z/t)^2 of the series with the smallest share; or, where bursts weigh more, theirs."""
    n = int(counts.sum())
    shares = [effective_share(v, counts, alpha) for v in series]
    least = min(shares)
    if 1 / burst <= least:
        return n / burst, burst
    events = int(series[shares.index(least)].sum())
    return n * least, student_factor(spread_df(events, len(counts)), alpha) / least


def _needs_factor(observed: float, n_effective: float, budget: float, alpha: float, seconds: int) -> float | None:
    """Return the smallest s >= 1 at which the same bad fraction on s n_e would be decided, or None beyond 50."""

    def short_by(s: float) -> float:  # falls with s; decided once it is 0
        lower, upper = clopper_pearson(observed * s * n_effective, s * n_effective, alpha)
        return upper - budget if observed < budget else budget - lower

    if short_by(LONGEST_WAIT) > 0:
        return None
    factor = 1.0 if short_by(1.0) <= 0 else float(brentq(short_by, 1.0, LONGEST_WAIT))
    return max(factor, LEAST_SECONDS / seconds)


def _incident(bad: IntArray) -> bool:
    """Tell whether five seconds in a row hold over half of the bad requests; a single one is no incident."""
    total = int(bad.sum())
    return total > 1 and 2 * int(np.convolve(bad, np.ones(5, dtype=np.int64)).max()) > total


def _notes(result: GateResult) -> tuple[str, ...]:
    """Return the sentences that have to be said with this result, most important first."""
    notes = []
    if result.seconds < LEAST_SECONDS:
        notes.append(f"under {LEAST_SECONDS} s of steady state nothing is known about dependence")
    if result.status is Decision.INCONCLUSIVE:
        worth = (
            f"{result.n:,} requests are worth {result.n_effective:,.0f} independent ones (D {result.design_effect:.1f})"
        )
        longer = "not by waiting"
        if result.needs_factor is not None:
            longer = f"needs about {math.ceil(result.needs_factor * result.seconds):,} s of steady state"
        notes.append(f"{worth}: {longer}")
    if result.status is Decision.PASS and result.bad == 0:
        # A Poisson number of bursts with mean 3 is absent from 5 % of the runs; 3 bursts of n B / 3 make the budget.
        unseen = result.n * result.budget / 3
        notes.append(
            f"no bad request in {result.n:,}: rules out single ones at {100 * result.upper:.2g} %;"
            f" would have missed bursts of more than {unseen:,.0f} requests"
        )
    if result.incident:
        notes.append("one incident: whether it is typical needs more runs")
    if LEAST_SECONDS <= result.seconds < 60:
        notes.append(f"modulation slower than {result.seconds / 6:.0f} s is not seen")
    return tuple(notes)
