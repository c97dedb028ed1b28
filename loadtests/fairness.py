"""How evenly subscribers were served, with bounds.

Jain's index (Jain, Chiu and Hawe, DEC-TR-301, 1984) of what N subscribers waited on average, m_i with mean M and
variance V: (sum m)^2 / (N sum m^2) = 1 / (1 + V / M^2). It is 1 where all wait alike, 1/n where one of n bears it all.

Each average was measured with noise, which looks like unfairness: V of what was measured is too large. So the averages
are taken over two halves of the time apart, a and b. Their noise is not the same noise, so the covariance C of a and b
over the subscribers has V for its expectation. With noise variances A and B, which are var(a) - C and var(b) - C but
for N / (N - 1), the subscribers being given, var(C) = (V (A + B) + A B) / N. What delays all alike cancels in C, and
the mean is taken as it was.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

__all__ = ["Fairness"]

ALPHA = 0.05


@dataclass(frozen=True)
class Fairness:
    """Sums over subscribers, of one process or of all, of both halves' averages (us), their squares and products."""

    subscribers: int = 0
    a: float = 0.0
    b: float = 0.0
    aa: float = 0.0
    bb: float = 0.0
    ab: float = 0.0

    @classmethod
    def of(cls, averages_us: npt.NDArray[np.float64]) -> Fairness:
        """Of subscribers' averages, shape (subscribers, 2)."""
        a, b = averages_us.T
        return cls(len(a), float(a.sum()), float(b.sum()), float(a @ a), float(b @ b), float(a @ b))

    @classmethod
    def together(cls, parts: Iterable[Fairness]) -> Fairness:
        """Of all processes."""
        rows = [(p.subscribers, p.a, p.b, p.aa, p.bb, p.ab) for p in parts]
        subscribers, *sums = (sum(column) for column in zip(*rows, strict=True)) if rows else (0,) * 6
        return cls(int(subscribers), *sums)

    @property
    def known(self) -> bool:
        """Whether there is anything to compare."""
        return self.subscribers > 1 and self.mean_us > 0

    @property
    def mean_us(self) -> float:
        """What they waited on average; 0 of nobody."""
        return (self.a + self.b) / 2 / self.subscribers if self.subscribers else 0.0

    @property
    def index(self) -> float | None:
        """Jain's index as far as it can be told from noise; None where nobody could be treated unlike another."""
        return _jain(max(0.0, self._covariance), self.mean_us) if self.known else None

    def bounds(self, clock_us: float = 0.0, own_us: float = 0.0) -> tuple[float, float]:
        """The index is not below the first, nor above the second, at 95 % each.

        Args:
            clock_us: by how much all times may be wrong alike.
            own_us: how much longer the generator itself may have let one subscriber's deliveries wait than another's:
                values that differ by so much have a variance of a quarter of its square at most, which may not be the
                server's doing.

        """
        if not self.known:
            return 0.0, 1.0
        n, c = self.subscribers, self._covariance
        noise_a, noise_b = (
            max(0.0, squares / n - (total / n) ** 2 - c) * n / (n - 1)
            for squares, total in ((self.aa, self.a), (self.bb, self.b))
        )
        deviation = math.sqrt((max(0.0, c) * (noise_a + noise_b) + noise_a * noise_b) / n)
        half = float(stdtrit(n - 1, 1 - ALPHA)) * deviation
        most, least = max(0.0, c) + half, max(0.0, math.sqrt(max(0.0, c - half)) - own_us / 2) ** 2
        return _jain(most, max(0.0, self.mean_us - clock_us)), _jain(least, self.mean_us + clock_us)

    @property
    def _covariance(self) -> float:
        return self.ab / self.subscribers - self.a * self.b / self.subscribers**2


def _jain(variance: float, mean: float) -> float:
    if not variance:
        return 1.0
    return 1 / (1 + variance / mean**2) if mean else 0.0
