"""Locust's own statistics, fed once a second: its web page stays right, and no request pays for it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from loadtests.histogram import Histogram, bucket_lowest_us
from loadtests.interval import Interval
from loadtests.parts import Parts, at_once
from loadtests.series import series_name

__all__ = ["LocustStatistics", "figures_of"]


class LocustStatistics:
    """Collects requests, and adds them to Locust's entries in one go.

    Args:
        statistics: Locust's ``RequestStats``.

    """

    def __init__(self, statistics: Any) -> None:
        self._statistics = statistics
        self._ended: dict[tuple[str, str], list[float]] = defaultdict(list)
        """Of each request that ended its time in ms, and its size in bytes: by turns, in one list."""
        self._errors: list[tuple[str, str, Exception]] = []

    def add(self, method: str, name: str, time_ms: float, size_bytes: int, error: Exception | None) -> None:
        """One request that ended."""
        self._ended[method, name] += time_ms, size_bytes
        if error is not None:
            self._errors.append((method, name, error))

    def feed(self) -> Parts[None]:
        """Add what was collected to Locust's own; its time is now, as Locust's is."""
        ended, self._ended = self._ended, defaultdict(list)
        errors, self._errors = self._errors, []
        for (method, name), listed in ended.items():
            yield from self._enter(method, name, np.array(listed[::2]), int(sum(listed[1::2])))
        for method, name, error in errors:
            self._statistics.log_error(method, name, error)

    def add_interval(self, interval: Interval) -> None:
        """What asyncio members asked in a second: each time to a histogram bucket's width, errors by their kind."""
        method, _, name = interval.series.partition(" ")
        took = Histogram.sum((interval.service, interval.failed_service))
        if took.index.size:
            middle_us = (bucket_lowest_us(took.index) + bucket_lowest_us(took.index + 1) - 1) / 2
            at_once(self._enter(method, name, np.repeat(middle_us / 1000, took.counts), interval.size_bytes))
        for kind, n in {**interval.errors, "timeout": interval.timeouts}.items():
            for _ in range(n):
                self._statistics.log_error(method, name, Exception(kind))

    def _enter(self, method: str, name: str, times_ms: np.ndarray[Any, Any], size_bytes: int) -> Parts[None]:
        yield
        rounded_ms = _rounded(times_ms)
        yield
        rounded, counts = np.unique(rounded_ms, return_counts=True)
        for entry in (self._statistics.total, self._statistics.get(name, method)):
            yield
            _add(entry, times_ms, dict(zip(rounded.tolist(), counts.tolist(), strict=True)), size_bytes)


def _add(entry: Any, times_ms: np.ndarray[Any, Any], by_time: dict[int, int], size_bytes: int) -> None:
    now, before = time.time(), entry.last_request_timestamp
    if entry.use_response_times_cache and before and int(now) > int(before):
        entry._cache_response_times(int(now) - 1)  # from there its page has the percentiles of the last ten seconds
    entry._log_time_of_request(now)
    entry.num_reqs_per_sec[int(now)] += times_ms.size - 1
    entry.num_requests += times_ms.size
    entry.total_response_time += float(times_ms.sum())
    entry.total_content_length += size_bytes
    least, most = float(times_ms.min()), float(times_ms.max())
    entry.min_response_time = least if entry.min_response_time is None else min(entry.min_response_time, least)
    entry.max_response_time = max(entry.max_response_time, most)
    for rounded_ms, n in by_time.items():
        entry.response_times[rounded_ms] += n


def _rounded(times_ms: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """As Locust rounds: to two significant digits from 100 ms on, to 1 ms below; above 10 s to whole seconds."""
    unit = 1 + 9 * (times_ms >= 100) + 90 * (times_ms >= 1000) + 900 * (times_ms >= 10_000)
    rounded: np.ndarray[Any, Any] = (np.round(times_ms / unit) * unit).astype(np.int64)
    return rounded


def figures_of(statistics: Any, redact: Callable[[str], str]) -> dict[str, Any]:
    """Locust's own figures, warm-up included: from the actual send, rounded; for comparison only."""
    return {
        redact(series_name(entry.method, entry.name)): {
            "count": entry.num_requests,
            "failures": entry.num_failures,
            "max": entry.max_response_time,
        }
        | {f"p{p * 100:g}": entry.get_response_time_percentile(p) for p in (0.5, 0.9, 0.95, 0.99, 0.999)}
        for entry in list(statistics.entries.values())[:50]
    }
