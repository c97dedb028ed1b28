"""Families: one login and all tokens that came of it, which end together.

A refresh token carries its family and its generation. Using it makes the next generation the only one that is good; an
older one that comes again was stolen, now or then, and ends the family (RFC 9700, section 4.14.2). A family has no row
until its first refresh or its end, so that a login writes nothing.
"""

import logging
from collections.abc import Awaitable, Callable

from sqlalchemy import delete, select, text
from sqlalchemy.exc import SQLAlchemyError

from portal.database import Database
from portal.models import families

RELOAD_S = 30
"""How long a login that another process ended may go on here."""

_log = logging.getLogger("portal")

_advance = text(
    "INSERT INTO families (family_id, generation, expires_at_ms) VALUES (:family, :generation + 1, :expires_at_ms)"
    " ON CONFLICT (family_id) DO UPDATE SET generation = excluded.generation, expires_at_ms = excluded.expires_at_ms"
    " WHERE families.generation = :generation AND families.revoked_at_ms IS NULL RETURNING family_id"
)
_revoke = text(
    "INSERT INTO families (family_id, generation, expires_at_ms, revoked_at_ms)"
    " VALUES (:family, 0, :expires_at_ms, :now_ms) ON CONFLICT (family_id) DO UPDATE"
    " SET expires_at_ms = excluded.expires_at_ms, revoked_at_ms = excluded.revoked_at_ms"
)


class Families:
    """Advances families, and knows the revoked ones by heart for as long as a token of theirs could live."""

    def __init__(
        self, database: Database, *, access_token_s: int, refresh_token_s: int, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._access_token_s = access_token_s
        self._life_s = max(access_token_s, refresh_token_s)
        self._clock = clock
        self._revoked_until_s: dict[str, float] = {}
        self.on_revoked: Callable[[str], None] = lambda family: None
        """Called once with each family that is revoked, here or elsewhere."""

    async def load(self) -> None:
        """Delete the families whose last token has expired, and learn which were revoked, here or elsewhere."""
        now_ms, life_ms = int(self._clock() * 1000), self._access_token_s * 1000
        revoked = select(families.c.family_id, families.c.revoked_at_ms).where(
            families.c.revoked_at_ms > now_ms - life_ms
        )
        async with self._database.transaction() as connection:
            await connection.execute(delete(families).where(families.c.expires_at_ms <= now_ms))
            rows = (await connection.execute(revoked.order_by(families.c.revoked_at_ms))).all()
        # Added to what is known, never instead of it: a revocation under way is known before it is in the table.
        news = [row.family_id for row in rows if row.family_id not in self._revoked_until_s]
        self._revoked_until_s |= {row.family_id: (row.revoked_at_ms + life_ms) / 1000 for row in rows}
        for family in news:
            self.on_revoked(family)

    async def run(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Load again and again, until cancelled."""
        while True:
            await sleep(RELOAD_S)
            try:
                await self.load()
            except (SQLAlchemyError, OSError) as error:
                _log.warning("revoked logins cannot be read: %s", type(error).__name__)

    def is_revoked(self, family: str) -> bool:
        """Whether the tokens of a family are refused."""
        return family in self._revoked_until_s

    async def advance(self, family: str, generation: int) -> bool:
        """Use up one generation; False if it was used before or the family is revoked. One atomic statement."""
        values = {"family": family, "generation": generation, "expires_at_ms": self._expires_at_ms()}
        async with self._database.write() as connection:
            return (await connection.execute(_advance, values)).one_or_none() is not None

    async def revoke(self, family: str) -> None:
        """End a family: its refresh tokens, and its access tokens in this process from this moment."""
        now_s = self._clock()
        while self._revoked_until_s:  # the oldest first
            oldest, until_s = next(iter(self._revoked_until_s.items()))
            if until_s > now_s:
                break
            del self._revoked_until_s[oldest]
        self._revoked_until_s[family] = now_s + self._access_token_s
        self.on_revoked(family)
        values = {"family": family, "now_ms": int(now_s * 1000), "expires_at_ms": self._expires_at_ms()}
        async with self._database.write() as connection:
            await connection.execute(_revoke, values)

    def _expires_at_ms(self) -> int:
        return int((self._clock() + self._life_s) * 1000)
