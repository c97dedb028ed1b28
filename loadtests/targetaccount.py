"""The target's own account of itself: series read about once a second, and what they come to over the steady state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

__all__ = ["COUNTER", "GAUGE", "TargetAccount", "TargetSeries"]

COUNTER, GAUGE = "counter", "gauge"


@dataclass
class TargetSeries:
    """One series: when it was read, in seconds from the run's start, and its value."""

    name: str
    kind: str
    points: list[tuple[float, float]] = field(default_factory=list)

    def increases(self) -> list[tuple[float, float, float]]:
        """From, until and by how much, between readings; a counter that fell began again at 0."""
        return [(a_s, b_s, b - a if b >= a else b) for (a_s, a), (b_s, b) in pairwise(self.points)]

    def growth(self, seconds: Iterable[int]) -> tuple[float, float] | None:
        """By how much a counter grew in some seconds, and in how many of them; None where it was read too seldom.

        What it grew between two readings belongs to the second in the middle of them.
        """
        wanted = set(seconds)
        found = [(b_s - a_s, n) for a_s, b_s, n in self.increases() if (a_s + b_s) // 2 in wanted]
        covered_s = sum(length_s for length_s, _ in found)
        return (sum(n for _, n in found), covered_s) if covered_s > 0 else None

    def values(self, seconds: Iterable[int]) -> list[float]:
        """What was read in some seconds."""
        wanted = set(seconds)
        return [value for at_s, value in self.points if at_s // 1 in wanted]


@dataclass
class TargetAccount:
    """Every series by name, and the seconds that could not be read, each with its reason."""

    series: dict[str, TargetSeries] = field(default_factory=dict)
    missing: list[tuple[float, str]] = field(default_factory=list)
    read_at_s: list[float] = field(default_factory=list)
    left_out: str = ""
    """What was first not kept, and why."""

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> TargetAccount:
        """From the lines of ``target.jsonl``: series as they appear, then values in that order."""
        account = cls()
        order: list[TargetSeries] = []
        for row in rows:
            for name, kind in row.get("series", ()):
                order.append(account.series.setdefault(str(name), TargetSeries(str(name), str(kind))))
            account.left_out = account.left_out or str(row.get("left_out", ""))
            if "missing" in row:
                account.missing.append((float(row["at_s"]), str(row["missing"])))
            elif "values" in row:
                account.read_at_s.append(float(row["at_s"]))
                for series, value in zip(order, row["values"], strict=False):
                    if value is not None:
                        series.points.append((float(row["at_s"]), float(value)))
        return account
