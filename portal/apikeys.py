"""API keys: how an agent calls without a login.

A key is `pk_<id>_<secret>`. Its secret is 256 random bits, so a plain SHA-256 keeps it: there is nothing to guess that
a slow hash would protect.
"""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, select, update

from portal.database import Database
from portal.models import api_keys
from portal.principal import AccessError, Principal, Scope

CACHE_NS = 30 * 10**9
"""How long a key that was looked up is believed; a revocation by another process takes this long."""
CACHE_KEYS = 1_000
"""How many keys are remembered."""

_one = select(api_keys).where(api_keys.c.key_id == bindparam("key"))
_revoke = (
    update(api_keys)
    .where(api_keys.c.key_id == bindparam("key"))
    .values(revoked_at_ms=func.coalesce(api_keys.c.revoked_at_ms, bindparam("now_ms")))
    .returning(api_keys)
)


class ApiKeys:
    """Makes, recognises and revokes keys."""

    def __init__(self, database: Database, *, clock: Callable[[], float], monotonic_ns: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock
        self._monotonic_ns = monotonic_ns
        self._cache: OrderedDict[int, tuple[Row[Any], int]] = OrderedDict()  # with the time it is believed until
        self.on_revoked: Callable[[str], None] = lambda who: None
        """Called with the principal's name of each key that is revoked here."""

    async def create(
        self, name: str, scopes: Iterable[Scope], *, made_by: str, expires_at_ms: int | None
    ) -> tuple[Row[Any], str]:
        """Make a key; return its row and its text, which exists nowhere else."""
        secret = secrets.token_urlsafe(32)
        values = {
            "name": name,
            "digest": _digest(secret),
            "scopes": " ".join(sorted(scopes)),
            "made_by": made_by,
            "created_at_ms": int(self._clock() * 1000),
            "expires_at_ms": expires_at_ms,
        }
        async with self._database.write() as connection:
            row = (await connection.execute(insert(api_keys).values(values).returning(api_keys))).one()
        return row, f"pk_{row.key_id}_{secret}"

    async def principal(self, text: str) -> Principal:
        """Return whose key this is, or raise `AccessError`."""
        prefix, _, rest = text.partition("_")
        key_id, _, secret = rest.partition("_")
        if prefix != "pk" or not (key_id.isascii() and key_id.isdigit() and len(key_id) < 19):
            raise AccessError("the API key is not valid", error="invalid_token")
        row = await self._row(int(key_id))
        if row is None or not hmac.compare_digest(row.digest, _digest(secret)):
            raise AccessError("the API key is not valid", error="invalid_token")
        if row.revoked_at_ms is not None:
            raise AccessError("the API key has been revoked", error="invalid_token")
        if row.expires_at_ms is not None and row.expires_at_ms <= self._clock() * 1000:
            raise AccessError("the API key has expired", error="invalid_token")
        return Principal(f"key:{row.key_id}", frozenset(row.scopes.split()))

    async def revoke(self, key_id: int) -> bool:
        """Revoke a key, in this process from this moment; False if there is none."""
        values = {"key": key_id, "now_ms": int(self._clock() * 1000)}
        async with self._database.write() as connection:
            row = (await connection.execute(_revoke, values)).one_or_none()
        if row is None:
            return False
        self._remember(row)
        self.on_revoked(f"key:{key_id}")
        return True

    async def _row(self, key_id: int) -> Row[Any] | None:
        row, until_ns = self._cache.get(key_id, (None, 0))
        if row is not None and self._monotonic_ns() < until_ns:
            self._cache.move_to_end(key_id)
            return row
        self._cache.pop(key_id, None)
        async with self._database.read() as connection:
            row = (await connection.execute(_one, {"key": key_id})).one_or_none()
        if key_id in self._cache:  # revoked while this was read: what is cached now is the newer
            return self._cache[key_id][0]
        if row is not None:
            self._remember(row)
        return row

    def _remember(self, row: Row[Any]) -> None:
        self._cache[row.key_id] = (row, self._monotonic_ns() + CACHE_NS)
        if len(self._cache) > CACHE_KEYS:
            self._cache.popitem(last=False)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
