"""One measured request or delivery."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

__all__ = ["Outcome", "Sample"]


class Outcome(IntEnum):
    """How a planned request, publish or delivery ended."""

    OK = 0
    ERROR = 1
    """It started and was answered wrongly, or its connection failed."""
    TIMEOUT = 2
    """It started and was given up; its time is censored: the truth is at least that long."""
    LOST = 3
    """A delivery that was due to a subscriber and never came."""
    DROPPED = 4
    """It was due and could not start because the in-flight cap was reached."""
    UNSENT = 5
    """It was due and still waited for an idle user when the run ended."""


class Sample(NamedTuple):
    """One request or delivery; all times are integer nanoseconds of CLOCK_MONOTONIC.

    For outcomes that never started, ``started_ns`` and ``ended_ns`` hold the moment at which that was known.
    """

    series: str
    intended_ns: int
    started_ns: int
    ended_ns: int
    outcome: Outcome
    size_bytes: int = 0

    @property
    def response_ns(self) -> int:
        """Response time: from the intended start to the end; what an objective judges."""
        return self.ended_ns - self.intended_ns

    @property
    def service_ns(self) -> int:
        """Service time: from the actual send to the end; what most tools report."""
        return self.ended_ns - self.started_ns

    @property
    def lateness_ns(self) -> int:
        """Lateness: how long after its intended start the request left; the generator's own delay."""
        return self.started_ns - self.intended_ns
