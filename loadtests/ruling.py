"""One objective against the evidence: bounds, bracketing, and the reason in one sentence.

A reason has up to three parts, ``finding; how sure that is; what follows``: the first goes into the run's sentence when
an objective failed, the last when it could not be decided.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from loadtests.duration import format_ns
from loadtests.effective import waves
from loadtests.evidence import Evidence, Side
from loadtests.gate import LEAST_SECONDS, Decision, GateResult, gate, quantile_bounds
from loadtests.health import slip_is_material
from loadtests.objective import Kind, Objective
from loadtests.run import Run
from loadtests.verdict import Status, Verdict

__all__ = ["rule"]

STRAY = "arrival "
"""Series of arrivals that were dropped before it was known what they would have requested."""
_NO_REQUESTS = (STRAY, "task ")
"""Series in which the harness notes what never became a request; no objective is bound to them by itself."""
_DELIVERIES = "ws deliver"
_LEDGER = ("lost", "duplicated", "reordered", "foreign")
"""What the swarm's ledger counts; it happens to deliveries alone."""
_HAPPENED = {
    "errors": "requests failed",
    "dropped": "requests never started",
    "lost": "deliveries were lost",
    "duplicated": "deliveries came twice",
    "reordered": "deliveries came out of order",
    "foreign": "deliveries bear our mark, but nobody sent them",
}
_TIMED = {Decision.PASS: "holds", Decision.FAIL: "fails", Decision.INCONCLUSIVE: "is undecided"}


def rule(run: Run, objective: Objective) -> Iterator[Verdict]:
    """The verdict on each series that the objective names, or on their pool, which goes by the glob.

    An objective that matches no series, or only series without data, is INCONCLUSIVE: it cannot pass.
    """
    names = [name for name in run.intervals if objective.matches(name) and not name.startswith(_NO_REQUESTS)]
    if objective.metric in _LEDGER:
        names = [name for name in names if name.startswith(_DELIVERIES)]
    if not names:
        yield _without_data(objective, objective.series, f'no series matches "{objective.series}"')
    elif objective.scope == "each" or len(names) == 1:
        for name in names:
            yield _RULES[objective.kind](run, objective, [name], name)
    else:
        verdict = _RULES[objective.kind](run, objective, names, objective.series)
        yield replace(verdict, notes=(f"{len(names)} series together", *verdict.notes))


def _stray(run: Run, names: list[str]) -> list[str]:
    """Series of dropped arrivals that may have been meant for one of the names: for every HTTP series."""
    over_http = any(not name.startswith("ws ") for name in names)
    return [name for name in run.intervals if name.startswith(STRAY)] if over_http else []


def _evidence(run: Run, names: list[str]) -> Evidence:
    return Evidence(run, names, _stray(run, names))


def _without_data(objective: Objective, label: str, reason: str) -> Verdict:
    return Verdict(
        objective.text,
        label,
        Status.INCONCLUSIVE,
        f"{reason}, so nothing can be said",
        objective.kind.value,
        _UNITS[objective.kind],
        objective.limit,
        budget=objective.budget,
    )


@dataclass(frozen=True)
class _Bracket:
    """Both readings and what follows from them."""

    upper: GateResult
    lower: GateResult
    status: Status

    @property
    def shown(self) -> GateResult:
        """The reading that the verdict rests on."""
        return self.lower if self.status is Status.FAIL else self.upper

    @property
    def follows(self) -> str:
        """What is left to say when it neither passed nor failed."""
        if self.status in (Status.PASS, Status.FAIL):
            return ""
        if self.upper.status is not self.lower.status:
            never = self.upper.n - self.lower.n
            counted = f" (and with {never:,} that never left)" if never else ""
            readings = (
                f"; timed from when requests were due{counted} it {_TIMED[self.upper.status]}, "
                f"from when they left it {_TIMED[self.lower.status]}"
            )
            late = ", and the generator sent them late" if self.status is Status.INVALID else ""
            return readings + late
        if self.upper.needs_factor is None:
            return "; too little evidence, and a longer run like this one would not tell either"
        seconds = math.ceil(self.upper.needs_factor * self.upper.seconds)
        return f"; too little evidence, it takes about {seconds:,} s of steady state"


def _bracket(upper: Side, lower: Side, budget: float, with_own: bool, material: bool) -> _Bracket:
    above = gate(upper.counts, upper.bad, budget, own=upper.own(budget) if with_own else ())
    below = gate(lower.counts, lower.bad, budget, own=lower.own(budget) if with_own else ())
    if above.status is Decision.PASS:
        status = Status.PASS
    elif below.status is Decision.FAIL:
        status = Status.FAIL
    elif above.status is below.status or not material:
        status = Status.INCONCLUSIVE
    else:
        status = Status.INVALID
    return _Bracket(above, below, status)


def _latency(run: Run, objective: Objective, names: list[str], label: str) -> Verdict:
    evidence, limit_ns = _evidence(run, names), int(objective.limit)
    if not evidence.total.count:
        return _without_data(objective, label, "it had no request in the steady state")
    budget, percentile = objective.budget or 0.0, objective.percentile or 0.0
    material = slip_is_material(evidence, limit_ns)
    bracket = _bracket(*evidence.latency_sides(limit_ns), budget, with_own=True, material=material)
    low, high = quantile_bounds(percentile, bracket.upper.n_effective)
    ends = [evidence.percentile_us(p) for p in (percentile, low, high)]
    observed, lower, upper = (None if end is None else end * 1000.0 for end in ends)
    if observed is None:
        total = evidence.total
        said = f"{objective.metric} lies beyond the answered requests: {total.failed:,} of {total.count:,} failed"
    else:
        said = f"{objective.metric} was {format_ns(observed)} against a limit of {format_ns(limit_ns)}"
    sure = f"{_between(bracket.shown)} were slower or failed, {_percent(budget)} may"
    return _share_verdict(objective, label, bracket, f"{said}; {sure}", observed, lower, upper)


