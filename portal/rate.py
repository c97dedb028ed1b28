"""Token buckets: how often, at most, exact and bounded in memory."""

import re
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

_RATE = re.compile(r"(?P<count>[0-9]{1,7})/(?P<unit>s|min|h)")
_UNIT_S = {"s": 1, "min": 60, "h": 3_600}


class RateError(ValueError):
    """A rate that cannot be read."""


@dataclass(frozen=True)
class Rate:
    """So many in a period: the size of a bucket, and the time it takes to fill."""

    count: int
    period_s: int


def parse_rate(text: str) -> Rate:
    """Read `600/min`; the unit is s, min or h."""
    match = _RATE.fullmatch(text.strip())
    if match is None or int(match["count"]) == 0:
        raise RateError(f"a rate is written as '600/min', '10/s' or '1000/h', and this is {text!r}")
    return Rate(int(match["count"]), _UNIT_S[match["unit"]])


@dataclass(frozen=True, slots=True)
class Level:
    """What a bucket holds. Times are whole seconds, rounded up."""

    allowed: bool
    remaining: int
    retry_after_s: int
    """Until there is one token; 0 if there is."""
    full_in_s: int


class Buckets:
    """One bucket per key, of the `max_keys` keys used last.

    A bucket is the moment at which it will be full, counted in units of 1/count ns: then a token takes a whole number
    of units to come back (the period in ns), and nothing is ever rounded.
    """

    def __init__(self, rate: Rate, monotonic_ns: Callable[[], int], max_keys: int = 10_000) -> None:
        self.rate = rate
        self._monotonic_ns = monotonic_ns
        self._max_keys = max_keys
        self._token = rate.period_s * 10**9
        self._size = self._token * rate.count
        self._full_at: OrderedDict[Hashable, int] = OrderedDict()

    def take(self, key: Hashable) -> Level:
        """Take a token if there is one."""
        now = self._monotonic_ns() * self.rate.count
        full_at = max(self._full_at.get(key, now), now)
        allowed = full_at + self._token - now <= self._size
        if allowed:
            full_at += self._token
            self._full_at[key] = full_at
            self._full_at.move_to_end(key)
            if len(self._full_at) > self._max_keys:
                self._full_at.popitem(last=False)
        return self._level(allowed, full_at - now)

    def look(self, key: Hashable) -> Level:
        """Say whether there is a token, and leave it."""
        now = self._monotonic_ns() * self.rate.count
        missing = max(self._full_at.get(key, now) - now, 0)
        return self._level(missing + self._token <= self._size, missing)

    def _level(self, allowed: bool, missing: int) -> Level:
        second = 10**9 * self.rate.count
        wait = max(missing + self._token - self._size, 0)
        remaining = (self._size - missing) // self._token
        return Level(allowed, remaining, -(-wait // second), -(-missing // second))
