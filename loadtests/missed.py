"""What was published while its subscribers' connections were lost: whether it came after all, once that is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from loadtests.duration import NS_PER_S

__all__ = ["Missed", "MissedSecond"]


class MissedSecond(NamedTuple):
    """Deliveries that were missed in a second of CLOCK_MONOTONIC: so many came after all, and so many never did."""

    second: int
    came: int
    never: int


class Missed:
    """Deliveries by the second in which they were sent. Each is told of once: as it comes, or is given up for good."""

    def __init__(self) -> None:
        self._came: Counter[int] = Counter()
        self._never: Counter[int] = Counter()

    def came(self, sent_ns: int, n: int) -> None:
        """So many were recovered."""
        if n:
            self._came[sent_ns // NS_PER_S] += n

    def never_came(self, sent_ns: int, n: int) -> None:
        """So many are waited for no longer."""
        if n:
            self._never[sent_ns // NS_PER_S] += n

    def take(self) -> Iterator[MissedSecond]:
        """What has been decided since the last call."""
        came, never = self._came, self._never
        self._came, self._never = Counter(), Counter()
        for second in sorted(came.keys() | never.keys()):
            yield MissedSecond(second, came[second], never[second])
