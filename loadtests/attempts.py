"""When one connection is tried again, and when it leaves: its attempts in a row that failed, and its draws."""

from __future__ import annotations

import math
import random

from loadtests.backoff import Backoff
from loadtests.churn import Churn
from loadtests.swarmspec import Member, Reconnect

__all__ = ["Attempts"]


class Attempts:
    """Of one connection, through its reconnects.

    Args:
        spec: of its kind of member.
        reconnect: pauses before trying again.
        seed: of its draws.

    """

    __slots__ = ("_churn", "_draws", "_failed", "_pauses", "_seed")

    def __init__(self, spec: Member, reconnect: Reconnect, seed: str) -> None:
        self._churn = Churn(spec.churn, spec.count) if spec.churn else None
        self._pauses = Backoff(reconnect)
        self._seed = seed
        self._draws = self._failed = 0

    def begin(self) -> None:
        """One more; until it has lasted it has failed."""
        self._failed += 1

    def lasted(self, seconds: float) -> None:
        """It came up for so long. One that the server ended sooner than the pause before it could be has failed too."""
        if seconds > self._pauses.longest_s(self._failed - 1):
            self._failed = 0

    def pause_s(self, *, left: bool) -> float:
        """Until the next; who ``left`` as planned takes its time, unless it was turned away since."""
        if left and self._churn and not self._failed:
            return self._churn.absence_s(self._draw())
        return self._pauses.pause_s(self._failed, self._draw())

    def stay_s(self) -> float:
        """From its being connected until it leaves as planned."""
        return self._churn.stay_s(self._draw()) if self._churn else math.inf

    def _draw(self) -> random.Random:
        """Made when it is needed: it weighs more than all else that a connection keeps."""
        self._draws += 1
        return random.Random(f"{self._seed} {self._draws}")  # noqa: S311 -- jitter, no secret
