"""The swarm's ledger: what was due to subscribers and what came of it."""

from __future__ import annotations

from typing import Final

from loadtests.run import Run
from loadtests.series import PUBLISH
from reports.figures import count, percent, significant

__all__ = ["ledger"]

_MEANING: Final = {
    "expected": "due to subscribers",
    "delivered": "arrived",
    "lost": "never came",
    "duplicated": "came more than once",
    "reordered": "overtook another",
    "displacement": "numbers that one was overtaken by, at most",
    "late": "came after it was given up",
    "belated": "of these had been due, and count as lost",
    "away": "published while a subscriber's connection was lost",
    "recovered": "of these came afterwards",
    "outside": "came beside a subscription",
    "foreign": "nobody published it",
    "received": "in all",
}
_MUST_BE_ZERO: Final = frozenset({"lost", "duplicated", "reordered", "late", "foreign"})
_ONLY_IF_ANY: Final = frozenset({"late", "belated", "outside", "foreign", "displacement", "away", "recovered"})


def ledger(run: Run) -> list[tuple[str, str, str, bool]]:
    """Word, figure, meaning, and whether it is a loss that happened; then the fan-out, where it is known."""
    kept = run.deliveries
    expected = kept.get("expected", 0)
    rows = []
    for word, n in kept.items():
        if word in _ONLY_IF_ANY and not n and not (word == "recovered" and kept.get("away")):
            continue
        wrong = word in _MUST_BE_ZERO and n > 0
        meaning = _MEANING.get(word, "")
        if wrong and expected:
            meaning += f": {percent(n / expected)}"
        rows.append((word.replace("_", " "), count(n), meaning, wrong))
    published = sum(interval.ok for interval in run.intervals.get(PUBLISH, {}).values())
    if published and expected:
        rows.append(("fan-out", significant(expected / published), "deliveries per publish", False))
    if (fairness := run.swarm.fairness.index) is not None:
        rows.append(("fairness", significant(fairness), "of mean delivery times by Jain's index; 1: all alike", False))
    if slow := run.swarm.slow:
        meaning = f"lost, of {count(slow['expected'])} due to those that did not read on purpose; not in lost"
        if slow.get("foreign"):
            meaning += f"; {count(slow['foreign'])} more came that nobody published"
        rows.append(("slow readers", count(slow["lost"]), meaning, False))
    return rows
