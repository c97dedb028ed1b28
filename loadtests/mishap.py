"""What went wrong in a run: what failed, by series and kind, and the ends of connections that nobody had planned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from loadtests.run import Run
from loadtests.series import CONNECTION, DELIVER, is_derived

__all__ = ["Mishap", "failures", "mishap_lines", "mishaps", "planned", "unplanned_ends"]

MOST_LINES = 6
_PLANNED = ("we: end of the run", "we: left as planned", "we: storm", "the storm: ")


@dataclass(frozen=True)
class Mishap:
    """So many of a series failed in one way; of ``ws connection`` they ended, ``kind`` being by whom and why."""

    series: str
    kind: str
    count: int
    of: int = 0
    """How many there were of the series in all."""

    def __str__(self) -> str:
        """In words: ``10 of 20 ws connect failed (timeout)``, ``3 connections ended (we: no pong)``."""
        if self.series == CONNECTION:
            return f"{self.count:,} connection{'' if self.count == 1 else 's'} ended ({self.kind})"
        return f"{self.count:,} of {self.of:,} {self.series} failed ({self.kind})"


def failures(run: Run) -> list[Mishap]:
    """Of every series that tells of it first, over the whole run, the most frequent first; what the ledger loses not.

    Unplanned ends are :func:`unplanned_ends`'.
    """
    found = []
    for series, seconds in run.intervals.items():
        if is_derived(series) or series == CONNECTION:
            continue
        kinds: Counter[str] = Counter()
        for interval in seconds.values():
            kinds.update(dict(interval.failures()))
        if series == DELIVER:
            del kinds["lost"]
        n = sum(interval.count for interval in seconds.values())
        found += [Mishap(series, kind, count, n) for kind, count in kinds.items()]
    return sorted(found, key=lambda one: -one.count)


def planned(ending: str) -> bool:
    """Whether a connection that ended so, in the words of :func:`loadtests.parting.who`, was to end."""
    return ending.startswith(_PLANNED)


def unplanned_ends(run: Run) -> list[Mishap]:
    """By whom and why, the most frequent first; by why alone of a run that does not say by whom."""
    ends = Counter({why: n for why, n in run.swarm.closes.items() if not planned(why)})
    if not run.swarm.closes:
        for interval in run.intervals.get(CONNECTION, {}).values():
            ends.update(dict(interval.failures()))
    return [Mishap(CONNECTION, why, n) for why, n in ends.most_common()]


def mishaps(run: Run) -> Iterator[Mishap]:
    """All of them: connections that ended, then what failed."""
    yield from unplanned_ends(run)
    yield from failures(run)


def mishap_lines(run: Run) -> str:
    """Them as a few lines for a terminal; empty where nothing went wrong."""
    found = list(map(str, mishaps(run)))
    if len(found) > MOST_LINES:
        found[MOST_LINES - 1 :] = [f"and {len(found) - MOST_LINES + 1} more kinds, which report.html has"]
    return "\n  ".join(["What went wrong", *found]) if found else ""
