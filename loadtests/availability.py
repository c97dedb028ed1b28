"""For how long connections were to be up, and for how much of that they were down; pure, with time as a parameter.

A connection is wanted from its first success or failure on, until it leaves as planned. It is down from the moment at
which it is lost, or cannot be made, until it is subscribed (again). Both are told in whole connection-seconds, what is
left over being kept for the next time: availability = 1 - down / wanted.
"""

from __future__ import annotations

from loadtests.duration import NS_PER_S

__all__ = ["Availability"]


class Availability:
    """Of one process's connections, by their numbers."""

    def __init__(self) -> None:
        self._wanted: set[int] = set()
        self._down: set[int] = set()
        self._at_ns = 0
        self._wanted_ns = self._down_ns = 0

    def up(self, number: int, at_ns: int) -> None:
        """It is there, and subscribed."""
        self._pass(at_ns)
        self._wanted.add(number)
        self._down.discard(number)

    def down(self, number: int, at_ns: int) -> None:
        """It is lost, or could not be made, though it is wanted."""
        self._pass(at_ns)
        self._wanted.add(number)
        self._down.add(number)

    def leave(self, number: int, at_ns: int) -> None:
        """It is not wanted for the time being."""
        self._pass(at_ns)
        self._wanted.discard(number)
        self._down.discard(number)

    def take(self, now_ns: int) -> tuple[int, int]:
        """Connection-seconds since the last call: wanted, and down of these."""
        self._pass(now_ns)
        wanted_s = self._wanted_ns // NS_PER_S
        down_s = min(wanted_s, self._down_ns // NS_PER_S)
        self._wanted_ns -= wanted_s * NS_PER_S
        self._down_ns -= down_s * NS_PER_S
        return wanted_s, down_s

    def finish(self, now_ns: int) -> tuple[int, int]:
        """Likewise for the last time; a second begun counts."""
        self._pass(now_ns)
        return -(-self._wanted_ns // NS_PER_S), -(-self._down_ns // NS_PER_S)

    def _pass(self, now_ns: int) -> None:
        passed_ns, self._at_ns = now_ns - self._at_ns, now_ns
        self._wanted_ns += len(self._wanted) * passed_ns
        self._down_ns += len(self._down) * passed_ns
