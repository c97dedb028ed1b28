"""Whether deliveries that came out of order were as near to their place as an objective asks."""

from __future__ import annotations

from loadtests.objective import Objective
from loadtests.run import Run
from loadtests.verdict import Status, Verdict

__all__ = ["rule_displacement"]


def rule_displacement(run: Run, objective: Objective, label: str) -> Verdict | None:
    """The largest displacement of the whole run against the limit; None where nothing was delivered.

    A delivery is out of order when it came after a higher number of its stream (RFC 4737, 3.3, says so of packets), and
    displaced by how much higher the highest was. No slowness of ours makes that: a connection keeps its order.
    """
    deliveries = run.deliveries
    if not deliveries.get("received"):
        return None
    furthest, limit = deliveries.get("displacement", 0), int(objective.limit)
    found = f"the furthest delivery came {furthest:,} numbers behind its place against at most {limit:,}"
    return Verdict(
        objective.text,
        label,
        Status.FAIL if furthest > limit else Status.PASS,
        f"{found}; {deliveries.get('reordered', 0):,} of {deliveries['received']:,} came out of order",
        objective.kind.value,
        objective.unit,
        objective.limit,
        observed=float(furthest),
        n=deliveries["received"],
    )
