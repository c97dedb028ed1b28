"""What broke the contract in a run: how often under load, how often unloaded, and what that says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from loadtests.interval import merge
from loadtests.run import Run

__all__ = ["Breach", "When", "breaches", "checked"]

When = Literal["only under load", "unloaded as well", "only unloaded", "unloaded too seldom", "not tried unloaded"]

_DOUBT: Final = 0.05


@dataclass(frozen=True)
class Breach:
    """One way in which the answers of one series broke the contract."""

    series: str
    kind: str
    count: int
    """Answers of the run that broke it so, of those that were ``checked``."""
    checked: int
    unloaded: int
    """Answers of the unloaded pass that broke it so, of those that were ``tried``."""
    tried: int

    @property
    def when(self) -> When:
        """Whether it takes load to break it.

        Nothing in so few tries says nothing: "only under load" needs that answers which break it as often as they did
        under load would all have kept it, so many times, in less than one case of twenty.
        """
        if not self.tried:
            return "not tried unloaded"
        if not self.count:
            return "only unloaded"
        if self.unloaded:
            return "unloaded as well"
        chance = (1 - self.count / self.checked) ** self.tried
        return "only under load" if chance < _DOUBT else "unloaded too seldom"


def checked(run: Run) -> dict[str, tuple[int, int]]:
    """How many answers of each series were checked, in the whole run and in the unloaded pass; none where neither."""
    sums = {name: sum(one.checked for one in run.intervals.get(name, {}).values()) for name in _names(run)}
    both = {name: (n, run.header.unloaded.get(name, {}).get("checked", 0)) for name, n in sums.items()}
    return {name: pair for name, pair in both.items() if any(pair)}


def breaches(run: Run) -> list[Breach]:
    """Every one, the most frequent first."""
    return sorted(_breaches(run), key=lambda one: (-one.count, -one.unloaded, one.series, one.kind))


def _breaches(run: Run) -> Iterator[Breach]:
    for name, (under_load, tried) in checked(run).items():
        loaded = merge(run.intervals.get(name, {}).values(), series=name).violations
        unloaded = run.header.unloaded.get(name, {}).get("violations", {})
        for kind in loaded.keys() | unloaded.keys():
            yield Breach(name, kind, loaded.get(kind, 0), under_load, unloaded.get(kind, 0), tried)


def _names(run: Run) -> list[str]:
    return sorted(run.intervals.keys() | run.header.unloaded.keys())
