"""Where the time went, by the server's own account: means per series of what ``Server-Timing`` names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from loadtests.histogram import Histogram
from loadtests.run import Run
from reports.figures import NOTHING, count, duration
from reports.subject import requests
from reports.timeline import Steady

__all__ = ["ServerTable", "server_table"]

_WHOLE: Final = "total"
"""The part that is no part: the server's whole time."""
_QUEUE: Final = "pool"
"""The part in which a request only waits: for a database connection to be free."""
_MOST_PARTS: Final = 6


@dataclass(frozen=True)
class ServerTable:
    """Parts as columns, series as rows.

    A row has the series, its mean response time, the generator's delay, the time outside of the server, each part, what
    is left of the server's whole, and how many answers were asked.
    """

    parts: tuple[str, ...]
    """What waits comes first, then the dearest."""
    rows: tuple[tuple[str, ...], ...]


def server_table(run: Run, steady: Steady) -> ServerTable | None:
    """None where no answer said anything."""
    told = [name for name in requests(run) if steady[name].server_n]
    if not told:
        return None
    total_us: dict[str, int] = {}
    for name in told:
        for part, us in steady[name].server_us.items():
            total_us[part] = total_us.get(part, 0) + us
    largest = sorted(
        (part for part in total_us if part != _WHOLE), key=lambda part: (part != _QUEUE, -total_us[part], part)
    )
    parts = tuple(largest[:_MOST_PARTS])
    return ServerTable(parts, tuple(_row(name, steady, parts) for name in told))


def _row(name: str, steady: Steady, parts: Sequence[str]) -> tuple[str, ...]:
    one = steady[name]
    each = [one.server_us[part] / one.server_n if part in one.server_us else None for part in parts]
    service, whole = _mean_us(one.service), one.server_us.get(_WHOLE)
    outside = rest = None
    if whole is not None:
        outside = service - whole / one.server_n
        outside = outside if outside >= 0 else None  # those asked were slower than all: nothing can be said
        named = sum(us for part, us in one.server_us.items() if part != _WHOLE)
        rest = max(0.0, (whole - named) / one.server_n)
    figures = (_mean_us(one.response), _mean_us(one.lateness), outside, *each, rest)
    return (name, *(NOTHING if us is None else duration(us * 1000) for us in figures), count(one.server_n))


def _mean_us(histogram: Histogram) -> float:
    return histogram.mean_us() or 0.0
