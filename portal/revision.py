"""Changes that nobody loses: each row has a version, and a client may say which one it believes it changes.

`If-Match: "3"` that does not match is answered 412; `"version": 3` in the body that does not match is answered 409.
A change that names no version is applied to whatever the row holds, in one atomic statement.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Header
from sqlalchemy import ColumnElement, Row, Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from portal.changes import note_change
from portal.etags import tagged
from portal.problems import Conflict
from portal.schemas import MAX_KEY, AgentView, TaskView
from portal.schemas_v2 import AgentV2, TaskV2

IfMatch = Annotated[str | None, Header(description='The version to be changed, as an entity tag: "3"')]
"""Declares a handler's parameter that receives the If-Match header."""

_STRONG_TAG = re.compile(r'(?<!W/)"(\d{1,19})"')


async def revise(
    connection: AsyncConnection,
    table: Table,
    key: int,
    changes: Mapping[str, Any],
    *,
    if_match: str | None = None,
    version: int | None = None,
    only: ColumnElement[bool] | None = None,
    refusal: str = "",
) -> Row[Any]:
    """Change one row and return it as it now is.

    The conditions are part of the UPDATE itself, so that no other change can come between looking and writing; only
    when it found no row is the reason looked up. `only` is a further condition, and `refusal`
    the sentence told with a 409 when it fails.
    """
    (key_column,) = table.primary_key.columns
    note_change(table, key)
    conditions = [key_column == key]
    if if_match is not None and if_match.strip() != "*":
        conditions.append(table.c.version.in_(matching_versions(if_match)))
    if version is not None:
        conditions.append(table.c.version == version)
    if only is not None:
        conditions.append(only)
    change = update(table).where(*conditions).values(version=table.c.version + 1, **changes).returning(table)
    row: Row[Any] | None = (await connection.execute(change)).one_or_none()
    if row is not None:
        return row
    current = await connection.scalar(select(table.c.version).where(key_column == key))
    if current is None:
        raise HTTPException(404, f"there is no {table.name.removesuffix('s')} {key}")
    if if_match is not None and if_match.strip() != "*" and current not in matching_versions(if_match):
        raise Conflict(f"If-Match names {if_match}, but the version is {current}", status=412)
    if version is not None and version != current:
        raise Conflict(f"version {version} was to be changed, but the version is {current}")
    raise Conflict(refusal)


def matching_versions(if_match: str) -> list[int]:
    """Return the versions an If-Match header names; weak and foreign tags match nothing (RFC 9110, section 13.1.1)."""
    return [version for tag in _STRONG_TAG.findall(if_match) if (version := int(tag)) <= MAX_KEY]


def shown(
    view: AgentView | TaskView | AgentV2 | TaskV2,
    status: int = 200,
    location: str | None = None,
    if_none_match: str | None = None,
) -> Response:
    """Answer with one row and its version as the entity tag, or 304 when the client holds that version."""
    headers = {"Location": location} if location is not None else {}
    return tagged(view.model_dump_json(), f'"{view.version}"', if_none_match, status, headers)
