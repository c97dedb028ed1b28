"""Who lost deliveries, and of whose messages: the worst few by name."""

from __future__ import annotations

from typing import Final, NamedTuple

from loadtests.run import Run
from reports.figures import count, percent

__all__ = ["LoserTable", "loser_sentences", "loser_tables"]

_MOST_NAME: Final = 60


class LoserTable(NamedTuple):
    """How many of a kind lost something; of the worst: name, lost, of how many, and the share."""

    kind: str
    n: str
    rows: list[tuple[str, str, str, str]]


def loser_tables(run: Run) -> list[LoserTable]:
    """Of subscribers, then of streams; none where nothing was lost."""
    tables = []
    for kind, losers in (("subscriber", run.swarm.subscribers), ("stream", run.swarm.streams)):
        rows = [(_name(one.name, run), count(one.lost), count(one.due), percent(one.share)) for one in losers.worst]
        if rows:
            tables.append(LoserTable(kind, count(losers.n), rows))
    return tables


def loser_sentences(run: Run) -> list[str]:
    """Such as "Lost by 2 subscribers; most by number 17 (40 of 800, 5.00 %), number 3 (2 of 800, 0.250 %)."."""
    sentences = []
    for kind, n, rows in loser_tables(run):
        lost_by, number = ("by", "number ") if kind == "subscriber" else ("of", "")
        worst = ", ".join(f"{number}{name} ({lost} of {due}, {share})" for name, lost, due, share in rows)
        sentences.append(f"Lost {lost_by} {n} {kind}{'' if n == '1' else 's'}; most {lost_by} {worst}.")
    return sentences


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
