"""POST that may be sent twice: `Idempotency-Key` names a request, and its answer is kept for a day.

The answer is stored in the transaction that does the work, so both are there or neither is, whenever the portal stops.
Only success is stored: a request that failed changed nothing and may be tried again under the same key.
"""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Header, Request
from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from portal.database import Database
from portal.models import answers
from portal.problems import Conflict

KEPT_MS = 86_400_000
"""How long an answer is kept: a day."""

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$", description="The client's own name for this request"
    ),
]
"""Declares a handler's parameter that receives the Idempotency-Key header."""

_STORED_HEADERS = ("ETag", "Location")

_expired = delete(answers).where(answers.c.created_at_ms <= bindparam("until_ms"))
_stored = select(answers).where(answers.c.account == bindparam("account"), answers.c.key == bindparam("key"))


class Once:
    """Does the work of each named request once, and answers its repetitions."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms
        self._running: set[tuple[str, str]] = set()

    async def run(
        self, request: Request, account: str, key: str | None, work: Callable[[AsyncConnection], Awaitable[Response]]
    ) -> Response:
        """Answer `request` with what `work` does, or with what it answered before."""
        if key is None:
            async with self._database.write() as connection:
                return await work(connection)
        if (account, key) in self._running:
            raise Conflict("a request with this Idempotency-Key is still running")
        self._running.add((account, key))
        try:
            async with self._database.transaction() as connection:
                return await self._run_named(connection, await _fingerprint(request), account, key, work)
        except IntegrityError as error:  # another process was first
            raise Conflict("a request with this Idempotency-Key is still running") from error
        finally:
            self._running.discard((account, key))

    async def _run_named(
        self,
        connection: AsyncConnection,
        fingerprint: str,
        account: str,
        key: str,
        work: Callable[[AsyncConnection], Awaitable[Response]],
    ) -> Response:
        now_ms = self._now_ms()
        await connection.execute(_expired, {"until_ms": now_ms - KEPT_MS})
        row = (await connection.execute(_stored, {"account": account, "key": key})).one_or_none()
        if row is not None:
            if row.fingerprint != fingerprint:
                raise HTTPException(422, "this Idempotency-Key was used for another request")
            headers = row.headers | {"Idempotency-Replayed": "true"}
            return Response(row.body, row.status, headers, media_type="application/json")
        answer = await work(connection)
        stored = {
            "account": account,
            "key": key,
            "fingerprint": fingerprint,
            "status": answer.status_code,
            "headers": {name: answer.headers[name] for name in _STORED_HEADERS if name in answer.headers},
            "body": bytes(answer.body).decode(),
            "created_at_ms": now_ms,
        }
        await connection.execute(insert(answers).values(stored))
        return answer


async def _fingerprint(request: Request) -> str:
    """Return what makes two requests the same: route, precondition and body."""
    named = f"{request.method} {request.url.path}\n{request.headers.get('if-match', '')}\n"
    return hashlib.sha256(named.encode() + await request.body()).hexdigest()
