"""What a person watches while a run goes on: phase, load, each objective against its budget, the generator's health."""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from loadtests.countrule import LEDGER, ledger_count
from loadtests.header import PhaseSpan
from loadtests.histogram import Histogram
from loadtests.interval import Interval
from loadtests.objective import Kind, Objective
from loadtests.series import is_raised, is_stray, is_swarm

__all__ = ["Board", "PlainBoard", "Progress", "spent_in_words"]

RECENT_S = 10


@dataclass
class Progress:
    """The state of a run as the boards show it; fed by the orchestrator."""

    phases: Sequence[PhaseSpan]
    objectives: Sequence[Objective]
    at_s: float = 0.0
    users: bool = True
    """Whether the load has any; else what is told of them does not apply, unless members of the swarm ask over HTTP."""
    gauges: dict[str, dict[str, float]] = field(default_factory=dict)
    ledger: dict[str, int] = field(default_factory=dict)
    resources: dict[str, float] = field(default_factory=dict)
    offered: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    completed: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    failed: int = 0
    lateness: dict[int, Histogram] = field(default_factory=dict)
    _spent: list[list[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._spent = [[0, 0] for _ in self.objectives]
        self._steady = {
            s for p in self.phases if p.kind == "steady" for s in range(-int(-p.start_s // 1), int(p.end_s))
        }

    def add(self, intervals: Sequence[Interval]) -> None:
        """Count what a process folded."""
        for interval in intervals:
            if is_raised(interval.series):  # the scenario's own code raised: no request
                continue
            if not is_swarm(interval.series):
                self.offered[interval.second] += interval.count
                self.completed[interval.second] += interval.completed
                self.failed += interval.failed
                before = self.lateness.get(interval.second, Histogram())
                self.lateness[interval.second] = before + interval.lateness
            self._spend(interval)
        old = [s for s in self.lateness if s < self.at_s - 3 * RECENT_S]
        for second in old:
            for table in (self.lateness, self.offered, self.completed):
                table.pop(second, None)

    def _spend(self, interval: Interval) -> None:
        """Budgets are spent in the steady state; counts are of the whole run."""
        steady = interval.second in self._steady
        for spent, objective in zip(self._spent, self.objectives, strict=True):
            if (steady or objective.kind is Kind.COUNT) and _binds(objective, interval.series):
                spent[0] += _bad(objective, interval)
                spent[1] += interval.checked if objective.metric == "contract" else interval.count

    @property
    def phase(self) -> PhaseSpan | None:
        """The phase that runs now."""
        return next((p for p in self.phases if p.start_s <= self.at_s < p.end_s), None)

    @property
    def end_s(self) -> float:
        """When the last phase ends."""
        return self.phases[-1].end_s

    def gauge(self, name: str) -> float:
        """Sum of a gauge over all processes."""
        return sum(gauges.get(name, 0.0) for gauges in self.gauges.values())

    def recent(self, table: dict[int, int]) -> float:
        """Mean per second of the last whole seconds."""
        last = int(self.at_s) - 2
        seconds = list(range(max(0, last - 4), last + 1))
        return sum(table.get(s, 0) for s in seconds) / len(seconds) if seconds else 0.0

    def offered_per_s(self) -> float:
        """Arrivals that came due, as the generator counts them: under overload, answers tell of them much later."""
        told = [gauges["offered_per_s"] for gauges in self.gauges.values() if "offered_per_s" in gauges]
        return sum(told) if told else self.recent(self.offered)

    def lateness_p99_ms(self) -> float:
        """Lateness of the last ten seconds."""
        recent = (late for second, late in self.lateness.items() if second >= self.at_s - RECENT_S)
        return (Histogram.sum(recent).percentile_us(99) or 0.0) / 1000

    def budgets(self) -> list[tuple[str, float | None]]:
        """Each objective's text and the share of its budget that is spent; None where there is no budget or no data."""
        return [
            (f"{objective.text} [{objective.series}]", self._share_spent(objective, *spent))
            for objective, spent in zip(self.objectives, self._spent, strict=True)
        ]

    def _share_spent(self, objective: Objective, bad: int, n: int) -> float | None:
        if objective.kind is Kind.COUNT:
            if objective.metric in LEDGER:
                n, bad = ledger_count(self.ledger, objective.metric)
            return math.inf if bad else 0.0 if n else None
        return bad / n / objective.budget if n and objective.budget else None

    @property
    def over_http(self) -> bool:
        """Whether anything is asked over HTTP."""
        return self.users or bool(self.offered)

    def generator_cpu_percent(self) -> float:
        """Of the busiest process that makes the load, Locust's or the swarm's; 100 is a core."""
        return max(self.resources.get(f"{who}_cpu_percent", 0.0) for who in ("generator", "swarm"))

    def line(self) -> str:
        """Everything in one line."""
        phase = self.phase
        worst = max(((s, t) for t, s in self.budgets() if s is not None), default=None)
        parts = [f"{phase.name if phase else 'draining'} {self.at_s:.0f}/{self.end_s:.0f} s"]
        if self.over_http:
            parts.append(f"offered {self.offered_per_s():.0f}/s, completed {self.recent(self.completed):.0f}/s")
        if self.users:
            busy = f"{self.gauge('in_flight'):.0f} in flight, {self.gauge('waiting'):.0f} waiting"
            parts.append(f"{_so_many(self.gauge('users'), 'user')}, {busy}")
        if self.gauge("connections") or self.ledger:
            lost = self.ledger.get("lost", 0)
            deliveries = "delivery" if lost == 1 else "deliveries"
            parts.append(f"{_so_many(self.gauge('connections'), 'connection')}, {lost} {deliveries} lost")
        if self.over_http:
            parts += [f"{self.failed} failed", f"late p99 {self.lateness_p99_ms():.1f} ms"]
        parts.append(f"generator CPU {self.generator_cpu_percent():.0f} %")
        if worst:
            parts.append(f"most spent budget: {spent_in_words(worst[0])} ({worst[1]})")
        return "; ".join(parts)


def _so_many(n: float, what: str) -> str:
    return f"{n:.0f} {what}{'' if round(n) == 1 else 's'}"


class Board(Protocol):
    """Shows a run's progress."""

    def show(self, progress: Progress) -> None:
        """Show the state as it is now."""

    def say(self, text: str) -> None:
        """Say something once."""

    def close(self) -> None:
        """Give the terminal back."""


class PlainBoard:
    """A plain line every five seconds, for logs."""

    def __init__(self, every_s: float = 5.0) -> None:
        self._every_s = every_s
        self._next_s = 0.0

    def show(self, progress: Progress) -> None:
        """Print when the next line is due."""
        if progress.at_s >= self._next_s:
            self._next_s = (progress.at_s // self._every_s + 1) * self._every_s
            self.say(progress.line())

    def say(self, text: str) -> None:
        """Print a line now."""
        print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing to give back."""


def _binds(objective: Objective, series: str) -> bool:
    """Whether a series counts for an objective; arrivals dropped before they had a series do for every HTTP one."""
    return objective.matches(series) or (is_stray(series) and not is_swarm(objective.series))


def _bad(objective: Objective, interval: Interval) -> int:
    if objective.kind is Kind.LATENCY:
        return interval.bad.get(objective.limit_ns or 0, (interval.failed, 0))[0]
    if objective.kind is Kind.GAP:
        return interval.lateness.count_above_us(int(objective.limit) // 1000) + interval.never_started
    if objective.kind in (Kind.SHARE, Kind.LEAST) and objective.metric == "errors":
        return interval.failed
    errors = interval.error_count + interval.timeouts
    broken = sum(interval.violations.values())
    counts = {"errors": errors, "lost": interval.lost, "dropped": interval.never_started, "contract": broken}
    return counts.get(objective.metric, 0)


def spent_in_words(spent: float | None) -> str:
    """The share of a budget that is spent, as a person reads it."""
    return "no data yet" if spent is None else f"{100 * spent:.0f} %" if math.isfinite(spent) else "over"
