"""What a server says it did while the harness judged it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, inf
from typing import Any


@dataclass(frozen=True)
class Record:
    """The requests (of a relay: the deliveries) of the steady state."""

    held_ms: tuple[float, ...] = ()
    """How long each request was held, ascending."""
    failed: int = 0
    stalls_s: tuple[float, ...] = ()
    seconds: float = inf
    """Length of the steady state."""
    published: int = 0
    """What a relay was given, over the whole run."""
    first_ms: float = 0.0
    """How long after it was due the first request of all came."""

    @classmethod
    def between(cls, told: Mapping[str, Any], begin_ns: int, end_ns: int, t0_ns: int = 0) -> Record:
        """Out of what the server answers at ``/record``, what came from one moment to another of CLOCK_MONOTONIC.

        The first of all requests was due at ``t0_ns``.
        """
        rows = [row for row in told.get("requests", ()) if begin_ns <= row[0] < end_ns]
        return cls(
            tuple(sorted(held_ns / 1e6 for _, held_ns, _ in rows)),
            sum(status >= 400 for *_, status in rows),
            tuple((end - begin) / 1e9 for begin, end in told.get("stalls", ()) if begin_ns <= begin < end_ns),
            (end_ns - begin_ns) / 1e9,
            told.get("published", 0),
            (min((row[0] for row in told.get("requests", ())), default=t0_ns) - t0_ns) / 1e6,
        )

    @property
    def requests(self) -> int:
        """How many came."""
        return len(self.held_ms)

    def percentile_ms(self, percentile: float) -> float | None:
        """The value of rank ``ceil(p n)``; while the server stands still it sees nobody come, so then there is none."""
        if not self.held_ms or self.stalls_s:
            return None
        return self.held_ms[ceil(percentile / 100 * len(self.held_ms)) - 1]
