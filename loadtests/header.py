"""What a run says of itself, in ``run.json``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["PhaseSpan", "RunHeader"]


@dataclass(frozen=True)
class PhaseSpan:
    """A phase of the run in seconds from its start; ``kind`` is warm-up, steady or cool-down."""

    name: str
    kind: str
    start_s: float
    end_s: float
    load: str = ""
    """Its load in words, such as ``120/s``."""


@dataclass(frozen=True)
class RunHeader:
    """What ``run.json`` holds."""

    name: str
    run_id: str
    started_wall_s: float
    t0_ns: int
    target: str
    model: str
    """``open`` or ``closed``."""
    load: str
    """The load in words, such as ``120 users, 120 arrivals/s (Poisson), 60 connections``."""
    users: int
    seed: int
    phases: tuple[PhaseSpan, ...]
    objectives: tuple[dict[str, str], ...] = ()
    """Each as ``{"text", "series", "scope"}``."""
    planned: int | None = None
    """Arrivals that the plan holds over all phases; None in a closed model."""
    plan_hash: str = ""
    connections: int = 0
    timeout_s: float = 10.0
    command: str = ""
    commit: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    host: Mapping[str, str] = field(default_factory=dict)
    scenario: Mapping[str, Any] = field(default_factory=dict)
    advice: tuple[str, ...] = ()
    """What was said before the load about objectives that the plan is too short for."""
    state: str = "running"
    """``running``, ``complete``, ``partial``, or ``stopped``: ended early because it was certainly failing."""
    partial: str | None = None
    """Why the run ended early."""
    fault: str = ""
    """Whose fault that was: ``target``, ``generator``, or nobody's (an interruption)."""
    stopped: Mapping[str, Any] = field(default_factory=dict)
    """The evidence that ended a stopped run, a :class:`~loadtests.earlystop.Stop` in plain values."""
    ended_wall_s: float | None = None
    accounting: Mapping[str, int] = field(default_factory=dict)
    """Arrivals and requests counted at their source, for the accounting identities."""
    calibration: Mapping[str, Any] = field(default_factory=dict)
    """The one that speaks for this run, see ``Calibration.citation``; empty where none does."""
    unloaded: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By series, what the unloaded pass found: ``{"checked": n, "violations": {KIND: n}}``."""
    format: int = 1

    @property
    def steady(self) -> tuple[PhaseSpan, ...]:
        """The phases that are judged."""
        return tuple(phase for phase in self.phases if phase.kind == "steady")

    def floor_ms(self, percentile: float) -> float | None:
        """What the harness measured of a server that does nothing, by the calibration; None without one.

        At the percentile, or at the next above it that is known.
        """
        known = sorted((float(p), float(ms)) for p, ms in self.calibration.get("floor_ms", {}).items())
        return next((ms for p, ms in known if p >= percentile), None)

    def phases_until(self, end_s: float) -> tuple[PhaseSpan, ...]:
        """The phases as far as they went by then."""
        return tuple(replace(phase, end_s=min(phase.end_s, end_s)) for phase in self.phases if phase.start_s < end_s)

    def steady_seconds(self) -> list[int]:
        """The whole seconds of all steady phases, ascending; objectives are judged on these alone."""
        spans = ((round(phase.start_s, 6), round(phase.end_s, 6)) for phase in self.steady)  # 0.7 + 0.2 + 0.1 s is 1 s
        return [second for start_s, end_s in spans for second in range(math.ceil(start_s), math.floor(end_s))]
