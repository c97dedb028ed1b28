"""The audit log: who did what, written beside the requests and never by them."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from sqlalchemy import insert
from sqlalchemy.exc import SQLAlchemyError

from portal.database import Database
from portal.models import audit

QUEUE_ROWS = 10_000
"""Rows that may wait for the writer; what comes beyond is counted and dropped."""
BATCH_ROWS = 500
"""Rows of one INSERT."""
PAUSE_S = 0.25
"""How long the writer gathers rows between two batches."""

_log = logging.getLogger("portal.audit")


class Audit:
    """A bounded queue and its one writer."""

    def __init__(self, database: Database, *, clock: Callable[[], float], queue_rows: int = QUEUE_ROWS) -> None:
        self._database = database
        self._clock = clock
        self._queue_rows = queue_rows
        self._rows: deque[dict[str, Any]] = deque()
        self._arrived = asyncio.Event()
        self._writing = asyncio.Lock()
        self.dropped = 0
        """Rows that were lost since the start."""

    def note(self, who: str | None, what: str, target: str, outcome: str, request_id: str | None = None) -> None:
        """Take down one act; returns at once. `who` is None where nobody is known."""
        if len(self._rows) >= self._queue_rows:
            self._drop(1)
            return
        self._rows.append(
            {
                "at_ms": int(self._clock() * 1000),
                "who": who and _fit(who, 80),
                "what": _fit(what, 40),
                "target": _fit(target, 120),
                "outcome": outcome,
                "request_id": request_id and _fit(request_id, 64),
            }
        )
        self._arrived.set()

    async def flush(self) -> None:
        """Write everything that waits."""
        async with self._writing:
            self._arrived.clear()
            while self._rows:
                batch = [self._rows.popleft() for _ in range(min(len(self._rows), BATCH_ROWS))]
                try:
                    async with self._database.write() as connection:
                        await connection.execute(insert(audit), batch)
                except (SQLAlchemyError, OSError) as error:
                    self._drop(len(batch))
                    _log.error("the audit log cannot be written: %s", type(error).__name__)

    async def run(self) -> None:
        """Write batch after batch until cancelled."""
        while True:
            await self._arrived.wait()
            await self.flush()
            await asyncio.sleep(PAUSE_S)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write while the portal serves, and at its end what is left."""
        writer = asyncio.create_task(self.run())
        try:
            yield
        finally:
            async with self._writing:  # not in the middle of a batch, which would be lost
                writer.cancel()
            await asyncio.wait((writer,))
            await self.flush()

    def _drop(self, count: int) -> None:
        # One line per power of two: a flood must not become one of the log.
        before, self.dropped = self.dropped, self.dropped + count
        if before.bit_length() != self.dropped.bit_length():
            _log.warning("%d rows of the audit log were dropped since the start", self.dropped)


def _fit(text: str, characters: int) -> str:
    """Cut text to its column, and make it text that every database takes."""
    return text[:characters].encode("utf-8", "replace").decode().replace("\x00", "?")
