"""How many independent requests a run is worth: the effective share, read off the run's own slow waves.

Requests of one run are not independent: one slow second slows all its neighbours, and an interval that ignores it is
far too narrow. What matters is only the slow part of that dependence, because a fraction over the whole run averages
the fast part away. So the share is taken from the few slowest cosine waves of the per-second counts, and Student's t
pays for their being few (docs/measurement.md, "Effective requests").

Every array here has one entry for each full second of the steady state, in order of the intended start.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtrit

__all__ = [
    "BLOCKS",
    "NEAR",
    "RARE",
    "IntArray",
    "design_effect",
    "effective_share",
    "own_series",
    "spread_df",
    "student_factor",
    "waves",
]

IntArray = npt.NDArray[np.integer[Any]]

RARE = 20
"""Below this many events a wave is noise: the spread is taken over blocks instead."""
BLOCKS = 20
"""How many blocks a series of rare events is cut into."""

NEAR = 0.25
"""Own slow requests bear on a latency limit when the slowest B of them begin at this share of it, or above.

How requests of 20 ms crowd together says nothing of how those over 200 ms would. And where the truth is at the limit,
the slowest B begin near it, whatever the service: a factor of four is more than runs of a minute scatter by.
"""


def waves(seconds: int) -> int:
    """Return how many of the slowest cosine waves are read: 6, or 4 under a minute.

    Wave j has a period of 2 T / j seconds. Their mean power stands for that of an infinitely slow wave, which is what
    widens a fraction over the whole run: right as long as the service forgets well within T / 6. A run of a few seconds
    has fewer waves than that; its share is a number, but the gate refuses to decide on it.
    """
    return max(1, min(6 if seconds >= 60 else 4, seconds - 1))


def spread_df(events: int, seconds: int) -> int:
    """Return the degrees of freedom of the spread of ``events`` over ``seconds``: its waves, or its blocks less one."""
    return waves(seconds) if events >= RARE else BLOCKS - 1


def student_factor(df: int, alpha: float = 0.05) -> float:
    """Return ``(z / t_df)^2``, the price of few degrees of freedom: .717 for 6, .595 for 4, .905 for 19."""
    return float((ndtri(1 - alpha) / stdtrit(df, 1 - alpha)) ** 2)


def design_effect(series: IntArray, counts: IntArray) -> float:
    r"""Return by how much dependence widens the spread of ``series / counts``, at least 1.

    With T seconds, ``c_t`` requests and ``v_t`` events in second t, n = sum c, V = sum v, q = V/n, z_t = v_t - q c_t::

        V >= 20:  W_j = sqrt(2/T) sum_t z_t cos(pi j (t + 1/2) / T),  j = 1..m;   var = (T/m) sum_j W_j^2 / n^2
        V <  20:  Z_k = sum of z_t over seconds floor(kT/20) .. floor((k+1)T/20) - 1;   var = (20/19) sum_k Z_k^2 / n^2
        design effect = max(1, var / (q (1-q) / n))

    It is 1 where there is nothing to spread: no event, or nothing but events.

    Args:
        series: events per second, shape (T,).
        counts: requests per second, shape (T,); seconds without a request are allowed.

    """
    n, events, seconds = int(counts.sum()), int(series.sum()), len(counts)
    if events in (0, n):
        return 1.0
    q = events / n
    excess = series - q * counts
    if events >= RARE:
        m = waves(seconds)
        angles = np.pi * np.outer(np.arange(1, m + 1), np.arange(seconds) + 0.5) / seconds
        amplitudes = math.sqrt(2 / seconds) * np.cos(angles) @ excess
        variance = seconds / m * float(amplitudes @ amplitudes) / n**2
    else:
        edges = np.arange(BLOCKS + 1) * seconds // BLOCKS
        blocks = np.diff(np.concatenate(([0.0], np.cumsum(excess)))[edges])
        variance = BLOCKS / (BLOCKS - 1) * float(blocks @ blocks) / n**2
    return max(1.0, variance / (q * (1 - q) / n))


def lag_1(series: IntArray, counts: IntArray) -> float:
    """Return the correlation of ``series / counts`` between neighbouring seconds: about 0 of independent requests.

    ``sum z_t z_{t+1} / sum z_t^2`` with ``z`` as in :func:`design_effect`; told only, the effect itself decides.
    """
    excess = series - series.sum() / max(1, int(counts.sum())) * counts
    spread = float(excess @ excess)
    return float(excess[:-1] @ excess[1:]) / spread if spread else 0.0


def effective_share(series: IntArray, counts: IntArray, alpha: float = 0.05) -> float:
    """Return E(v), the share of the requests that count as independent evidence about ``series``.

    ``E(v) = (z / t_df)^2 / design effect``, and 1 where there is nothing to spread (no event, or nothing but events).

    Args:
        series: events per second, shape (T,).
        counts: requests per second, shape (T,).
        alpha: one-sided error of the bounds that the share is for.

    """
    events = int(series.sum())
    if events in (0, int(counts.sum())):
        return 1.0
    return student_factor(spread_df(events, len(counts)), alpha) / design_effect(series, counts)


def own_series(slow_counts: IntArray, failed: IntArray, budget: float) -> list[IntArray]:
    """Return the run's own slow requests per second: its slowest B, 2B and 5B (at most half).

    A run with few or no bad requests says nothing about how bad requests would cluster; its own slowest ones do. Each
    series counts what lies above the histogram edge that has nearest to f n requests above it, and at least one (of
    two equally near edges, the lower). A failed request is infinitely slow.

    Args:
        slow_counts: answered requests, shape (T, buckets), response times ascending; empty buckets may be left out.
        failed: failed requests, not in any bucket, shape (T,).
        budget: B, the allowed bad fraction.

    """
    per_bucket = slow_counts.sum(axis=0, dtype=np.int64)
    above = int(failed.sum()) + np.append(np.cumsum(per_bucket[::-1])[::-1], 0)  # of the edge below bucket i
    n = int(above[0])

    def slowest(fraction: float) -> IntArray:
        distance = np.where(above >= 1, np.abs(above - fraction * n), np.inf)
        edge = int(np.argmin(distance))
        return np.asarray(slow_counts[:, edge:].sum(axis=1, dtype=np.int64) + failed)

    return [slowest(min(factor * budget, 0.5)) for factor in (1, 2, 5)]
