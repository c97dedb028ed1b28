"""What the witness saw, read back from ``witness.jsonl``."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["WitnessAccount"]


@dataclass(frozen=True)
class WitnessAccount:
    """The witness's times by series and second of the start; a request that timed out took infinitely long.

    Rows of the file are ``{"second", "series", "us": [times of the good answers], "by_kernel": how many of them bear
    the kernel's stamp, "failed": {KIND: n}}``, additive. Failed requests (``failed``, by series and kind) have no time.
    """

    times_us: Mapping[str, Mapping[int, tuple[float, ...]]] = field(default_factory=dict)
    failed: Mapping[str, Counter[str]] = field(default_factory=dict)
    by_kernel: int = 0
    seconds: range = range(0)
    """From its first to its last request."""

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> WitnessAccount:
        """Add the rows up."""
        times: dict[str, dict[int, tuple[float, ...]]] = defaultdict(dict)
        failed: dict[str, Counter[str]] = defaultdict(Counter)
        by_kernel, seconds = 0, set()
        for row in rows:
            second, series = int(row["second"]), str(row["series"])
            of_row = Counter({str(kind): int(n) for kind, n in row.get("failed", {}).items()})
            found = (*map(float, row["us"]), *([math.inf] * of_row.pop("timed out", 0)))
            times[series][second] = times[series].get(second, ()) + found
            failed[series].update(of_row)
            by_kernel += int(row["by_kernel"])
            seconds.add(second)
        whole = range(min(seconds), max(seconds) + 1) if seconds else range(0)
        return cls(dict(times), dict(failed), by_kernel, whole)

    def during(self, series: str, seconds: Iterable[int]) -> list[float]:
        """Times in microseconds of one series in some seconds."""
        by_second = self.times_us.get(series, {})
        return [time_us for second in seconds for time_us in by_second.get(second, ())]
