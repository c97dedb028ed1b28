"""Rows that were read a moment ago: read through, and forgotten as soon as they are changed.

A reader that finds nothing takes a lease, reads the database, and may leave the row here only while its lease holds.
Forgetting a row ends the leases on it. So a row that was read before a change is never left here after it (R. Nishtala
et al., Scaling Memcache at Facebook, NSDI 2013, section 3.2.1).
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from portal.changes import RowKey
from portal.timing import timed

Load = Callable[[], Awaitable[Any | None]]
"""Reads a row from the database; None where there is none."""


class Cache(Protocol):
    """A place for copies of rows."""

    hits: int
    """Reads that found their row here."""
    misses: int
    """Reads that went to the database."""
    forgotten: int
    """Rows that were to be forgotten."""

    async def read(self, key: RowKey, load: Load) -> Any | None:
        """Return a row, with its columns as attributes: the copy, or what `load` reads."""

    async def forget(self, keys: set[RowKey]) -> None:
        """Hold copies of these rows no more; must not fail."""

    async def close(self) -> None:
        """Let go of what is held."""


@dataclass(frozen=True, slots=True)
class _Copy:
    row: Any
    until_ns: int


class MemoryCache:
    """The copies of one process: the most recently read ones, each for so long at most.

    It hears of the changes of its own process only, so several portals of one database need a shared cache.
    """

    def __init__(self, *, rows: int, ttl_s: float, monotonic_ns: Callable[[], int]) -> None:
        self._most = rows
        self._ttl_ns = int(ttl_s * 1e9)
        self._clock_ns = monotonic_ns
        self._copies: OrderedDict[RowKey, _Copy] = OrderedDict()
        self._leases: dict[RowKey, set[object]] = {}
        self.hits = 0
        self.misses = 0
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._copies)

    async def read(self, key: RowKey, load: Load) -> Any | None:
        """Return a row."""
        with timed("cache"):
            copy = self._copies.get(key)
            if copy is not None and self._clock_ns() < copy.until_ns:
                self._copies.move_to_end(key)
                self.hits += 1
                return copy.row
            self.misses += 1
            lease = object()
            self._leases.setdefault(key, set()).add(lease)
        row = None
        try:
            row = await load()
        finally:
            self._end_lease(key, lease, row)
        return row

    async def forget(self, keys: set[RowKey]) -> None:
        """Hold copies of these rows no more."""
        self.forgotten += len(keys)
        for key in keys:
            self._copies.pop(key, None)
            self._leases.pop(key, None)

    async def close(self) -> None:
        """Let go of everything."""
        self._copies.clear()
        self._leases.clear()

    def _end_lease(self, key: RowKey, lease: object, row: Any | None) -> None:
        leases = self._leases.get(key, set())
        if lease not in leases:
            return
        leases.remove(lease)
        if not leases:
            del self._leases[key]
        if row is not None:
            self._copies[key] = _Copy(row, self._clock_ns() + self._ttl_ns)
            self._copies.move_to_end(key)
            if len(self._copies) > self._most:
                self._copies.popitem(last=False)
