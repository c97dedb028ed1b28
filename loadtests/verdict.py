"""What a run is worth: values, never exceptions."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from loadtests.errors import ExitCode

__all__ = ["Check", "RunVerdict", "Status", "Verdict"]


class Status(Enum):
    """How one objective, or the whole run, came out."""

    PASS = "PASS"  # noqa: S105 -- a verdict, no password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"

    @property
    def exit_code(self) -> ExitCode:
        """What the command says to the shell."""
        return ExitCode[self.name]


@dataclass(frozen=True)
class Verdict:
    """One objective on one series (or one pool of them).

    ``observed``, ``lower`` and ``upper`` are in ``unit``: ns for latency (the percentile and its bounds), a fraction
    for shares, a count, or per second. ``bad_fraction`` with its bounds is what was held against ``budget``;
    ``budget_spent`` is their ratio (1.0 = all of it). ``n`` are requests, ``n_effective`` what they are worth after
    their dependence in time.
    """

    objective: str
    series: str
    status: Status
    reason: str
    kind: str
    unit: str
    limit: float
    observed: float | None = None
    lower: float | None = None
    upper: float | None = None
    n: int = 0
    n_effective: float | None = None
    lag_1: float | None = None
    """Correlation of the bad fractions of neighbouring seconds; told only."""
    bad: int = 0
    bad_fraction: float | None = None
    bad_lower: float | None = None
    bad_upper: float | None = None
    budget: float | None = None
    budget_spent: float | None = None
    notes: tuple[str, ...] = ()
    remedy: str = ""
    """What to do about the generator's own doing, where that took a FAIL's ground away."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"status": self.status.value, "notes": list(self.notes)}

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Verdict:
        """Read :meth:`to_json`'s form."""
        return cls(**(row | {"status": Status(row["status"]), "notes": tuple(row["notes"])}))


@dataclass(frozen=True)
class Check:
    """One self-check of the generator: what was found, what is allowed, and whether that breaks the run."""

    name: str
    title: str
    value: str
    limit: str
    ok: bool
    fatal: bool = False
    """A breach makes the whole run INVALID, whatever the objectives say."""
    remedy: str = ""
    """What to do about a breach."""


@dataclass(frozen=True)
class RunVerdict:
    """The whole run: the worst of its objectives, unless the harness itself is at fault."""

    status: Status
    sentence: str
    verdicts: tuple[Verdict, ...] = ()
    checks: tuple[Check, ...] = ()
    partial: str | None = None
    """Why the run ended early, when it did."""
    notes: tuple[str, ...] = field(default=())
    settled_s: int | None = None
    """Second of the run from which on its own signals were steady; None where that was not asked, or never."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "verdict": self.status.value,
            "sentence": self.sentence,
            "partial": self.partial,
            "objectives": [verdict.to_json() for verdict in self.verdicts],
            "checks": [asdict(check) for check in self.checks],
            "notes": list(self.notes),
            "settled_s": self.settled_s,
        }

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> RunVerdict:
        """Read :meth:`to_json`'s form."""
        return cls(
            Status(row["verdict"]),
            row["sentence"],
            tuple(Verdict.from_json(verdict) for verdict in row["objectives"]),
            tuple(Check(**check) for check in row["checks"]),
            row["partial"],
            tuple(row["notes"]),
            row.get("settled_s"),
        )
