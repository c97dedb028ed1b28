"""Ending a run that is certainly failing: a test that may be looked at again and again while the evidence comes in.

A beta-mixture martingale (Robbins 1970) on the lower reading: service time, what never started left out. It never ends
a run because it holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import betaln

from loadtests.effective import design_effect
from loadtests.header import PhaseSpan
from loadtests.interval import Interval
from loadtests.objective import Kind, Objective
from loadtests.series import DELIVER, is_request, is_swarm

__all__ = ["EarlyStop", "Stop", "log_evidence"]

FIRST_LOOK_S = 120
EVERY_S = 30
ALPHA = 0.05
WEIGHT = 10.0
"""What the prior weighs in requests; it is centred on the budget."""
SETTLE_S = 2
"""How long after its end a second is looked at: by then every process has told of it."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The evidence that ended a run: ``bad`` of ``n`` requests in the first ``after_s`` of its steady state."""

    after_s: int
    objective: str
    series: str
    n: int
    bad: int
    design_effect: float
    log_evidence: float


def log_evidence(bad: float, n: float, budget: float) -> float:
    """Return ln M against "the bad fraction is at most the budget".

    At the budget it ever reaches ``ln(1/alpha)`` with a probability of at most alpha.
    ``ln M = ln Beta(a + S, b + n - S) - ln Beta(a, b) - S ln q - (n - S) ln(1 - q)`` with a = 10 q and b = 10 (1 - q),
    over all looks together (Ville's inequality). It is 0 where no more than the budget is bad: that is no evidence of
    a failure, however certain.
    """
    if n <= 0 or bad <= budget * n:
        return 0.0
    a, b = WEIGHT * budget, WEIGHT * (1 - budget)
    mixture = float(betaln(a + bad, b + n - bad) - betaln(a, b))
    return mixture - bad * math.log(budget) - (n - bad) * math.log1p(-budget)


class EarlyStop:
    """Counts what is judged, second by second, and looks at it every 30 s of steady state from 120 s on."""

    def __init__(self, phases: Sequence[PhaseSpan], objectives: Iterable[Objective]) -> None:
        spans = [(math.ceil(p.start_s), math.floor(p.end_s)) for p in phases if p.kind == "steady"]
        self._seconds = [second for start, end in spans for second in range(start, end)]
        self._place = {second: place for place, second in enumerate(self._seconds)}
        self._objectives = [o for o in objectives if o.kind in (Kind.LATENCY, Kind.SHARE, Kind.LEAST) and o.budget]
        self._counts: dict[tuple[Objective, str], np.ndarray[tuple[int, int], np.dtype[np.int64]]] = {}
        self._series: dict[Objective, set[str]] = {}
        self._next_s = FIRST_LOOK_S

    def add(self, intervals: Iterable[Interval]) -> None:
        """Count what a process folded."""
        for interval in intervals:
            place = self._place.get(interval.second)
            if place is None or not (is_request(interval.series) or is_swarm(interval.series)):
                continue
            for objective in self._objectives:
                if objective.matches(interval.series) and (objective.metric != "lost" or interval.series == DELIVER):
                    self._series.setdefault(objective, set()).add(interval.series)
                    key = (objective, interval.series if objective.scope == "each" else "")
                    if key not in self._counts:
                        self._counts[key] = np.zeros((2, len(self._seconds)), dtype=np.int64)
                    self._counts[key][:, place] += (interval.count - interval.never_started, _bad(objective, interval))

    def look(self, at_s: float) -> Stop | None:
        """What ends the run now; None while nothing does, and between the looks."""
        if self._next_s > len(self._seconds) or at_s < self._seconds[self._next_s - 1] + 1 + SETTLE_S:
            return None
        after_s, self._next_s = self._next_s, self._next_s + EVERY_S
        found = [stop for key in self._counts if (stop := self._judged(*key, after_s))]
        return max(found, key=lambda stop: stop.log_evidence, default=None)

    def _judged(self, objective: Objective, series: str, after_s: int) -> Stop | None:
        counts, bad = self._counts[objective, series][:, :after_s]
        n, total, budget = int(counts.sum()), int(bad.sum()), objective.budget or 0.0
        if n == 0 or total <= budget * n:
            return None
        effect = design_effect(bad, counts)
        evidence = log_evidence(total / effect, n / effect, budget)
        if evidence < math.log(1 / ALPHA):
            return None
        names = self._series[objective]
        label = series or (next(iter(names)) if len(names) == 1 else objective.series)
        return Stop(after_s, objective.text, label, n, total, round(effect, 3), round(evidence, 3))


def _bad(objective: Objective, interval: Interval) -> int:
    """Bad ones of the lower reading."""
    if objective.metric == "lost":
        return interval.lost
    failed = interval.failed - interval.never_started
    return interval.bad.get(objective.limit_ns, (0, failed))[1] if objective.limit_ns is not None else failed
