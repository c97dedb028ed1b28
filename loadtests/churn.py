"""For how long members that come and go are there, and away."""

from __future__ import annotations

import random

__all__ = ["Churn"]

LONGEST_ABSENCE_S = 1.0
"""On average."""


class Churn:
    """So many of them leave in a second, all together; stays and absences are exponential.

    A round, a stay and the absence after it, takes ``count / per_s`` on average. Of that a member is away for a second,
    or for half of it where it is shorter than two. What connecting takes comes on top.
    """

    def __init__(self, per_s: float, count: int) -> None:
        round_s = count / per_s
        self._absence_s = min(LONGEST_ABSENCE_S, round_s / 2)
        self._stay_s = round_s - self._absence_s

    def stay_s(self, draw: random.Random) -> float:
        """From its being connected until it leaves."""
        return draw.expovariate(1 / self._stay_s)

    def absence_s(self, draw: random.Random) -> float:
        """From then until it comes again."""
        return draw.expovariate(1 / self._absence_s)
