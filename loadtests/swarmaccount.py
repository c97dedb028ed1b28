"""What a swarm says of itself beside its series and its ledger: how connections ended, who was served how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from loadtests.fairness import Fairness
from loadtests.faults import Affected

__all__ = ["SwarmAccount"]


@dataclass(frozen=True)
class SwarmAccount:
    """Of one process, or of all.

    Attributes:
        closes: how many connections ended so, by who and why: ``the server: closed 1012``.
        fairness: of what subscribers waited for their deliveries.
        slow: the ledger of the members that were slow on purpose; empty without any.
        stamped: how many messages bore a stamp of the server's clock.
        clock: that clock, where it was asked: ``offset_ms``, ``uncertainty_us``, and ``drift_ppm`` once that is known.
        stamps: what is wrong with them, where they are of no known clock.
        unplaced: deliveries of numbers that begin again, where nobody knows what else was numbered so.
        unread: messages that members could not make out.
        example: one of them, and why.
        subscribers: with whose deliveries something went wrong, by number.
        streams: likewise; only of all processes, since each has subscribers of all of them.

    """

    closes: Mapping[str, int] = field(default_factory=dict)
    fairness: Fairness = field(default_factory=Fairness)
    slow: Mapping[str, int] = field(default_factory=dict)
    stamped: int = 0
    clock: Mapping[str, float] = field(default_factory=dict)
    unplaced: int = 0
    unread: int = 0
    example: str = ""
    subscribers: Affected = field(default_factory=Affected)
    streams: Affected = field(default_factory=Affected)
    stamps: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def together(cls, rows: Iterable[Mapping[str, Any]]) -> SwarmAccount:
        """The account of all processes, from theirs in :meth:`to_json`'s form."""
        closes: Counter[str] = Counter()
        slow: Counter[str] = Counter()
        fairness, stamped, unplaced, unread, example, stamps = [], 0, 0, 0, "", ""
        clocks: list[Mapping[str, float]] = []
        subscribers, streams = [], []
        for row in rows:
            closes.update(row["closes"])
            slow.update(row["slow"])
            stamped += row["stamped"]
            unplaced += row.get("unplaced", 0)
            unread += row.get("unread", 0)
            example = example or row.get("example", "")
            stamps = stamps or row.get("stamps", "")
            clocks += [row["clock"]] if row["clock"] else []
            fairness.append(Fairness(**row["fairness"]))
            subscribers.append(row.get("subscribers", Affected()))
            streams.append(row.get("streams", Affected()))
        worst: Mapping[str, float] = max(clocks, key=lambda clock: float(clock["uncertainty_us"]), default={})
        affected = Affected.together(subscribers), Affected.together(streams)
        return cls(
            dict(closes),
            Fairness.together(fairness),
            dict(slow),
            stamped,
            worst,
            unplaced,
            unread,
            example,
            *affected,
            stamps,
        )
