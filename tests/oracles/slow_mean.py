"""Bounds of a mean rate in plain loops, from the formula of docs/measurement.md: slow, and easy to check."""

import math

from tests.oracles.slow_gate import student_quantile


def mean_bounds(per_s):
    """Return (mean, lower, upper): mean -+ t_m sqrt(sum W_j^2 / (m T)), from the m slowest cosine waves."""
    seconds = len(per_s)
    m = 6 if seconds >= 60 else 4
    mean = math.fsum(per_s) / seconds
    power = 0.0
    for j in range(1, m + 1):
        wave = math.fsum((per_s[t] - mean) * math.cos(math.pi * j * (t + 0.5) / seconds) for t in range(seconds))
        power += 2 / seconds * wave * wave
    half = student_quantile(0.95, m) * math.sqrt(power / (m * seconds))
    return mean, max(0.0, mean - half), mean + half
