"""How long a client waits before it tries again."""

from __future__ import annotations

import random

from loadtests.duration import NS_PER_S
from loadtests.swarmspec import Reconnect

__all__ = ["Backoff"]


class Backoff:
    """Exponential back-off with full jitter (M. Brooker, Exponential Backoff And Jitter, AWS 2015).

    The pause is a uniformly random part of ``min(cap, base * 2 ** attempt)``; without jitter all of it.
    """

    def __init__(self, settings: Reconnect, draw: random.Random) -> None:
        self._settings = settings
        self._draw = draw

    def pause_s(self, attempt: int) -> float:
        """The pause after so many failed attempts in a row, in seconds."""
        again = self._settings
        longest_s = min(again.cap, again.base * 2 ** min(attempt, 40)) / NS_PER_S
        return self._draw.uniform(0, longest_s) if again.jitter else longest_s
