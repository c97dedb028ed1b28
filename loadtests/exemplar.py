"""A few requests kept whole: some failures of every kind, and the slowest."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from loadtests.sample import Outcome

__all__ = ["Exemplars"]


class Exemplars:
    """Keeps the slowest requests and the first failures of each kind; bounded, redacted."""

    def __init__(self, t0_ns: int, redact: Callable[[str], str], slowest: int = 20, per_kind: int = 3) -> None:
        self._t0_ns = t0_ns
        self._redact = redact
        self._slowest = slowest
        self._per_kind = per_kind
        self._kinds: Counter[tuple[str, str]] = Counter()
        self._failed: list[dict[str, Any]] = []
        self._heap: list[tuple[int, int, Callable[[], dict[str, Any]]]] = []
        self._order = itertools.count()
        self.slow_enough_ns = 0
        """What takes no longer, and was answered, is not kept."""

    def wants(self, series: str, response_ns: int, outcome: Outcome, error: str) -> bool:
        """Whether :meth:`keep` would keep it; cheap enough for every request."""
        if outcome is Outcome.OK:
            return response_ns > self.slow_enough_ns
        return self._kinds[series, error] < self._per_kind and len(self._kinds) < 200

    def keep(
        self,
        series: str,
        intended_ns: int,
        response_ns: int,
        service_ns: int,
        outcome: Outcome,
        error: str = "",
        detail: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep one request; ``detail`` and headers are redacted and shortened before anybody has them.

        Of the slowest that is when they are taken: nearly all of them give way to slower ones before.
        """
        told = series, intended_ns, response_ns, service_ns, outcome, error, detail, headers
        row: Callable[[], dict[str, Any]] = partial(self._row, *told)
        if outcome is not Outcome.OK:
            self._kinds[series, error] += 1
            self._failed.append(row())
            return
        heapq.heappush(self._heap, (response_ns, next(self._order), row))
        if len(self._heap) > self._slowest:
            heapq.heappop(self._heap)
            self.slow_enough_ns = self._heap[0][0]

    def _row(
        self,
        series: str,
        intended_ns: int,
        response_ns: int,
        service_ns: int,
        outcome: Outcome,
        error: str,
        detail: str,
        headers: Mapping[str, str] | None,
    ) -> dict[str, Any]:
        row: dict[str, Any] = {
            "series": series,
            "at_s": round((intended_ns - self._t0_ns) / 1e9, 3),
            "response_ms": round(response_ns / 1e6, 3),
            "service_ms": round(service_ns / 1e6, 3),
            "outcome": outcome.name.lower(),
            "error": self._redact(error),
            "detail": self._redact(detail)[:300],
        }
        given = {name.lower(): value for name, value in (headers or {}).items()}
        row |= {
            key: self._redact(given[name])[:200]
            for key, name in (("request_id", "x-request-id"), ("server_timing", "server-timing"))
            if name in given
        }
        return row

    def take_failed(self) -> list[dict[str, Any]]:
        """Failures kept since the last call."""
        taken, self._failed = self._failed, []
        return taken

    def take_slowest(self) -> list[dict[str, Any]]:
        """The slowest so far, slowest first; starts afresh."""
        taken = [row() for _, _, row in sorted(self._heap, reverse=True)]
        self._heap, self.slow_enough_ns = [], 0
        return taken
