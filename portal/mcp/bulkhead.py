"""A bulkhead: a bounded number of calls at a time and in line, so that a slow service holds up nobody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from portal.mcp.failures import Unavailable


class Bulkhead:
    """At most `calls` run at a time and `waiting` wait; the rest are refused at once."""

    def __init__(self, *, calls: int, waiting: int) -> None:
        self._calls = calls
        self._waiting_limit = waiting
        self._free = asyncio.Semaphore(calls)
        self.running = 0
        """Calls under way."""
        self.waiting = 0
        """Calls in line."""

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold one place, after waiting in line for it, or raise `Unavailable`."""
        if self._free.locked() and self.waiting >= self._waiting_limit:
            raise Unavailable(
                f"{self._calls} calls to the external service are under way and {self.waiting} wait for it", 1
            )
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            self._free.release()
