"""Whether requests wait for a connection of their own client's pool: a queue that the target never sees."""

from __future__ import annotations

from typing import Any

from geventhttpclient.connectionpool import ConnectionPool

__all__ = ["PoolWaits"]


class PoolWaits:
    """Counts, in this process, the requests of FastHttpUsers that found every connection of their pool taken.

    A pool that a user has to itself is never short; one that users share may be. (The pool of ``requests`` opens
    another connection instead of waiting, and a swarm's connector has no limit.)
    """

    def __init__(self) -> None:
        self._waits = 0

    def watch(self) -> None:
        """Count from now on, in every pool of this process."""
        take_socket = ConnectionPool.get_socket

        def counted(pool: Any) -> Any:
            if pool._semaphore.locked():
                self._waits += 1
            return take_socket(pool)

        setattr(ConnectionPool, "get_socket", counted)  # noqa: B010 - it has no event for this, and mypy no patience

    def take(self) -> int:
        """How many since it was last asked."""
        waits, self._waits = self._waits, 0
        return waits
