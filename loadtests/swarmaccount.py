"""What a swarm says of itself beside its series and its ledger: how connections ended, and how evenly it was served."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["SwarmAccount"]


@dataclass(frozen=True)
class SwarmAccount:
    """Of one process, or of all.

    Attributes:
        closes: how many connections ended so, by who and why: ``the server: closed 1012``.
        subscribers, mean_us, mean_us_squared: how many subscribers had deliveries, and the sums of their mean delivery
            times and of these squared.
        slow: the ledger of the members that were slow on purpose; empty without any.
        stamped: how many deliveries were timed from a stamp of the server's clock.
        clock: that clock, where it was asked: ``offset_ms``, ``uncertainty_us``, ``drift_ppm``.

    """

    closes: Mapping[str, int] = field(default_factory=dict)
    subscribers: int = 0
    mean_us: float = 0.0
    mean_us_squared: float = 0.0
    slow: Mapping[str, int] = field(default_factory=dict)
    stamped: int = 0
    clock: Mapping[str, float] = field(default_factory=dict)

    @property
    def fairness(self) -> float | None:
        """Jain's index of the subscribers' mean delivery times (Jain, Chiu and Hawe, DEC-TR-301, 1984).

        1 where all wait alike, 1/n where one of n bears all of it; None of nobody.
        """
        if not self.mean_us_squared:
            return None
        return self.mean_us**2 / (self.subscribers * self.mean_us_squared)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def together(cls, rows: Iterable[Mapping[str, Any]]) -> SwarmAccount:
        """The account of all processes, from theirs in :meth:`to_json`'s form."""
        closes: Counter[str] = Counter()
        slow: Counter[str] = Counter()
        sums, stamped = [0.0, 0.0, 0.0], 0
        clocks: list[Mapping[str, float]] = []
        for row in rows:
            closes.update(row["closes"])
            slow.update(row["slow"])
            stamped += row["stamped"]
            clocks += [row["clock"]] if row["clock"] else []
            for at, name in enumerate(("subscribers", "mean_us", "mean_us_squared")):
                sums[at] += row[name]
        worst: Mapping[str, float] = max(clocks, key=lambda clock: float(clock["uncertainty_us"]), default={})
        return cls(dict(closes), round(sums[0]), sums[1], sums[2], dict(slow), stamped, worst)
