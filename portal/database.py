"""One database with two doors: many readers and, on SQLite, a single writer."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import cast

from sqlalchemy import event, make_url, text
from sqlalchemy.exc import ArgumentError, InvalidRequestError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import QueuePool

from portal.changes import OnChange, RowKey, current
from portal.sqlite import sqlite_engine
from portal.timing import count_statement, timed

READERS = 4
"""SQLite reading connections. Each has a thread of its own; more would only wait for the same core."""
POOL_CONNECTIONS = 20
"""Connections to any other database."""
POOL_WAIT_S = 10.0
"""How long a request waits for a connection before it is answered 503."""


class DatabaseUrlError(ValueError):
    """A database URL that cannot be used, told in one sentence."""

    @classmethod
    def of(cls, url: str, what: str, error: Exception) -> "DatabaseUrlError":
        """Tell what cannot be done, and the cause as the driver tells it; never the password."""
        name = make_url(url).render_as_string(hide_password=True)
        cause = " ".join(str(getattr(error, "orig", None) or error).split())
        return cls(f"the database {name} {what}: {cause}")


class Database:
    """The portal's database.

    SQLite allows one writer at a time and answers a second one with "database is locked" when its patience ends. So all
    writes queue here, in order, for one connection. Other databases get one ordinary pool.

    A single statement is atomic and durable by itself, so `read` and `write` lend connections that commit each one: a
    transaction around it would cost SQLite's thread more than the statement does. Several that belong together go into
    a `transaction`. `on_change` hears what was changed, after the commit and before the connection is lent again.
    """

    def __init__(
        self,
        url: str,
        *,
        connections: int = POOL_CONNECTIONS,
        wait_s: float = POOL_WAIT_S,
        on_change: OnChange | None = None,
    ) -> None:
        check_url(url)
        self._on_change = on_change
        self._is_sqlite = make_url(url).get_backend_name() == "sqlite"
        if self._is_sqlite:
            self._readers, self._writer = sqlite_engine(url, READERS, wait_s), sqlite_engine(url, 1, wait_s)
            self._engines = [self._readers, self._writer]
        else:
            engine = create_async_engine(
                url, pool_size=connections, max_overflow=0, pool_timeout=wait_s, pool_pre_ping=True
            )
            self._engines = [engine]
            self._readers = self._writer = engine.execution_options(isolation_level="AUTOCOMMIT")
        for engine in self._engines:
            event.listen(engine.sync_engine, "before_cursor_execute", _on_statement)

    @property
    def connections_in_use(self) -> int:
        """How many connections are lent."""
        return sum(cast(QueuePool, engine.pool).checkedout() for engine in self._engines)

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Lend a connection for reading; each statement sees one moment."""
        return _Lent(self._readers.connect())

    def write(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Lend a connection for writing; each statement is committed when it ends."""
        return _Lent(self._writer.connect(), self._on_change)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection inside a transaction: committed at the end, rolled back on any exception."""
        if not self._is_sqlite:
            async with _Lent(self._engines[0].connect(), self._on_change) as connection, connection.begin():
                yield connection
            return
        async with self.write() as connection:
            # IMMEDIATE: a writer from the start, not a reader whose snapshot is stale by the time it wants to write.
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                await connection.exec_driver_sql("ROLLBACK")
                raise
            await connection.exec_driver_sql("COMMIT")

    async def ping(self) -> None:
        """Ask the database for one row; raises when it does not answer."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection."""
        for engine in self._engines:
            await engine.dispose()


class _Lent:
    """A connection on loan: the wait for it is timed as `pool`, its use as `db`; `on_change` hears what it changed."""

    __slots__ = ("_changed", "_manager", "_on_change", "_token", "_use")

    def __init__(
        self, manager: AbstractAsyncContextManager[AsyncConnection], on_change: OnChange | None = None
    ) -> None:
        self._manager = manager
        self._on_change = on_change
        self._use = timed("db")

    async def __aenter__(self) -> AsyncConnection:
        with timed("pool"):
            connection = await self._manager.__aenter__()
        self._use.__enter__()
        if self._on_change is not None:
            self._changed: set[RowKey] = set()
            self._token = current.set(self._changed)
        return connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        try:
            try:
                await self._tell()
            finally:  # who is cancelled while telling gives the connection back all the same
                suppressed = await self._manager.__aexit__(kind, error, traceback)
            return suppressed
        finally:
            self._use.__exit__(kind, error, traceback)

    async def _tell(self) -> None:
        if self._on_change is not None:
            current.reset(self._token)
            if self._changed:
                await self._on_change(self._changed)


def check_url(url: str) -> None:
    """Refuse a URL that no connection could be opened with."""
    try:
        create_async_engine(url)
        parsed = make_url(url)
    except (ArgumentError, InvalidRequestError, ModuleNotFoundError) as error:
        raise DatabaseUrlError(f"the database URL cannot be used: {error}") from error
    if parsed.get_backend_name() == "sqlite" and (parsed.database or ":memory:") == ":memory:":
        raise DatabaseUrlError("an in-memory SQLite database is private to one connection; name a file, or give no URL")


async def check_reachable(url: str) -> None:
    """Refuse a URL behind which no database answers."""
    check_url(url)
    named = make_url(url)
    if named.get_backend_name() == "sqlite" and not (folder := Path(named.database or "").parent).is_dir():
        raise DatabaseUrlError(f"the database {url} does not answer: there is no folder {folder}")
    database = Database(url)
    try:
        await database.ping()
    except (SQLAlchemyError, OSError) as error:
        raise DatabaseUrlError.of(url, "does not answer", error) from error
    finally:
        await database.close()


@contextmanager
def temporary_url() -> Iterator[str]:
    """Lend the URL of a new SQLite file that is removed at the end, its journal with it."""
    with tempfile.TemporaryDirectory(prefix="portal-", ignore_cleanup_errors=True) as directory:
        yield f"sqlite+aiosqlite:///{directory}/portal.db"


def _on_statement(*_: object) -> None:
    count_statement()
