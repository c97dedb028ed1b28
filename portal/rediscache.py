"""Copies of rows in a Redis that all portals of one database share.

Without Redis every read goes to the database, and a forgotten row could not be told to Redis. So after any failure its
copies are in doubt, and all of them are removed before one is used again. Another portal that reached Redis all the
while may meanwhile have read a copy that this one could not remove; its age is bounded by the time a copy is held.
"""

import contextlib
import hashlib
import json
import logging
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from sqlalchemy import make_url

from portal.cache import Load
from portal.changes import RowKey
from portal.timing import timed

PATIENCE_S = 0.25
"""How long Redis may take to answer before the database is asked instead."""
PAUSE_S = 1.0
"""How long Redis is left alone after a failure."""
LEASE_MS = 10_000
"""Life of a lease; a row that took longer to read is not left in Redis."""

# KEYS: copy, lease. ARGV: the new lease, its life in ms.
_READ = """
local copy = redis.call('GET', KEYS[1])
if not copy then redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2]) end
return copy
"""
# KEYS: copy, lease. ARGV: the lease, the row, its life in ms.
_LEAVE = """
if redis.call('GET', KEYS[2]) == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  redis.call('DEL', KEYS[2])
end
"""

_log = logging.getLogger("portal.cache")


class _UnavailableError(Exception):
    """Redis does not answer."""


class RedisCache:
    """The copies of all portals of one database; `database_url` says which, whoever it signs in as."""

    def __init__(self, url: str, database_url: str, *, ttl_s: float, monotonic_ns: Callable[[], int]) -> None:
        self._redis = Redis.from_url(
            url,
            socket_timeout=PATIENCE_S,
            socket_connect_timeout=PATIENCE_S,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
        self._read = self._redis.register_script(_READ)
        self._leave = self._redis.register_script(_LEAVE)
        self._prefix = f"portal:{hashlib.sha256(_database(database_url).encode()).hexdigest()[:16]}"
        self._ttl_ms = int(ttl_s * 1000)
        self._clock_ns = monotonic_ns
        self._left_alone_until_ns = 0
        self._failures, self._failures_mended = 1, 0  # what was left from an earlier life is in doubt
        self._is_out = False
        self.hits = 0
        self.misses = 0
        self.forgotten = 0

    async def read(self, key: RowKey, load: Load) -> Any | None:
        """Return a row."""
        keys, lease = self._keys(key), secrets.token_hex(8)
        may_leave = True
        with timed("cache"):
            try:
                copy = await self._ask(lambda: self._read(keys=keys, args=[lease, LEASE_MS]))
            except _UnavailableError:
                copy, may_leave = None, False
        if copy is not None:
            self.hits += 1
            return SimpleNamespace(**json.loads(copy))
        self.misses += 1
        row = await load()
        if row is not None and may_leave:
            text = json.dumps(dict(row._mapping), separators=(",", ":"))
            with timed("cache"), contextlib.suppress(_UnavailableError):  # the next reader reads the database too
                await self._ask(lambda: self._leave(keys=keys, args=[lease, text, self._ttl_ms]))
        return row

    async def forget(self, keys: set[RowKey]) -> None:
        """Remove the copies of these rows, or remember that they could not be removed."""
        self.forgotten += len(keys)
        names = [name for key in keys for name in self._keys(key)]
        with timed("cache"):
            try:
                await self._ask(lambda: self._redis.delete(*names))
            except _UnavailableError:
                self._failures += 1

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _keys(self, key: RowKey) -> list[str]:
        name = f"{key[0]}:{key[1]}"
        return [f"{self._prefix}:row:{name}", f"{self._prefix}:lease:{name}"]

    async def _ask(self, command: Callable[[], Awaitable[Any]]) -> Any:
        if self._clock_ns() < self._left_alone_until_ns:
            raise _UnavailableError
        try:
            if self._failures_mended != self._failures:
                failures = self._failures
                await self._remove_all()
                self._failures_mended = failures  # what failed meanwhile is still in doubt
            answer = await command()
        except (RedisError, OSError) as error:
            self._failures += 1
            self._left_alone_until_ns = self._clock_ns() + int(PAUSE_S * 1e9)
            if not self._is_out:
                self._is_out = True
                _log.warning("Redis does not answer (%s): rows are read from the database", error)
            raise _UnavailableError from error
        except BaseException:  # cancelled: whether the command was obeyed is not known
            self._failures += 1
            raise
        if self._is_out:
            self._is_out = False
            _log.warning("Redis answers again")
        return answer

    async def _remove_all(self) -> None:
        names = [name async for name in self._redis.scan_iter(f"{self._prefix}:*", count=1_000)]
        for start in range(0, len(names), 1_000):
            await self._redis.delete(*names[start : start + 1_000])


def _database(url: str) -> str:
    """Name the database itself: who signs in, how, and from which folder a file is named does not matter."""
    named = make_url(url)
    if named.get_backend_name() == "sqlite":
        return str(Path(named.database or "").resolve())
    return f"{named.host}:{named.port or ''}/{named.database}"
