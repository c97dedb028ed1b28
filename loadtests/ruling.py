"""One objective against the evidence: bounds, bracketing, and the reason in one sentence.

A reason has up to three parts, ``finding; how sure that is; what follows``: the first goes into the run's sentence when
an objective failed, the last when it could not be decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

from loadtests.bracket import Bracket, bracket
from loadtests.countrule import LEDGER, rule_count
from loadtests.displacementrule import rule_displacement
from loadtests.doubt import doubted
from loadtests.duration import format_fraction, format_ns
from loadtests.effective import NEAR
from loadtests.evidence import Evidence
from loadtests.fairnessrule import rule_fairness
from loadtests.gate import GateResult, quantile_bounds
from loadtests.health import slip_is_material
from loadtests.objective import Kind, Objective
from loadtests.run import Run
from loadtests.series import CONNECTED, DELIVER, DUPLICATED, LATE, MISSED, REORDERED, is_request, is_stray, is_swarm
from loadtests.steadystate import settled_seconds
from loadtests.throughputrule import rule_throughput
from loadtests.verdict import Status, Verdict

__all__ = ["rule"]

_BAD = {
    CONNECTED: "connection-seconds were down",
    DUPLICATED: "that came were copies",
    REORDERED: "that came were out of order",
    LATE: "that came had been given up",
    MISSED: "that were missed while connections were lost never came",
}
"""What is bad in series of which nothing fails."""
_NONE = dict.fromkeys(LEDGER, "no delivery came")
_NONE |= {"lost": "no delivery was due to any subscriber", "unrecovered": "nothing was missed"}
"""What it means of deliveries that there was nothing to count."""


def rule(run: Run, objective: Objective) -> Iterator[Verdict]:
    """The verdict on each series that the objective names, or on their pool, which goes by the glob.

    An objective that matches no series, or only series without data, is INCONCLUSIVE: it cannot pass. None is bound
    to arrivals that never became a request, or to exceptions, by itself.
    """
    known = sorted(run.intervals.keys() | (run.header.unloaded.keys() if objective.metric == "contract" else ()))
    names = [name for name in known if objective.matches(name) and (is_request(name) or is_swarm(name))]
    if objective.metric in LEDGER:
        names = [name for name in names if name == DELIVER]
    if not names:
        yield _without_data(objective, objective.series, _why_none(run, objective))
    elif objective.scope == "each" or len(names) == 1:
        for name in names:
            yield _doubted(run, objective, [name], name)
    else:
        verdict = _doubted(run, objective, names, objective.series)
        yield replace(verdict, notes=(f"{len(names)} series together", *verdict.notes))


def _why_none(run: Run, objective: Objective) -> str:
    """Why a run has none of the series that are asked for."""
    if objective.series == MISSED and DELIVER in run.intervals:
        return "nothing was missed"
    if run.header.connections and DELIVER not in run.intervals and objective.matches(DELIVER):
        return "no delivery came"
    return f'no series matches "{objective.series}"'


def _doubted(run: Run, objective: Objective, names: list[str], label: str) -> Verdict:
    """Only a time-out makes an error of a lapse, so that is what lapses are measured against where times are not."""
    judged = partial(_RULES[objective.kind], run, objective, names, label)
    if objective.kind is Kind.GAP:  # it asks for the generator's own doing
        return judged({})
    return doubted(run, objective.limit_ns or round(run.header.timeout_s * 1e9), judged)


def _stray(run: Run, names: list[str]) -> list[str]:
    """Series of dropped arrivals that may have been meant for one of the names: for every HTTP series."""
    return [name for name in run.intervals if is_stray(name)] if any(map(is_request, names)) else []


def _evidence(run: Run, names: list[str], spoilt: Mapping[int, float]) -> Evidence:
    return Evidence(run, names, _stray(run, names), spoilt)


def _without_data(objective: Objective, label: str, reason: str) -> Verdict:
    return Verdict(
        objective.text,
        label,
        Status.INCONCLUSIVE,
        f"{reason}, so nothing can be said",
        objective.kind.value,
        objective.unit,
        objective.limit,
        budget=objective.budget,
    )


def _latency(run: Run, objective: Objective, names: list[str], label: str, spoilt: Mapping[int, float]) -> Verdict:
    evidence, limit_ns = _evidence(run, names, spoilt).timed(), int(objective.limit)
    if not evidence.total.count:
        return _without_data(objective, label, "it had no request of a known time in the steady state")
    budget, percentile = objective.budget or 0.0, objective.percentile or 0.0
    material = slip_is_material(evidence, limit_ns)
    both = bracket(*evidence.latency_sides(limit_ns), budget, limit_ns / 1000 * NEAR, material=material)
    low, high = quantile_bounds(percentile, both.upper.n_effective)
    ends = [evidence.percentile_us(p) for p in (percentile, low, high)]
    observed, lower, upper = (None if end is None else end * 1000.0 for end in ends)
    if observed is None:
        total = evidence.total
        said = f"{objective.metric} lies beyond the answered requests: {total.failed:,} of {total.count:,} failed"
    else:
        said = f"{objective.metric} was {format_ns(observed)} against a limit of {format_ns(limit_ns)}"
    sure = f"{_between(both.shown)} were slower or failed, {format_fraction(budget)} may"
    return _share_verdict(objective, label, both, f"{said}; {sure}", observed, lower, upper)


def _gap(run: Run, objective: Objective, names: list[str], label: str, _: Mapping[int, float]) -> Verdict:
    """How much later than due requests left. Whose fault that is does not matter: it was asked for as it is."""
    evidence, limit_ns, budget = _evidence(run, names, {}).timed(), int(objective.limit), objective.budget or 0.0
    if not evidence.total.count:
        return _without_data(objective, label, "it had no request in the steady state")
    both = bracket(*evidence.gap_sides(limit_ns), budget, limit_ns / 1000 * NEAR, material=False)
    percentile = objective.percentile or 0.0
    ends = [evidence.gap_us(p) for p in (percentile, *quantile_bounds(percentile, both.upper.n_effective))]
    observed, lower, upper = (None if end is None else end * 1000.0 for end in ends)
    was = "beyond those that ever left" if observed is None else format_ns(observed)
    said = f"{objective.metric} was {was} against a limit of {format_ns(limit_ns)}"
    sure = f"{_between(both.shown)} left later or never, {format_fraction(budget)} may"
    return _share_verdict(objective, label, both, f"{said}; {sure}", observed, lower, upper)


def _share(run: Run, objective: Objective, names: list[str], label: str, spoilt: Mapping[int, float]) -> Verdict:
    evidence, budget = _evidence(run, names, spoilt), objective.budget or 0.0
    if not evidence.total.count:
        return _without_data(objective, label, "it had no request in the steady state")
    sides = evidence.lost_sides() if objective.metric == "lost" else evidence.failure_sides()
    own_from_us = 0.0 if objective.metric == "errors" and evidence.timeouts_of_a_queue(budget) else None
    both = bracket(*sides, budget, own_from_us, material=slip_is_material(evidence, None))
    shown = both.shown
    happened = "were lost" if objective.metric == "lost" else _BAD.get(objective.series, "failed")
    share = format_fraction(shown.observed or 0.0)
    said = f"{shown.bad:,} of {shown.n:,} {happened}, {share} against {format_fraction(budget)}"
    sure = f"the truth most likely lies {_between(shown)}"
    return _share_verdict(objective, label, both, f"{said}; {sure}", shown.observed, shown.lower, shown.upper)


def _least(run: Run, objective: Objective, names: list[str], label: str, spoilt: Mapping[int, float]) -> Verdict:
    """The same of what is not bad, as the line asks for it."""
    verdict = _share(run, objective, names, label, spoilt)
    ends = (verdict.observed, verdict.upper, verdict.lower)
    observed, lower, upper = (None if bad is None else 1 - bad for bad in ends)
    return replace(verdict, observed=observed, lower=lower, upper=upper)


def _between(shown: GateResult) -> str:
    return f"between {format_fraction(shown.lower)} and {format_fraction(shown.upper)}"


def _share_verdict(
    objective: Objective,
    label: str,
    both: Bracket,
    said: str,
    observed: float | None,
    lower: float | None,
    upper: float | None,
) -> Verdict:
    shown, budget = both.shown, objective.budget or 1.0
    return Verdict(
        objective.text,
        label,
        both.status,
        said + both.follows,
        objective.kind.value,
        objective.unit,
        objective.limit,
        observed=observed,
        lower=lower,
        upper=upper,
        n=shown.n,
        n_effective=round(shown.n_effective, 1),
        lag_1=round(shown.lag_1, 3),
        bad=shown.bad,
        bad_fraction=shown.observed,
        bad_lower=shown.lower,
        bad_upper=shown.upper,
        budget=budget,
        budget_spent=(shown.observed or 0.0) / budget,
        notes=shown.notes,
    )


def _count(run: Run, objective: Objective, names: list[str], label: str, spoilt: Mapping[int, float]) -> Verdict:
    verdict = rule_count(run, objective, names, _stray(run, names), label, spoilt)
    return verdict or _without_data(objective, label, _NONE.get(objective.metric, "there was nothing to count"))


def _throughput(run: Run, objective: Objective, names: list[str], label: str, spoilt: Mapping[int, float]) -> Verdict:
    settled = sum(spoilt.get(second, 0.0) < 1 for second in settled_seconds(run))
    verdict = rule_throughput(_evidence(run, names, spoilt), settled, objective, label)
    return verdict or _without_data(objective, label, "it had no request in the steady state")


def _displacement(run: Run, objective: Objective, names: list[str], label: str, _: Mapping[int, float]) -> Verdict:
    return rule_displacement(run, objective, label) or _without_data(objective, label, "nothing was delivered")


def _fairness(run: Run, objective: Objective, names: list[str], label: str, _: Mapping[int, float]) -> Verdict:
    verdict = rule_fairness(run, objective, label)
    return verdict or _without_data(objective, label, "there were no two subscribers to compare in the steady state")


_RULES = {
    Kind.LATENCY: _latency,
    Kind.GAP: _gap,
    Kind.SHARE: _share,
    Kind.LEAST: _least,
    Kind.COUNT: _count,
    Kind.THROUGHPUT: _throughput,
    Kind.FAIRNESS: _fairness,
    Kind.DISPLACEMENT: _displacement,
}
