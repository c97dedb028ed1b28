"""Which rows a writer has changed, told to whoever holds copies of them once the change is kept."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar

from sqlalchemy import Table

RowKey = tuple[str, int]
"""The name of a table and a primary key."""
OnChange = Callable[[set[RowKey]], Awaitable[None]]
"""Told of rows that have been, or may have been, changed; must not fail."""

current: ContextVar[set[RowKey] | None] = ContextVar("changes", default=None)
"""What the connection lent for writing has changed; None where none is lent."""


def note_change(table: Table, key: int) -> None:
    """Say, before the statement is sent, that it may change a row: its answer may be lost where it was obeyed."""
    changed = current.get()
    if changed is not None:
        changed.add((table.name, key))
