"""How long a client waits before it tries again."""

from __future__ import annotations

import random

from loadtests.duration import NS_PER_S
from loadtests.swarmspec import Reconnect

__all__ = ["Backoff"]


class Backoff:
    """Exponential back-off with full jitter (M. Brooker, Exponential Backoff And Jitter, AWS 2015).

    The pause is a uniformly random part of ``min(cap, base * 2 ** failed)``; without jitter all of it.
    """

    def __init__(self, settings: Reconnect) -> None:
        self._settings = settings

    def longest_s(self, failed: int) -> float:
        """The longest pause after so many failed attempts in a row, in seconds."""
        longest_ns: int = min(self._settings.cap, self._settings.base * 2 ** min(failed, 40))
        return longest_ns / NS_PER_S

    def pause_s(self, failed: int, draw: random.Random) -> float:
        """The pause after them, in seconds."""
        longest_s = self.longest_s(failed)
        return draw.uniform(0, longest_s) if self._settings.jitter else longest_s
