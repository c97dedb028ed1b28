"""Whether subscribers were served as evenly as an objective asks."""

from __future__ import annotations

import math
from statistics import median

from loadtests.clockcheck import uncertainty_ns
from loadtests.lapse import REMEDIES
from loadtests.objective import Objective
from loadtests.run import Run
from loadtests.verdict import Status, Verdict

__all__ = ["own_us", "rule_fairness"]


def own_us(run: Run) -> float:
    """How long the swarm's own loop may let one subscriber wait behind another: the longest of a typical second."""
    worst_ms: dict[int, float] = {}
    steady = set(run.header.steady_seconds())
    for row in run.vitals:
        second = math.floor(row["at_s"]) - 1
        if second in steady and ".swarm" in row["source"]:
            worst_ms[second] = max(worst_ms.get(second, 0.0), row["loop_worst_ms"])
    return median(worst_ms.values()) * 1000 if worst_ms else 0.0


def rule_fairness(run: Run, objective: Objective, label: str) -> Verdict | None:
    """PASS where the index's lower bound is not below the limit, FAIL where its upper one is.

    A FAIL has to stand when what the generator's own loop may have added is not held against the server; else it is
    INVALID. None where no two were heard of.
    """
    fairness, limit = run.swarm.fairness, objective.limit
    index = fairness.index
    if index is None:
        return None
    clock_us, own = uncertainty_ns(run) / 1000, own_us(run)
    known = math.isfinite(clock_us)
    lower, upper = fairness.bounds(clock_us) if known else (0.0, 1.0)
    follows, remedy, status = "", "", Status.INCONCLUSIVE
    if lower >= limit:
        status = Status.PASS
    elif upper >= limit:
        follows = "; too little evidence" if known else "; the target's clock is not known"
    elif fairness.bounds(clock_us, own)[1] < limit:
        status = Status.FAIL
    else:
        status, remedy = Status.INVALID, REMEDIES["loop"]
        follows = (
            f"; but the generator's own loop let subscribers wait up to {own / 1000:.2g} ms, which may be all of it"
        )
    return Verdict(
        objective.text,
        label,
        status,
        f"the fairness of {fairness.subscribers:,} subscribers was {index:.3g} against a least of {limit:g}; "
        f"it most likely lies between {lower:.3g} and {upper:.3g}{follows}",
        objective.kind.value,
        objective.unit,
        limit,
        observed=index,
        lower=lower,
        upper=upper,
        n=fairness.subscribers,
        remedy=remedy,
    )
