"""The run in short, as Markdown for a pull request."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from loadtests.run import Run
from reports.affected import affected_sentences
from reports.headline import headline
from reports.ledger import ledger, ledger_sentence
from reports.objectiverow import ObjectiveRow, objective_rows
from reports.seriestable import worst_series
from reports.timeline import Steady

__all__ = ["escaped", "render_summary"]

_MOST_ROWS: Final = 10
_WORST: Final = 5
_SIGN: Final = {"check": "✓", "cross": "✗", "question": "?", "exclamation": "!", "dash": "-"}
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]()<>#+!|~$])")


def escaped(text: str) -> str:
    """One line that Markdown shows as it is: nothing in it is markup, and nobody is mentioned by ``@name``."""
    line = " ".join(text.split())
    return _SPECIAL.sub(r"\\\1", line).replace("@", "@\u200b").replace("&", "&amp;")


def render_summary(run: Run) -> str:
    """Verdict, objectives, trust, the swarm's ledger, and the five slowest series."""
    head = headline(run)
    lines = [f"### {_SIGN[head.status.shape]} {head.status.word}: {escaped(head.sentence)}", ""]
    tested = "; ".join(f"{term.lower()} {escaped(value)}" for term, value in head.tested)
    lines += [f"{escaped(run.header.name)}: {tested}", ""]
    lines += [line for word, text in head.banners for line in (f"> **{word}.** {escaped(text)}", "")]
    rows = objective_rows(run)
    if rows:
        lines += [*_table(rows[:_MOST_ROWS]), ""]
        if len(rows) > _MOST_ROWS:
            rest = rows[_MOST_ROWS:]
            held = sum(row.status.word == "PASS" for row in rest)
            lines += [f"{len(rest)} more objectives, {held} of them held, are in report.html.", ""]
    evidence = "; ".join(
        f"{escaped(check.title)} ({escaped(check.value)})"
        if check.ok
        else f"**✗ {escaped(check.title)}?** No: {escaped(check.value)} (allowed: {escaped(check.limit)})"
        + (f". To mend it: {escaped(check.remedy)}" if check.remedy else "")
        for check in head.trust.checks
    )
    lines += [f"**Can this run be trusted?** {head.trust.answer} {evidence}".rstrip(), ""]
    lines += _deliveries(run)
    worst = worst_series(Steady(run), _WORST)
    if worst:
        slowest = ", ".join(f"{escaped(name)} {p} {figure}" for name, p, figure in worst)
        lines += [f"**Slowest:** {slowest}", ""]
    return "\n".join(lines)


def _deliveries(run: Run) -> list[str]:
    """The swarm's ledger, a column for each word; nothing without a swarm."""
    if not run.deliveries:
        return []
    words, figures, _, wrong = zip(*ledger(run), strict=True)
    cells = [f"**{figure} ✗**" if bad else figure for figure, bad in zip(figures, wrong, strict=True)]
    rows = [f"| {' | '.join(row)} |" for row in (words, ["--:"] * len(words), cells)]
    said = " ".join((ledger_sentence(run), *affected_sentences(run)))
    return [f"**Deliveries:** {escaped(said)}", "", *rows, ""]


def _table(rows: Sequence[ObjectiveRow]) -> list[str]:
    lines = [
        "| | objective | series | observed | bounds | n | budget spent |",
        "|---|---|---|--:|--:|--:|--:|",
    ]
    for row in rows:
        cells = (row.objective, row.series, row.observed, row.bounds, row.n, row.spent)
        lines.append(
            f"| {_SIGN[row.status.shape]} {row.status.word} | " + " | ".join(escaped(cell) for cell in cells) + " |"
        )
    return lines