def _share(run: Run, objective: Objective, names: list[str], label: str) -> Verdict:
    evidence, budget = _evidence(run, names), objective.budget or 0.0
    if not evidence.total.count:
        return _without_data(objective, label, "it had no request in the steady state")
    sides = evidence.lost_sides() if objective.metric == "lost" else evidence.failure_sides()
    with_own = objective.metric == "errors" and evidence.timeouts_of_a_queue(budget)
    bracket = _bracket(*sides, budget, with_own, material=slip_is_material(evidence, None))
    shown, happened = bracket.shown, "were lost" if objective.metric == "lost" else "failed"
    said = f"{shown.bad:,} of {shown.n:,} {happened}, {_percent(shown.observed or 0.0)} against {_percent(budget)}"
    sure = f"the truth most likely lies {_between(shown)}"
    return _share_verdict(objective, label, bracket, f"{said}; {sure}", shown.observed, shown.lower, shown.upper)


def _between(shown: GateResult) -> str:
    return f"between {_percent(shown.lower)} and {_percent(shown.upper)}"


def _share_verdict(
    objective: Objective,
    label: str,
    bracket: _Bracket,
    said: str,
    observed: float | None,
    lower: float | None,
    upper: float | None,
) -> Verdict:
    shown, budget = bracket.shown, objective.budget or 1.0
    return Verdict(
        objective.text,
        label,
        bracket.status,
        said + bracket.follows,
        objective.kind.value,
        _UNITS[objective.kind],
        objective.limit,
        observed=observed,
        lower=lower,
        upper=upper,
        n=shown.n,
        n_effective=round(shown.n_effective, 1),
        bad=shown.bad,
        bad_fraction=shown.observed,
        bad_lower=shown.lower,
        bad_upper=shown.upper,
        budget=budget,
        budget_spent=(shown.observed or 0.0) / budget,
        notes=shown.notes,
    )


def _count(run: Run, objective: Objective, names: list[str], label: str) -> Verdict:
    """A count over the whole run, warm-up included: one is one too many."""
    if objective.metric in _LEDGER:
        n, found = run.deliveries.get("expected", 0), run.deliveries.get(objective.metric, 0)
    else:
        never_started = objective.metric == "dropped"
        counted = [*names, *(_stray(run, names) if never_started else ())]
        intervals = [i for name in counted for i in run.intervals[name].values()]
        n = sum(i.count for i in intervals)
        found = sum(i.never_started if never_started else i.error_count + i.timeouts for i in intervals)
    if not (n or found):
        return _without_data(objective, label, "there was nothing to count")
    return Verdict(
        objective.text,
        label,
        Status.FAIL if found else Status.PASS,
        f"{found:,} of {n:,} {_HAPPENED[objective.metric]}",
        objective.kind.value,
        _UNITS[objective.kind],
        0.0,
        observed=float(found),
        n=n,
        n_effective=float(n),
        bad=found,
        bad_fraction=found / n if n else None,
        budget=0.0,
        budget_spent=None if found else 0.0,
    )


def _throughput(run: Run, objective: Objective, names: list[str], label: str) -> Verdict:
    """Mean successes per second; what never started might have been one, so a FAIL must stand with it counted in."""
    evidence = _evidence(run, names)
    completed = evidence.completed_per_s()
    if not (evidence.total.count or completed.any()):
        return _without_data(objective, label, "it had no request in the steady state")
    lower, upper = _mean_bounds(completed)
    _, at_best = _mean_bounds(completed + np.array([i.never_started for i in evidence.intervals]))
    mean, limit, known = float(completed.mean()), objective.limit, math.isfinite(upper)
    status = Status.PASS if lower >= limit else Status.FAIL if at_best < limit else Status.INCONCLUSIVE
    sure = f"between {lower:.3g} and {upper:.3g}/s" if known else f"under {LEAST_SECONDS} s its bounds are not known"
    return Verdict(
        objective.text,
        label,
        status,
        f"{mean:.4g}/s were completed against a least of {limit:.4g}/s; {sure}"
        + ("" if status is not Status.INCONCLUSIVE else "; too little evidence"),
        objective.kind.value,
        _UNITS[objective.kind],
        limit,
        observed=mean,
        lower=lower if known else None,
        upper=upper if known else None,
        n=int(completed.sum()),
    )


def _mean_bounds(per_s: NDArray[np.float64]) -> tuple[float, float]:
    """Bounds of a mean from the slow waves of its seconds, as in the gate; infinite where nothing is known."""
    seconds, mean = len(per_s), float(per_s.mean())
    if seconds < LEAST_SECONDS:
        return -math.inf, math.inf
    m = waves(seconds)
    angles = np.pi * np.outer(np.arange(1, m + 1), np.arange(seconds) + 0.5) / seconds
    amplitudes = math.sqrt(2 / seconds) * np.cos(angles) @ (per_s - mean)
    half = float(stdtrit(m, 0.95)) * math.sqrt(float(amplitudes @ amplitudes) / m / seconds)
    return max(0.0, mean - half), mean + half


def _percent(fraction: float) -> str:
    """Write a fraction as ``0.167 %``: three significant digits, never an exponent."""
    return f"{Decimal(f'{fraction * 100:.3g}'):f} %"


_RULES = {Kind.LATENCY: _latency, Kind.SHARE: _share, Kind.COUNT: _count, Kind.THROUGHPUT: _throughput}
_UNITS = {Kind.LATENCY: "ns", Kind.SHARE: "fraction", Kind.COUNT: "count", Kind.THROUGHPUT: "per_s"}
