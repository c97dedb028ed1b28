"""Whether as much was completed as an objective asks."""

from __future__ import annotations

import math

import numpy as np

from loadtests.evidence import Evidence
from loadtests.gate import LEAST_SECONDS
from loadtests.meanbounds import mean_bounds
from loadtests.objective import Objective
from loadtests.verdict import Status, Verdict

__all__ = ["rule_throughput"]


def rule_throughput(evidence: Evidence, settled: int, objective: Objective, label: str) -> Verdict | None:
    """Mean successes per second; what never started might have been one, so a FAIL must stand with it counted in.

    Args:
        evidence: the series' steady seconds.
        settled: how many of the last of them count; 0 where it never settled, and all do.
        objective: what is asked.
        label: of the series.

    Returns:
        None without a request.

    """
    completed = evidence.completed_per_s()[-settled:] if settled else evidence.completed_per_s()
    if not (evidence.total.count or completed.any()):
        return None
    lower, upper = mean_bounds(completed)
    _, at_best = mean_bounds(completed + np.array([i.never_started for i in evidence.intervals[-len(completed) :]]))
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
        objective.unit,
        limit,
        observed=mean,
        lower=lower if known else None,
        upper=upper if known else None,
        n=int(completed.sum()),
    )
