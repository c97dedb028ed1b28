"""Walking through a table page by page."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query
from sqlalchemy import Row, Table, bindparam, select
from starlette.exceptions import HTTPException

from portal.cursor import CursorError, decode_cursor, encode_cursor
from portal.database import Database

Limit = Annotated[int, Query(ge=1, le=200, description="Rows on a page")]
"""Declares a handler's parameter that receives the page size."""
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before")]
"""Declares a handler's parameter that receives the cursor."""


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
