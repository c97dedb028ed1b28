"""Faults and other things that happened to the run, numbered so that charts and the list below them agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from loadtests.run import Run

__all__ = ["Incident", "incidents"]

_ROUTINE: Final = frozenset({"phase", "info", "start", "end", "progress", "log", "ready"})
_MOST: Final = 40
_SAME_WITHIN_S: Final = 10.0


@dataclass
class Incident:
    """One thing that happened, or the same thing several times in quick succession."""

    number: int
    at_s: float
    kind: str
    text: str
    count: int = 1
    last_s: float = 0.0


def incidents(run: Run) -> list[Incident]:
    """Events that are not routine, in order of time; repetitions within ten seconds are counted, not listed."""
    found: list[Incident] = []
    for row in sorted(run.events, key=lambda row: float(row.get("at_s", 0))):
        at_s, kind, text = float(row.get("at_s", 0)), str(row.get("kind", "event")), str(row.get("text", ""))
        if kind in _ROUTINE:
            continue
        same = next((one for one in reversed(found) if (one.kind, one.text) == (kind, text)), None)
        if same and at_s - same.last_s <= _SAME_WITHIN_S:
            same.count, same.last_s = same.count + 1, at_s
        elif len(found) < _MOST:
            found.append(Incident(len(found) + 1, at_s, kind, text, last_s=at_s))
    return found
