"""Bounds of a mean over seconds, such as a throughput."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from loadtests.effective import waves
from loadtests.gate import LEAST_SECONDS

__all__ = ["mean_bounds"]


def mean_bounds(per_s: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Bounds of a mean from the slow waves of its seconds, as in the gate; infinite where nothing is known."""
    seconds, mean = len(per_s), float(per_s.mean())
    if seconds < LEAST_SECONDS:
        return -math.inf, math.inf
    m = waves(seconds)
    angles = np.pi * np.outer(np.arange(1, m + 1), np.arange(seconds) + 0.5) / seconds
    amplitudes = math.sqrt(2 / seconds) * np.cos(angles) @ (per_s - mean)
    half = float(stdtrit(m, 0.95)) * math.sqrt(float(amplitudes @ amplitudes) / m / seconds)
    return max(0.0, mean - half), mean + half
