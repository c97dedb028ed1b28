"""What failed: kind, count, share, first and last time, one example."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final

from loadtests.run import Run
from loadtests.series import is_derived
from reports.figures import clock, count, percent

__all__ = ["FailureRow", "failure_rows"]

_WORDS: Final = {
    "timeout": "time-out: given up waiting",
    "lost": "lost: due to a subscriber and never came",
    "dropped": "dropped: due, but too many were in flight",
    "unsent": "unsent: due, but no user was free before the end",
}
_EXAMPLE: Final = 240


@dataclass(frozen=True)
class FailureRow:
    """One kind of failure in one series, over the whole run."""

    series: str
    kind: str
    count: int
    counted: str
    share: str
    """Of the series' requests in the whole run."""
    judged: str
    """How many of them fell in the steady state."""
    first: str
    last: str
    example: str
    example_id: str


def failure_rows(run: Run) -> list[FailureRow]:
    """Every kind of failure of every series, the most frequent first."""
    steady = set(run.header.steady_seconds())
    rows = []
    for series, seconds in run.intervals.items():
        if is_derived(series):
            continue
        by_kind: dict[str, dict[int, int]] = defaultdict(dict)
        for second, interval in seconds.items():
            for kind, n in interval.failures():
                by_kind[kind][second] = n
        total = sum(interval.count for interval in seconds.values())
        for kind, counts in by_kind.items():
            n = sum(counts.values())
            example = _example(run, series, kind)
            rows.append(
                FailureRow(
                    series=series,
                    kind=_WORDS.get(kind, kind),
                    count=n,
                    counted=count(n),
                    share=percent(n / total),
                    judged=count(sum(k for second, k in counts.items() if second in steady)),
                    first=clock(min(counts)),
                    last=clock(max(counts)),
                    example=str(example.get("detail") or example.get("text") or "")[:_EXAMPLE],
                    example_id=str(example.get("request_id") or ""),
                )
            )
    return sorted(rows, key=lambda row: -row.count)


def _example(run: Run, series: str, kind: str) -> dict[str, Any]:
    for row in (*run.exemplars, *run.events):
        if row.get("series") == series and kind in (row.get("error"), row.get("outcome")):
            return row
    return {}
