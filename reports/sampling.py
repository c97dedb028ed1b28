"""Which percentiles a sample carries: ten requests must lie beyond one before it is printed or drawn."""

from __future__ import annotations

import math
from fractions import Fraction

from loadtests.histogram import Histogram

__all__ = ["BEYOND", "highest_percentile", "missing", "percentile_ns"]

BEYOND = 10
"""Requests that must lie beyond a percentile."""


def missing(percentile: float, n: int) -> int:
    """How many more requests it takes until ten of them lie beyond a percentile; 0 when they do.

    Exact decimals: in floating point ``10 / (1 - .999)`` is a little over 10 000.
    """
    return max(0, math.ceil(BEYOND / (1 - Fraction(str(percentile)) / 100)) - n)


def percentile_ns(histogram: Histogram, percentile: float) -> float | None:
    """A percentile in ns, or None when the sample does not carry it."""
    if missing(percentile, histogram.total):
        return None
    value = histogram.percentile_us(percentile)
    return None if value is None else value * 1000


def highest_percentile(n: int) -> float:
    """The highest percentile that ``n`` requests carry, 0 when they carry none."""
    return max(0.0, 100 * (1 - BEYOND / n)) if n else 0.0
