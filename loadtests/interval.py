"""Additive counts and histograms of one series in one second."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from loadtests.histogram import Histogram

__all__ = ["HISTOGRAMS", "Interval", "merge"]

HISTOGRAMS = ("response", "service", "lateness", "failed_response", "failed_service")
"""Fields of an Interval that are histograms, in the order in which they are written."""


_NOTHING = Histogram()  # immutable, and most of a run's histograms: one is enough for all


@dataclass(slots=True)
class Interval:
    """What happened in one series in one second of *intended* time.

    ``second`` counts from the run's start; it is negative for what users sent before it. ``count`` is the sum of the
    outcomes ``ok``, ``errors`` (by kind), ``timeouts``, ``lost``, ``dropped`` and ``unsent``. Two counts are filed
    under other clocks, so that rates are true: ``started`` by the second of the actual send, ``completed`` (successes)
    by the second of the end. ``bad`` maps a latency limit in ns to ``(upper, lower)``: how many were bad by response
    time with never-started ones counted in, and how many by service time of those that started. ``response`` and
    ``service`` hold successes, the ``failed_`` ones errors and time-outs (a time-out's time is censored).
    ``server_us`` sums what the server says of its own time, by part, over the ``server_n`` answers that were asked.
    ``violations`` counts, by kind, where the ``checked`` answers broke the contract. ``untimed`` of the successes are
    known to have come, and nobody knows how long they took.
    """

    series: str
    second: int
    count: int = 0
    ok: int = 0
    timeouts: int = 0
    lost: int = 0
    dropped: int = 0
    unsent: int = 0
    started: int = 0
    completed: int = 0
    size_bytes: int = 0
    server_n: int = 0
    checked: int = 0
    untimed: int = 0
    server_us: dict[str, int] = field(default_factory=dict)
    violations: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    bad: dict[int, tuple[int, int]] = field(default_factory=dict)
    response: Histogram = _NOTHING
    service: Histogram = _NOTHING
    lateness: Histogram = _NOTHING
    failed_response: Histogram = _NOTHING
    failed_service: Histogram = _NOTHING

    @property
    def error_count(self) -> int:
        """Errors of every kind, time-outs not included."""
        return sum(self.errors.values())

    @property
    def never_started(self) -> int:
        """Due but never sent: dropped by the cap, or unsent at the end."""
        return self.dropped + self.unsent

    @property
    def failed(self) -> int:
        """Everything that was not answered rightly: errors, time-outs, lost, dropped, unsent."""
        return self.count - self.ok

    def failures(self) -> Iterator[tuple[str, int]]:
        """How many failed, by kind: errors by theirs, then ``timeout``, ``lost``, ``dropped`` and ``unsent``."""
        yield from ((kind, n) for kind, n in self.errors.items() if n)
        named = ("timeout", self.timeouts), ("lost", self.lost), ("dropped", self.dropped), ("unsent", self.unsent)
        yield from ((kind, n) for kind, n in named if n)

    def add_server_us(self, parts: Mapping[str, int]) -> None:
        """One more answer that says where the server's time went."""
        self.server_n += 1
        for part, us in parts.items():
            self.server_us[part] = self.server_us.get(part, 0) + us

    def add_checked(self, violation: str | None) -> None:
        """One more answer that was held against the contract."""
        self.checked += 1
        if violation:
            self.violations[violation] = self.violations.get(violation, 0) + 1

    def add_untimed(self, n: int) -> None:
        """Successes without a time."""
        for name in ("count", "ok", "started", "completed", "untimed"):
            setattr(self, name, getattr(self, name) + n)

    def timed(self) -> Interval:
        """Without those whose time nobody knows, and without as great a share of those that were lost."""
        if not self.untimed:
            return self
        lost = self.lost - self.lost * (self.ok - self.untimed) // self.ok
        less = {name: getattr(self, name) - self.untimed for name in ("ok", "completed", "untimed")}
        less |= {name: getattr(self, name) - self.untimed - lost for name in ("count", "started")}
        bad = {limit: (upper - lost, lower - lost) for limit, (upper, lower) in self.bad.items()}
        return replace(self, **less, lost=self.lost - lost, bad=bad)

    def add_tally(self, n: int, bad: int, kind: str) -> None:
        """So many of what has no time, and how many of them were bad in one way."""
        self.count += n
        self.ok += n - bad
        if bad:
            self.errors[kind] = self.errors.get(kind, 0) + bad

    def __add__(self, other: Interval) -> Interval:
        """Both together, keeping this one's series and second."""
        return merge((self, other), series=self.series, second=self.second)

    def counts_json(self) -> dict[str, Any]:
        """The plain counts, without histograms; zero counts are left out."""
        row: dict[str, Any] = {"series": self.series, "second": self.second}
        row |= {name: value for name in _COUNTS if (value := getattr(self, name))}
        for name in _BY_NAME:
            if named := getattr(self, name):
                row[name] = named
        if self.bad:
            row["bad"] = {str(limit): list(pair) for limit, pair in self.bad.items()}
        clamped = {name: [h.overflow, h.underflow] for name, h in self.histograms() if h.overflow or h.underflow}
        return row | ({"clamped": clamped} if clamped else {})

    def histograms(self) -> Iterator[tuple[str, Histogram]]:
        """Name and histogram of each that is not empty."""
        return ((name, h) for name in HISTOGRAMS if (h := getattr(self, name)).index.size)

    def to_json(self) -> dict[str, Any]:
        """Everything, in plain lists, for a pipe."""
        return self.counts_json() | {name: h.to_json() for name, h in self.histograms()}

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Interval:
        """Read :meth:`to_json`'s or :meth:`counts_json`'s form."""
        known = {name: row[name] for name in ("series", "second", *_COUNTS, *_BY_NAME) if name in row}
        interval = cls(**known)
        interval.bad = {int(limit): (pair[0], pair[1]) for limit, pair in row.get("bad", {}).items()}
        for name, (overflow, underflow) in row.get("clamped", {}).items():
            setattr(interval, name, Histogram(overflow=overflow, underflow=underflow))
        for name in HISTOGRAMS:
            if name in row:
                setattr(interval, name, Histogram.from_json(row[name]))
        return interval


_COUNTS = (
    "count",
    "ok",
    "timeouts",
    "lost",
    "dropped",
    "unsent",
    "started",
    "completed",
    "size_bytes",
    "server_n",
    "checked",
    "untimed",
)
_BY_NAME = ("errors", "server_us", "violations")


def merge(intervals: Iterable[Interval], *, series: str, second: int = 0) -> Interval:
    """Add intervals up, in any order; a limit known to one of them only keeps that one's counts."""
    parts = list(intervals)
    merged = Interval(series, second)
    for name in _COUNTS:
        setattr(merged, name, sum(getattr(part, name) for part in parts))
    for part in parts:
        for name in _BY_NAME:
            sums = getattr(merged, name)
            for kind, n in getattr(part, name).items():
                sums[kind] = sums.get(kind, 0) + n
        for limit, (upper, lower) in part.bad.items():
            before = merged.bad.get(limit, (0, 0))
            merged.bad[limit] = (before[0] + upper, before[1] + lower)
    for name in HISTOGRAMS:
        setattr(merged, name, Histogram.sum(getattr(part, name) for part in parts))
    return merged
