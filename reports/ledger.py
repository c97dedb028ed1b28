"""The swarm's ledger: what was due to subscribers and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from loadtests.run import Run
from loadtests.series import PUBLISH
from reports.affected import affected_sentences
from reports.figures import count, percent, significant

__all__ = ["ledger", "ledger_sentence", "render_ledger"]

_MEANING: Final = {
    "expected": "due to subscribers",
    "delivered": "arrived",
    "lost": "never came",
    "late": "came after it was given up",
    "belated": "of these had been due, and count as lost",
    "duplicated": "came more than once",
    "reordered": "came after a higher number",
    "foreign": "nobody published it",
    "outside": "came beside a subscription",
    "away": "published while a subscriber's connection was lost",
    "recovered": "of these came afterwards",
    "unsettled": "of messages that were still open when it ended",
    "received": "in all",
}
_MUST_BE_ZERO: Final = frozenset({"lost", "late", "duplicated", "reordered", "foreign"})


def ledger(run: Run) -> list[tuple[str, str, str, bool]]:
    """Word, figure, meaning, and whether it is a loss that happened; then the fan-out, where it is known."""
    kept = run.deliveries
    expected, came = kept.get("expected", 0), kept.get("received", 0)
    rows = []
    for word, meaning in _MEANING.items():
        if word not in kept or (word == "unsettled" and not kept[word]):
            continue
        n, said = kept[word], [meaning]
        wrong = word in _MUST_BE_ZERO and n > 0
        if word == "reordered" and kept.get("displacement"):
            said.append(f"displacement {count(kept['displacement'])} at most")
        of = expected if word == "lost" else came
        if wrong and of:
            said.append(f"{percent(n / of)} of what {'was due' if word == 'lost' else 'came'}")
        rows.append((word, count(n), "; ".join(said), wrong))
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


def ledger_sentence(run: Run) -> str:
    """What came of the deliveries, plainly; empty without a swarm."""
    kept = run.deliveries
    expected, wrong = kept.get("expected", 0), list(_wrongs(kept))
    if not kept:
        return ""
    if not (expected or wrong):
        return "Nothing was due to any subscriber."
    said = "; ".join(wrong) or f"All {count(expected)} due deliveries arrived, each once, in order and in time"
    if wrong and not kept.get("lost"):
        said = f"None of {count(expected)} due deliveries was lost; {said}"
    if away := kept.get("away", 0):
        said += f". While connections were lost {count(away)} more were published, of which"
        said += f" {count(kept.get('recovered', 0))} were recovered"
    return f"{said}."


def _wrongs(kept: dict[str, int]) -> Iterator[str]:
    """``10 of 1,000 due deliveries were lost (1.00 %)``, and so on for each thing that must not be."""
    if lost := kept.get("lost", 0):
        due = kept.get("expected", 0)
        yield f"{count(lost)} of {count(due)} due deliveries were lost ({percent(lost / due)})"
    for word, said in (
        ("late", "came late, after they were given up"),
        ("duplicated", "came more than once"),
        ("reordered", f"came out of order (displacement {count(kept.get('displacement', 0))} at most)"),
        ("foreign", "came that nobody had published"),
    ):
        if n := kept.get(word, 0):
            yield f"{count(n)} {said}"


def render_ledger(run: Run) -> str:
    """The ledger as lines for a terminal, then its sentence and who was worst off; empty without a swarm."""
    if not run.deliveries:
        return ""
    rows = ledger(run)
    words, figures = max(len(row[0]) for row in rows), max(len(row[1]) for row in rows)
    lines = [
        f"  {word:<{words}}  {figure:>{figures}}  {meaning}{'  ✗' if wrong else ''}"
        for word, figure, meaning, wrong in rows
    ]
    said = [f"  {sentence}" for sentence in (ledger_sentence(run), *affected_sentences(run))]
    return "\n".join(["Deliveries", *lines, *said])
