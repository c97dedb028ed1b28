"""The totals of the swarm's ledger, and how those of several processes add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

__all__ = ["Counts"]


@dataclass
class Counts:
    """The ledger's totals."""

    expected: int = 0
    delivered: int = 0
    lost: int = 0
    duplicated: int = 0
    """Came once more."""
    reordered: int = 0
    """Came, not being late, after a higher number of its stream; not a class of its own in the identities."""
    displacement: int = 0
    """By how many numbers, at most, one came after a higher one."""
    late: int = 0
    """Came after the message was settled: as lost, which it stays, or as not due."""
    belated: int = 0
    """Of the late ones, those that were due, and so are counted as lost."""
    outside: int = 0
    """Came in time to a subscriber that was not (yet, or any more) eligible, or had been kept for who joined."""
    away: int = 0
    """Published while a subscriber's connection was lost; no class of its own either."""
    recovered: int = 0
    """Of these, came after all, however late."""
    foreign: int = 0
    """Bears our mark, but nobody published it."""
    received: int = 0
    unsettled: int = 0
    """Came of messages that are not settled yet, nor refused as foreign: in none of the classes so far."""

    def to_json(self) -> dict[str, int]:
        """Plain values."""
        return asdict(self)

    def after_all(self) -> dict[str, int]:
        """Of those that were slow on purpose: what came after the drain did come. Foreign stays what it is."""
        delivered, lost = self.delivered + self.belated, self.lost - self.belated
        return {"expected": self.expected, "delivered": delivered, "lost": lost, "foreign": self.foreign}

    @staticmethod
    def together(ledgers: Iterable[Mapping[str, int]]) -> dict[str, int]:
        """The totals of all processes, from theirs."""
        parts = list(ledgers)
        total = {name: sum(part.get(name, 0) for part in parts) for name in Counts().to_json()}
        total["displacement"] = max((part.get("displacement", 0) for part in parts), default=0)
        return total
