"""SQLite's engines: each statement one trip to its connection's thread, whatever the statement."""

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import Any

import aiosqlite
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

BUSY_S = 5.0
"""How long a connection waits for another portal's lock on the file."""
_PRAGMAS = (
    f"busy_timeout={BUSY_S * 1000:.0f}",
    "synchronous=NORMAL",  # with WAL: a power cut may lose the last commits, never the file
    "foreign_keys=ON",
    "cache_size=-16000",
)


def sqlite_engine(url: str, connections: int, wait_s: float) -> AsyncEngine:
    """Make an engine of so many connections; each statement is committed when it ends."""
    engine = create_async_engine(
        url,
        connect_args={"async_creator_fn": _connect},
        pool_size=connections,
        max_overflow=0,
        pool_timeout=wait_s,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
    )

    def on_connect(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        _write_ahead(cursor)
        cursor.close()

    event.listen(engine.sync_engine, "connect", on_connect)
    return engine


def _connect(*arguments: Any, **options: Any) -> "_Connection":
    connection = _Connection(lambda: sqlite3.connect(*arguments, **options), iter_chunk_size=64)
    connection._thread.daemon = True  # it ends with the process, as SQLAlchemy has its connections do
    return connection


class _Connection(aiosqlite.Connection):
    """Lends cursors that stay in this thread: only statements go to the connection's own."""

    def cursor(self) -> "_Cursor":  # type: ignore[override]
        return _Cursor(self)


class _Cursor:
    """What SQLAlchemy needs of a cursor.

    aiosqlite sends the opening, the statement, the fetching and the closing of each cursor to the thread one by one.
    While the event loop is busy each of these trips waits for it, and SQLite's only writer waits with them.
    """

    __slots__ = ("_connection", "_rows", "arraysize", "description", "lastrowid", "rowcount")

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.arraysize = 1
        self.description: Any = None
        self.lastrowid: int | None = None
        self.rowcount = -1

    async def __aenter__(self) -> "_Cursor":
        return self

    async def execute(self, operation: str, parameters: Sequence[Any] = ()) -> None:
        await self._in_thread(sqlite3.Cursor.execute, operation, parameters)

    async def executemany(self, operation: str, parameters: Sequence[Sequence[Any]]) -> None:
        await self._in_thread(sqlite3.Cursor.executemany, operation, parameters)

    async def fetchall(self) -> list[Any]:
        return self._rows

    async def close(self) -> None:
        """Nothing is open."""

    async def _in_thread(self, how: Any, operation: str, parameters: Any) -> None:
        await self._connection._execute(self._run, how, operation, parameters)  # type: ignore[no-untyped-call]

    def _run(self, how: Any, operation: str, parameters: Any) -> None:
        cursor = self._connection._conn.cursor()
        try:
            how(cursor, operation, parameters)
            self.description = cursor.description
            self._rows = cursor.fetchall() if cursor.description else []
            self.lastrowid, self.rowcount = cursor.lastrowid, cursor.rowcount
        finally:
            cursor.close()


def _write_ahead(cursor: Any) -> None:
    """Let readers not block the writer, nor the writer readers.

    Of two connections that change a new file's journal at once, SQLite refuses one without waiting: each holds what
    the other wants. The refused one tries again, and finds it done.
    """
    pause_s, waited_s = 0.01, 0.0
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or waited_s >= BUSY_S:
                raise
            await_only(asyncio.sleep(pause_s))
            waited_s += pause_s
        else:
            return
