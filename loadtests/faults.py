"""What went wrong with the deliveries to a subscriber, or with those of a stream: exact counts, the worst few told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from heapq import nsmallest
from typing import Any, NamedTuple

__all__ = ["KINDS", "WORST", "Affected", "Faults", "StreamFaults"]

WORST = 5
"""So many are told by name."""
KINDS = ("lost", "late", "duplicated", "reordered", "foreign")


class Faults(NamedTuple):
    """Of all deliveries to one subscriber, or of one stream to whomever, counted as the ledger's totals are.

    ``lost`` of the ``due`` ones; ``late``, ``duplicated`` and ``reordered``, by ``displacement`` numbers at most;
    ``foreign`` where nobody published it. One that had been due and came late is lost as well.
    """

    name: str
    lost: int = 0
    due: int = 0
    late: int = 0
    duplicated: int = 0
    reordered: int = 0
    displacement: int = 0
    foreign: int = 0

    @property
    def share(self) -> float:
        """The lost fraction."""
        return self.lost / self.due if self.due else 0.0

    @property
    def total(self) -> int:
        """All faults together."""
        return self.lost + self.late + self.duplicated + self.reordered + self.foreign


class Affected(NamedTuple):
    """How many had any fault, the worst of them first, and how many had each kind of fault."""

    n: int = 0
    worst: Sequence[Faults] = ()
    lost: int = 0
    late: int = 0
    duplicated: int = 0
    reordered: int = 0
    foreign: int = 0

    @classmethod
    def of(cls, found: Iterable[Faults]) -> Affected:
        """From those of all of them."""
        faulty = [one for one in found if one.total]
        return cls(len(faulty), _worst(faulty), *(sum(getattr(one, kind) > 0 for one in faulty) for kind in KINDS))

    @classmethod
    def together(cls, parts: Iterable[Sequence[Any]]) -> Affected:
        """Of several processes, each of which has its own subscribers; from lists as well.

        One of two elements is from when nothing but losses was told.
        """
        found = [cls(n, worst, *(had or [n])) for n, worst, *had in parts]
        had = zip(*([getattr(part, kind) for kind in KINDS] for part in found), strict=True)
        worst = _worst(Faults(*faults) for part in found for faults in part.worst)
        return cls(sum(part.n for part in found), worst, *map(sum, had))


class StreamFaults:
    """Of streams, of which several processes tell: each of its own subscribers, and what is new since it told last."""

    def __init__(self) -> None:
        self._settled: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        self._wrong: defaultdict[str, list[int]] = defaultdict(lambda: [0] * 5)

    def settled(self, rows: Mapping[str, Sequence[int]]) -> None:
        """By stream: so many deliveries were due, and so many of them lost."""
        for stream, (due, lost) in rows.items():
            counted = self._settled[stream]
            counted[0] += due
            counted[1] += lost

    def wrong(self, rows: Mapping[str, Sequence[int]]) -> None:
        """By stream: so many were late, duplicated and reordered, by how many numbers at most, and so many foreign."""
        for stream, (late, duplicated, reordered, displacement, foreign) in rows.items():
            before = self._wrong[stream]
            most = max(before[3], displacement)
            before[:] = before[0] + late, before[1] + duplicated, before[2] + reordered, most, before[4] + foreign

    def affected(self) -> Affected:
        """Of what was told until now."""
        names = {stream for stream, (_, lost) in self._settled.items() if lost} | self._wrong.keys()
        nothing = (0, 0)  # of a stream that nobody published, which may be doubled all the same
        settled = ((name, *self._settled.get(name, nothing)) for name in names)
        return Affected.of(Faults(name, lost, due, *self._wrong.get(name, ())) for name, due, lost in settled)


def _worst(faulty: Iterable[Faults]) -> list[Faults]:
    """Most lost first, then most faults; of equals by name, and numbers in their order: whoever's come first."""
    return nsmallest(WORST, faulty, key=lambda one: (-one.lost, -one.total, len(one.name), one.name))
