"""The requests of the Locust users in one process: how many began and ended, and for how long they were under way."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from gevent import getcurrent

__all__ = ["STAMPS", "Requests", "Stamps", "require_own", "stamps_of"]

STAMPS = "loadtests"
"""What they go by in Locust's request context, all under one name: the others are the author's."""


class Stamps(NamedTuple):
    """Of a request that has begun."""

    intended_ns: int
    started_ns: int
    number: int
    """Its own, in this process."""


def require_own(context: Mapping[str, Any]) -> None:
    """An author's context holds what is the author's.

    Raises:
        ValueError: when a key of it is the engine's.

    """
    if STAMPS in context:
        raise ValueError(f'context: "{STAMPS}" is the key of this engine\'s own time stamps; expected another name')


def stamps_of(context: Mapping[str, Any] | None) -> Stamps | None:
    """Those in a request's context; None where it is of an author's own client, that knows of none."""
    stamps = context.get(STAMPS) if context else None
    return stamps if isinstance(stamps, Stamps) else None


class Requests:
    """The requests of this process: how many have begun, which are under way, and whether no more should begin.

    ``under_way`` maps a request's number to its intended and actual start, the user whose it is and the greenlet that
    waits for it.
    """

    def __init__(self) -> None:
        self.begun = 0
        self.in_flight_ns = 0
        """Time that ended requests were under way, the integral of how many were."""
        self.closing = False
        self.log: Any = None
        """What records them, where a client can tell it directly: a ``RequestLog`` while the load goes on."""
        self.under_way: dict[int, tuple[int, int, object, Any]] = {}
        self._numbers = itertools.count(1)
        self._answered_ns: dict[int, int] = {}

    def begin(self, intended_ns: int, started_ns: int, user: object) -> int:
        """A request begins; its number goes with it in Locust's request context."""
        self.begun += 1
        number = next(self._numbers)
        self.under_way[number] = (intended_ns, started_ns, user, getcurrent())
        return number

    def answered(self, number: int) -> None:
        """Its client returned; where it is not over with that, the author's code is to say what it was."""
        if number in self.under_way:
            self._answered_ns[number] = time.monotonic_ns()

    def answered_ns(self, number: int) -> int:
        """Until when one that is reported now was under way."""
        return self._answered_ns.pop(number, None) or time.monotonic_ns()

    def end(self, number: int | None, took_ns: int) -> bool:
        """It ended and was under way for so long; without a number it was never seen to begin. False: it was over."""
        if number is None:
            self.begun += 1
        elif self.under_way.pop(number, None) is None:
            return False
        self.in_flight_ns += took_ns
        return True

    def forget(self, user: object) -> None:
        """A user's code raised, here, in the middle of a request: it will not be heard of again, the exception will.

        Those that other greenlets of the user's wait for go on, but for one that has ended with the exception.
        """
        here = getcurrent()
        for number, (_, _, whose, waiting) in list(self.under_way.items()):
            if whose is user and (waiting is here or waiting.dead):
                del self.under_way[number]
                self._answered_ns.pop(number, None)
                self.begun -= 1
