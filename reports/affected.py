"""Whose deliveries went wrong, and those of which streams: the worst few by name, and what it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from loadtests.run import Run
from reports.figures import count, percent

__all__ = ["AffectedTable", "affected_sentences", "affected_tables"]

_MOST_NAME: Final = 60
_KINDS: Final = ("lost", "late", "duplicated", "reordered", "foreign")
_HEADS: Final = ("Due", "Lost", "Share", "Late", "Duplicated", "Reordered", "Displacement", "Foreign")
_NONE: Final = {"Share": percent(0)}


class AffectedTable(NamedTuple):
    """How many subscribers or streams had which fault, as ``Lost to 2, duplicated to 3``, and the worst of them.

    A row is a name and the figures under the ``heads``. Faults that none of the worst had have no column.
    """

    kind: str
    had: str
    heads: list[str]
    rows: list[tuple[str, list[str]]]


class _Row(NamedTuple):
    """The figures of one, by head, and the same in words."""

    name: str
    cells: dict[str, str]
    words: str


def affected_tables(run: Run) -> list[AffectedTable]:
    """Of subscribers, then of streams; none where nothing went wrong."""
    tables = []
    for kind, had, rows in _found(run):
        heads = [head for head in _HEADS if any(head in row.cells for row in rows)]
        cells = [(row.name, [row.cells.get(head, _NONE.get(head, "0")) for head in heads]) for row in rows]
        tables.append(AffectedTable(kind, had, heads, cells))
    return tables


def affected_sentences(run: Run) -> list[str]:
    """Such as "Lost to 2, duplicated to 1 subscriber; the worst: number 17 (40 of 800 lost, 5.00 %; 1 duplicated)."."""
    sentences = []
    for kind, had, rows in _found(run):
        number = "number " if kind == "subscriber" else ""
        worst = ", ".join(f"{number}{row.name} ({row.words})" for row in rows)
        sentences.append(f"{had} {kind}{'' if had.endswith(' 1') else 's'}; the worst: {worst}.")
    return sentences


def _found(run: Run) -> list[tuple[str, str, list[_Row]]]:
    """Of each kind that was affected: which, how many had what, and the worst."""
    found = []
    for kind, to, affected in (("subscriber", "to", run.swarm.subscribers), ("stream", "in", run.swarm.streams)):
        had = [f"{fault} {to} {count(n)}" for fault in _KINDS if (n := getattr(affected, fault))]
        rows = [_row(_name(one.name, run), one._asdict()) for one in affected.worst]
        if rows:
            found.append((kind, ", ".join(had).capitalize(), rows))
    return found


def _row(name: str, faults: Mapping[str, int]) -> _Row:
    lost, due = faults["lost"], faults["due"]
    cells, words = {"Due": count(due)}, []
    if lost:
        share = percent(lost / due)
        cells |= {"Lost": count(lost), "Share": share}
        words.append(f"{count(lost)} of {count(due)} lost, {share}")
    for kind in _KINDS[1:]:
        if n := faults[kind]:
            cells[kind.capitalize()] = count(n)
            words.append(f"{count(n)} {kind}")
        if n and kind == "reordered":
            cells["Displacement"] = count(faults["displacement"])
            words[-1] += f", by {count(faults['displacement'])} at most"
    return _Row(name, cells, "; ".join(words))


def _name(name: str, run: Run) -> str:
    """A subscriber's number; of a stream its channel, and the publisher's number where that is a member."""
    publisher, tab, channel = name.partition("\t")
    publisher = publisher.removeprefix(f"{run.header.run_id}.")
    if not tab:
        return name
    shown = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in channel)
    shown = shown if len(shown) <= _MOST_NAME else f"{shown[: _MOST_NAME - 1]}…"
    if publisher in ("", "*"):
        return f'"{shown}"' if shown else "its broadcasts"
    return f'"{shown}" by {publisher}' if shown else f"what {publisher} sends"
