"""One objective against the evidence: bounds, bracketing, and the reason in one sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
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
_LEDGER = ("lost", "duplicated", "reordered")


def rule(run: Run, objective: Objective) -> Iterator[Verdict]:
    """The verdict on each series that the objective names, or on their pool.

    An objective that matches no series, or only series without data, is INCONCLUSIVE: it cannot pass.
    """
    names = [name for name in run.intervals if objective.matches(name) and not name.startswith(STRAY)]
    if not names:
        yield _without_data(objective, objective.series, f'no series matches "{objective.series}"')
        return
    groups = [[name] for name in names] if objective.scope == "each" else [names]
    for group in groups:
        label = group[0] if len(group) == 1 else f"{objective.series} ({len(group)} series)"
        yield _RULES[objective.kind](run, objective, group, label)


def _evidence(run: Run, names: list[str]) -> Evidence:
    over_http = any(not name.startswith("ws ") for name in names)
    stray = [n for n in run.intervals if n.startswith(STRAY) and n not in names] if over_http else []
    return Evidence(run, names, stray)


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
        said = f"{objective.metric} was {format_ns(observed)} against {format_ns(limit_ns)}"
    return _share_verdict(objective, label, bracket, said, observed, lower, upper)


def _share(run: Run, objective: Objective, names: list[str], label: str) -> Verdict:
    evidence, budget = _evidence(run, names), objective.budget or 0.0
    if not evidence.total.count:
        return _without_data(objective, label, "it had no request in the steady state")
    sides = evidence.lost_sides() if objective.metric == "lost" else evidence.failure_sides()
    with_own = objective.metric == "errors" and evidence.timeouts_of_a_queue(budget)
    bracket = _bracket(*sides, budget, with_own, material=slip_is_material(evidence, None))
    shown = bracket.shown
    said = f"{shown.bad:,} of {shown.n:,} failed ({_percent(shown.observed or 0.0)}) against {_percent(budget)}"
    if objective.metric == "lost":
        said = said.replace("failed", "were lost")
    return _share_verdict(objective, label, bracket, said, shown.observed, shown.lower, shown.upper)


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
    reason = f"{said}; bad fraction {_percent(shown.lower)} to {_percent(shown.upper)}, allowed {_percent(budget)}"
    if bracket.status is Status.INVALID:
        reason += "; the generator sent late, and that decides it: its own fault"
    elif bracket.status is Status.INCONCLUSIVE and bracket.upper.status is not bracket.lower.status:
        reason += "; timed from the intended start and from the actual send it comes out differently"
    elif bracket.status is Status.INCONCLUSIVE:
        needs = shown.needs_factor
        more = f"needs about {needs * shown.seconds:.0f} s" if needs else "waiting would not decide it"
        reason += f"; too little evidence, {more}"
    return Verdict(
        objective.text,
        label,
        bracket.status,
        reason,
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
        of = f"of {n:,} expected deliveries"
    else:
        intervals = [i for name in names for i in run.intervals[name].values()]
        n = sum(i.count for i in intervals)
        found = sum(i.dropped if objective.metric == "dropped" else i.error_count + i.timeouts for i in intervals)
        of = f"of {n:,}"
    if not n:
        return _without_data(objective, label, "there was nothing to count")
    return Verdict(
        objective.text,
        label,
        Status.FAIL if found else Status.PASS,
        f"{found:,} {objective.metric} {of}",
        objective.kind.value,
        _UNITS[objective.kind],
        0.0,
        observed=float(found),
        n=n,
        n_effective=float(n),
        bad=found,
        bad_fraction=found / n,
        budget=0.0,
        budget_spent=None if found else 0.0,
    )


def _throughput(run: Run, objective: Objective, names: list[str], label: str) -> Verdict:
    """Mean successes per second, with bounds from the slow waves of the run's seconds (as in the gate)."""
    per_s = Evidence(run, names).completed_per_s()
    if not per_s.sum():
        return _without_data(objective, label, "nothing was completed in the steady state")
    seconds, mean = len(per_s), float(per_s.mean())
    half = math.inf
    if seconds >= LEAST_SECONDS:
        m = waves(seconds)
        angles = np.pi * np.outer(np.arange(1, m + 1), np.arange(seconds) + 0.5) / seconds
        amplitudes = math.sqrt(2 / seconds) * np.cos(angles) @ (per_s - mean)
        half = float(stdtrit(m, 0.95)) * math.sqrt(float(amplitudes @ amplitudes) / m / seconds)
    lower, upper = mean - half, mean + half
    status = Status.PASS if lower > objective.limit else Status.FAIL if upper < objective.limit else Status.INCONCLUSIVE
    bounds = f"between {lower:.3g} and {upper:.3g}/s" if math.isfinite(half) else "unknown bounds in under 30 s"
    return Verdict(
        objective.text,
        label,
        status,
        f"{mean:.4g} completed per second, {bounds}, against {objective.limit:.4g}/s",
        objective.kind.value,
        _UNITS[objective.kind],
        objective.limit,
        observed=mean,
        lower=lower if math.isfinite(half) else None,
        upper=upper if math.isfinite(half) else None,
        n=int(per_s.sum()),
    )


def _percent(fraction: float) -> str:
    return f"{fraction * 100:.3g} %"


_RULES = {Kind.LATENCY: _latency, Kind.SHARE: _share, Kind.COUNT: _count, Kind.THROUGHPUT: _throughput}
_UNITS = {Kind.LATENCY: "ns", Kind.SHARE: "fraction", Kind.COUNT: "count", Kind.THROUGHPUT: "per_s"}
