"""Where a warm-up ends, read off a signal itself: MSER-5; and whether the signal drifts through the whole window.

MSER-5 (White, Cobb and Spratt 2000) leaves out as many first batches as make the standard error of the mean of the
rest smallest. It knows nothing of objectives. It cuts into noise, the more so the fewer batches there are: of three
stationary signals of 60 s one is cut at the boundary in 20 % of the runs. So a long cut alone is no proof of a drift,
and :func:`drift` is asked too.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

__all__ = ["BATCH", "FloatArray", "drift", "truncation"]

BATCH = 5
"""Values in a batch."""
WAVES = 12
"""Slowest cosine waves that the scatter of a signal without drift is read from."""
NOTHING = 1e-18
"""Power under which there is only rounding."""

FloatArray = NDArray[np.float64]


def truncation(values: FloatArray) -> int:
    """Return how many first values to leave out, at most half of the batches.

    With batch means Z_1 .. Z_n, the d <= n/2 that minimises ``sum_{i>d} (Z_i - mean)^2 / (n - d)^2``, the smallest of
    equal ones. Values after the last whole batch are not looked at.

    Args:
        values: one a second, shape (T,).

    """
    n = len(values) // BATCH
    if n < 2:
        return 0
    means = values[: n * BATCH].reshape(n, BATCH).mean(axis=1)
    centred = means - means.mean()  # so that what cancels is no larger than the scatter
    kept = np.arange(n, 0, -1.0)
    sums, squares = (np.cumsum(x[::-1])[::-1] for x in (centred, centred**2))
    error = np.maximum(squares - sums**2 / kept, NOTHING) / kept**2
    return int(np.argmin(error[: n // 2 + 1])) * BATCH


def drift(values: FloatArray) -> float:
    """Return the chance that a signal without drift has a slowest wave as strong as this one has.

    ``W_j = sqrt(2/T) sum_t x_t cos(pi j (t + 1/2) / T)``, each divided by the spectrum of an AR(1) signal with the
    lag-one correlation of the residuals of a straight line: then all W_j of a stationary signal scatter alike, and
    ``W_1^2 / mean(W_2^2 .. W_12^2)`` is F(1, 11). A slope has 98.6 % of its power in W_1, a step in the middle 81 %.

    Args:
        values: one a second, shape (T,), T > 12.

    """
    seconds = len(values)
    centred = values - values.mean()
    angles = np.pi * np.outer(np.arange(1, WAVES + 1), np.arange(seconds) + 0.5) / seconds
    power = (math.sqrt(2 / seconds) * np.cos(angles) @ centred) ** 2
    time = np.arange(seconds) - (seconds - 1) / 2
    residuals = centred - time * (time @ centred) / (time @ time)
    if power[1:].sum() <= NOTHING:
        return 1.0 if power[0] <= NOTHING else 0.0
    correlation = float(residuals[1:] @ residuals[:-1] / (residuals @ residuals)) + 4 / seconds  # 4/T is its bias
    memory = min(max(correlation, 0.0), 0.95)
    power *= 1 - 2 * memory * np.cos(np.pi * np.arange(1, WAVES + 1) / seconds) + memory**2
    return float(fdtrc(1, WAVES - 1, power[0] / power[1:].mean()))
