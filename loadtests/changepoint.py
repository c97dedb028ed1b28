"""Steps in a signal: the segments that explain it best, and what kind of course they make.

The optimum is the one that PELT (Killick, Fearnhead and Eckley 2012) finds with a normal cost, here by the full dynamic
programme: for at most 600 values that takes 20 ms, where the PELT of ``ruptures`` takes seconds. The tests hold the one
against the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

import numpy as np

from loadtests.mser import FloatArray

__all__ = ["Course", "Segment", "Shape", "course", "segments"]

LEAST = 5
"""Values in a segment, at least."""
MOST = 600
"""Values that are looked at; more are averaged."""
PENALTY = 15.0
"""What a further segment must gain, times ln n (Barrett et al. 2017)."""
FLOOR = 1e-6
"""Added to each variance, so that a constant segment has a cost."""
ALIKE_MS = 1.0
"""Segments whose means differ by no more are alike."""


class Shape(Enum):
    """The course of a run."""

    FLAT = "flat"
    WARM_UP = "warm-up"
    SLOWDOWN = "slowdown"
    NONE = "no steady state"


@dataclass(frozen=True, slots=True)
class Segment:
    """Values ``start`` to ``end`` (exclusive), their mean and standard deviation."""

    start: int
    end: int
    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class Course:
    """What the segments make: ``shape``, and from which value on the last level holds."""

    shape: Shape
    settled_from: int
    segments: tuple[Segment, ...]


def segments(values: FloatArray) -> tuple[Segment, ...]:
    """Return the segmentation with the least ``sum n_i ln(variance_i) + 15 ln n (segments - 1)``.

    Args:
        values: in ms, shape (T,), at most 600 of them.

    """
    n = len(values)
    if n < 2 * LEAST:
        return (_segment(values, 0, n),)
    centred = values - values.mean()
    sums, squares = (np.concatenate(([0.0], np.cumsum(x))) for x in (centred, centred**2))
    penalty = PENALTY * math.log(n)
    best, before = np.full(n + 1, np.inf), np.zeros(n + 1, dtype=np.int64)
    best[0] = -penalty
    for end in range(LEAST, n + 1):
        starts = np.arange(end - LEAST + 1)
        length = end - starts
        variance = (squares[end] - squares[starts]) / length - ((sums[end] - sums[starts]) / length) ** 2
        total = best[starts] + length * np.log(np.maximum(variance, 0.0) + FLOOR) + penalty
        before[end] = int(np.argmin(total))
        best[end] = total[before[end]]
    ends = [n]
    while before[ends[-1]]:
        ends.append(int(before[ends[-1]]))
    edges = [0, *reversed(ends)]
    return tuple(_segment(values, a, b) for a, b in pairwise(edges))


def course(values: FloatArray) -> Course:
    """Class the course of a response time.

    Segments are alike whose means differ from the last one's by at most its standard deviation or 1 ms. Flat: all are.
    No steady state: those at the end hold less than the last quarter. Otherwise warm-up if all before were slower, and
    slowdown if one was quicker.

    Args:
        values: in ms, one a second, shape (T,).

    """
    width = -(-len(values) // MOST)
    whole = len(values) // width * width
    found = segments(values[:whole].reshape(-1, width).mean(axis=1))
    last = found[-1]
    alike = max(last.deviation, ALIKE_MS)
    unlike = [segment for segment in found if abs(segment.mean - last.mean) > alike]
    settled_from = unlike[-1].end if unlike else 0
    if not unlike:
        shape = Shape.FLAT
    elif 4 * settled_from > 3 * last.end:
        shape = Shape.NONE
    else:
        shape = Shape.WARM_UP if all(segment.mean > last.mean for segment in unlike) else Shape.SLOWDOWN
    return Course(shape, settled_from * width, found)


def _segment(values: FloatArray, start: int, end: int) -> Segment:
    part = values[start:end]
    return Segment(start, end, float(part.mean()), float(part.std()))
