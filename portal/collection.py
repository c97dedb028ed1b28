"""Walking through a table page by page."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import Query
from sqlalchemy import ColumnElement, Row, Select, Table, bindparam, select
from starlette.exceptions import HTTPException

from portal.cursor import CursorError, decode_cursor, encode_cursor
from portal.database import Database

Limit = Annotated[int, Query(ge=1, le=200, description="Rows on a page")]
"""Declares a handler's parameter that receives the page size."""
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before")]
"""Declares a handler's parameter that receives the cursor."""
Order = Literal["id", "-id"]
"""By key, from the smallest or from the largest."""

_MAX_KEY = 2**63 - 1


class Walk:
    """Pages of one table in the order of its key, all rows or those of one status."""

    def __init__(self, table: Table) -> None:
        (self._key,) = table.primary_key.columns
        self._name = table.name
        after = select(table).where(self._key > bindparam("after")).order_by(self._key).limit(bindparam("count"))
        self._every = after
        if "status" in table.c:
            self._of_status = after.where(table.c.status == bindparam("status"))

    async def page(
        self, database: Database, *, limit: int, cursor: str | None, status: str | None
    ) -> tuple[Sequence[Row[Any]], str | None]:
        """Return one page of rows and the cursor of the next, or None after the last."""
        try:
            after = decode_cursor(cursor, self._name, status) if cursor is not None else 0
        except CursorError as error:
            raise HTTPException(400, str(error)) from error
        # One row more than asked for tells whether there is a next page, without counting.
        values: dict[str, Any] = {"after": after, "count": limit + 1}
        statement = self._every
        if status is not None:
            statement, values = self._of_status, values | {"status": status}
        async with database.read() as connection:
            rows = (await connection.execute(statement, values)).all()
        if len(rows) <= limit:
            return rows, None
        rows = rows[:limit]
        return rows, encode_cursor(self._name, status, getattr(rows[-1], self._key.name))


class FilteredWalk:
    """Pages of one table in the order of its key, up or down, under any of the named conditions together.

    A condition takes its value from the bound parameter of the same name.
    """

    def __init__(self, table: Table, conditions: Mapping[str, ColumnElement[bool]]) -> None:
        (self._key,) = table.primary_key.columns
        self._table = table
        self._conditions = conditions
        self._statements: dict[tuple[str, ...], Select[Any]] = {}  # as many as there are sets of conditions, no more

    async def page(
        self, database: Database, *, limit: int, cursor: str | None, order: Order, given: Mapping[str, Any]
    ) -> tuple[Sequence[Row[Any]], str | None]:
        """Return one page of rows and the cursor of the next, or None after the last; what is None does not filter."""
        values = {name: value for name, value in given.items() if value is not None}
        # The filter's digest rather than the filter keeps a cursor short.
        made_with = hashlib.sha256(json.dumps([order, values], sort_keys=True).encode()).hexdigest()[:16]
        after = 0 if order == "id" else _MAX_KEY
        if cursor is not None:
            try:
                after = decode_cursor(cursor, self._table.name, made_with)
            except CursorError as error:
                raise HTTPException(400, str(error)) from error
        async with database.read() as connection:
            statement = self._statement(order, tuple(sorted(values)))
            rows = (await connection.execute(statement, values | {"after": after, "count": limit + 1})).all()
        if len(rows) <= limit:
            return rows, None
        rows = rows[:limit]
        return rows, encode_cursor(self._table.name, made_with, getattr(rows[-1], self._key.name))

    def _statement(self, order: Order, names: tuple[str, ...]) -> Select[Any]:
        statement = self._statements.get((order, *names))
        if statement is None:
            beyond, by = (
                (self._key > bindparam("after"), self._key.asc())
                if order == "id"
                else (self._key < bindparam("after"), self._key.desc())
            )
            conditions = [self._conditions[name] for name in names]
            statement = select(self._table).where(beyond, *conditions).order_by(by).limit(bindparam("count"))
            self._statements[(order, *names)] = statement
        return statement
