"""Whether something happened that an objective allows not once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loadtests.breach import breaches, checked
from loadtests.objective import Objective
from loadtests.run import Run
from loadtests.verdict import Status, Verdict

__all__ = ["HAPPENED", "LEDGER", "ledger_count", "rule_count"]

LEDGER = ("lost", "late", "duplicated", "reordered", "foreign", "unrecovered")
"""What the swarm's ledger counts; it happens to deliveries alone."""
HAPPENED = {
    "errors": "requests failed",
    "dropped": "requests never started",
    "contract": "answers broke the contract",
    "lost": "deliveries were lost",
    "late": "deliveries came after they were given up",
    "duplicated": "deliveries came twice",
    "reordered": "deliveries came out of order",
    "foreign": "deliveries bear our mark, but nobody sent them",
    "unrecovered": "deliveries that were missed while connections were lost never came",
}
"""What it means that some were counted."""


def ledger_count(deliveries: Mapping[str, int], metric: str) -> tuple[int, int]:
    """Of how many deliveries that may happen, and to how many it did.

    What is due may be lost, what was missed while away may not come after all; all else happens to what came, of which
    copies and late ones are a part.
    """
    if metric == "unrecovered":
        missed = deliveries.get("away", 0)
        return missed, missed - deliveries.get("recovered", 0)
    return deliveries.get("expected" if metric == "lost" else "received", 0), deliveries.get(metric, 0)


def rule_count(
    run: Run,
    objective: Objective,
    names: Sequence[str],
    stray: Sequence[str],
    label: str,
    spoilt: Mapping[int, float],
) -> Verdict | None:
    """A count over the whole run, warm-up included, and of the contract before it too: one is one too many.

    Args:
        run: the run.
        objective: what is asked.
        names: the series counted.
        stray: those of arrivals that never started, and may have been meant for one of them.
        label: of the series.
        spoilt: seconds that are not held against the target, where it is the whole second.

    Returns:
        None where there was nothing to count.

    """
    happened = HAPPENED[objective.metric]
    if objective.metric in LEDGER:
        n, found = ledger_count(run.deliveries, objective.metric)
    elif objective.metric == "contract":
        n = sum(sum(both) for name, both in checked(run).items() if name in names)
        broken = [breach for breach in breaches(run) if breach.series in names]
        found = sum(breach.count + breach.unloaded for breach in broken)
        if broken and all(breach.when == "only under load" for breach in broken):
            happened += ", and only under load"
    else:
        never_started = objective.metric == "dropped"
        counted = [*names, *(stray if never_started else ())]
        intervals = [i for name in counted for s, i in run.intervals[name].items() if spoilt.get(s, 0.0) < 1]
        n = sum(i.count for i in intervals)
        found = sum(i.never_started if never_started else i.error_count + i.timeouts for i in intervals)
    if not (n or found):
        return None
    return Verdict(
        objective.text,
        label,
        Status.FAIL if found else Status.PASS,
        f"{found:,} of {n:,} {happened}",
        objective.kind.value,
        objective.unit,
        0.0,
        observed=float(found),
        n=n,
        n_effective=float(n),
        bad=found,
        bad_fraction=found / n if n else None,
        budget=0.0,
        budget_spent=None if found else 0.0,
    )
