"""How many there are of each class: by weight, at every number of users or members."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["next_class"]


def next_class(counts: Sequence[int], weights: Sequence[float]) -> int:
    """Which class one more is of, where there are so many of each already."""
    return min(range(len(weights)), key=lambda k: (counts[k] + 1) / weights[k])
