"""Refresh tokens rotate, and a login ends as a whole."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from portal.app import create_app
from portal.database import Database
from portal.families import RELOAD_S, Families
from portal.models import accounts, families, metadata
from portal.seed import PASSWORD
from portal.settings import Settings


def _log_in(client: TestClient, username: str = "user001") -> dict[str, str]:
    pair: dict[str, str] = client.post("/api/v1/auth/token", data={"username": username, "password": PASSWORD}).json()
    return pair


def _refresh(client: TestClient, pair: dict[str, str]) -> Any:
    return client.post("/api/v1/auth/refresh", json={"refresh_token": pair["refresh_token"]})


def _works(client: TestClient, pair: dict[str, str]) -> bool:
    headers = {"Authorization": f"Bearer {pair['access_token']}"}
    return client.get("/api/v1/agents/1", headers=headers).status_code == 200


def test_each_refresh_gives_the_next_token(open_portal: Callable[..., TestClient]) -> None:
    """A chain of them works, and access tokens of all its links do."""
    portal = open_portal()
    pairs = [_log_in(portal)]
    for _ in range(3):
        answer = _refresh(portal, pairs[-1])
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        pairs.append(answer.json())
    assert len({pair["refresh_token"] for pair in pairs}) == 4
    assert all(_works(portal, pair) for pair in pairs)


@pytest.mark.parametrize("used", [0, 1])
def test_a_refresh_token_used_twice_ends_its_login_and_no_other(
    open_portal: Callable[..., TestClient], used: int
) -> None:
    """The thief and the owner are both out; the same account's other login is not touched."""
    portal = open_portal()
    other = _log_in(portal)
    pairs = [_log_in(portal)]
    for _ in range(2):
        pairs.append(_refresh(portal, pairs[-1]).json())
    again = _refresh(portal, pairs[used])
    assert again.status_code == 401
    assert again.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert again.json()["detail"] == "the refresh token was used before; sign in again"
    assert _refresh(portal, pairs[-1]).status_code == 401
    assert not any(_works(portal, pair) for pair in pairs)
    assert _works(portal, other)
    assert _refresh(portal, other).status_code == 200


def test_a_logout_ends_the_login(open_portal: Callable[..., TestClient]) -> None:
    """Also one that was never refreshed; and who is out cannot log out."""
    portal = open_portal()
    pair, other = _log_in(portal), _log_in(portal)
    headers = {"Authorization": f"Bearer {pair['access_token']}"}
    assert portal.post("/api/v1/auth/logout", headers=headers).status_code == 204
    assert not _works(portal, pair)
    assert _refresh(portal, pair).json()["detail"] == "the token has been revoked"
    assert portal.post("/api/v1/auth/logout", headers=headers).status_code == 401
    assert _works(portal, other)


def test_a_refresh_reads_the_role_anew(open_portal: Callable[..., TestClient]) -> None:
    """A role that was taken away lasts as long as the access token, and an account that is gone gets no other."""
    portal = open_portal()
    database: Database = portal.app.state.services.database  # type: ignore[attr-defined]
    pair = _log_in(portal)

    def change(statement: Any) -> None:
        async def execute() -> None:
            async with database.write() as connection:
                await connection.execute(statement)

        assert portal.portal is not None
        portal.portal.call(execute)

    change(accounts.update().where(accounts.c.username == "user001").values(role="viewer"))
    refreshed = _refresh(portal, pair).json()
    statuses = [
        portal.post("/api/v1/agents/1/heartbeat", headers={"Authorization": f"Bearer {p['access_token']}"}).status_code
        for p in (pair, refreshed)
    ]
    assert statuses == [204, 403]
    change(accounts.delete().where(accounts.c.username == "user001"))
    assert _refresh(portal, refreshed).status_code == 401


def test_the_end_of_a_login_outlives_a_restart(tmp_path: Path) -> None:
    """Under the same secret, tokens of a revoked family are refused by the next process too."""
    settings = Settings(
        database_url=f"sqlite+aiosqlite:///{tmp_path}/p.db", secret="k" * 32, agents=1, tasks=1, accounts=2
    )
    with TestClient(create_app(settings)) as client:
        ended, kept = _log_in(client), _log_in(client)
        client.post("/api/v1/auth/logout", headers={"Authorization": f"Bearer {ended['access_token']}"})
    with TestClient(create_app(settings)) as client:
        assert not _works(client, ended)
        assert _refresh(client, ended).status_code == 401
        assert _works(client, kept)
        assert _refresh(client, kept).status_code == 200


@asynccontextmanager
async def _families(folder: Path, clock: Callable[[], float]) -> AsyncIterator[tuple[Families, Database]]:
    database = Database(f"sqlite+aiosqlite:///{folder}/p.db")
    async with database.transaction() as connection:
        await connection.run_sync(metadata.create_all)
    yield Families(database, access_token_s=60, refresh_token_s=600, clock=clock), database
    await database.close()


def test_of_many_that_use_one_generation_one_succeeds(tmp_path: Path) -> None:
    """The first generation, which has no row yet, and a later one."""

    async def scene() -> None:
        async with _families(tmp_path, lambda: 1_000.0) as (store, _):
            for generation in (0, 1):
                won = await asyncio.gather(*(store.advance("f", generation) for _ in range(20)))
                assert sum(won) == 1

    asyncio.run(scene())


def test_nothing_is_remembered_for_longer_than_a_token_lives(tmp_path: Path) -> None:
    """Revoked families leave memory with their last access token, and the table with their last refresh token."""

    async def scene() -> None:
        now = [1_000.0]
        async with _families(tmp_path, lambda: now[0]) as (store, database):

            async def rows() -> int:
                async with database.read() as connection:
                    return await connection.scalar(select(func.count()).select_from(families)) or 0

            await store.revoke("one")
            now[0] += 59
            await store.revoke("two")
            assert store.is_revoked("one")
            assert store.is_revoked("two")
            now[0] += 1
            await store.revoke("three")
            assert not store.is_revoked("one")
            assert store.is_revoked("two")
            assert await rows() == 3
            now[0] = 1_000.0 + 599
            await store.load()
            assert await rows() == 3
            now[0] = 1_000.0 + 600
            await store.load()
            assert await rows() == 2

    asyncio.run(scene())


def test_another_process_learns_that_a_login_has_ended(tmp_path: Path) -> None:
    """At its next look at the table, and when it is asked for new tokens; what it knows itself stays known."""

    async def scene() -> None:
        async with _families(tmp_path, lambda: 1_000.0) as (one, database):
            other = Families(database, access_token_s=60, refresh_token_s=600, clock=lambda: 1_000.0)
            await one.revoke("f")
            other._revoked_until_s["under way"] = 1_060.0  # known, and not yet in the table
            turns: list[float] = []

            async def sleep(seconds: float) -> None:
                turns.append(seconds)
                if len(turns) == 2:
                    raise asyncio.CancelledError

            assert not other.is_revoked("f")
            assert not await other.advance("f", 0)  # the table knows already
            with pytest.raises(asyncio.CancelledError):
                await other.run(sleep)
            assert turns == [RELOAD_S, RELOAD_S]
            assert other.is_revoked("f")
            assert other.is_revoked("under way")

    asyncio.run(scene())


def test_a_look_that_fails_is_not_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database may be away for a while."""

    async def scene() -> None:
        async with _families(tmp_path, lambda: 1_000.0) as (store, _):
            looks: list[int] = []

            async def load() -> None:
                looks.append(1)
                if len(looks) == 1:
                    raise OperationalError("SELECT", {}, Exception("gone"))
                raise asyncio.CancelledError

            monkeypatch.setattr(store, "load", load)
            with pytest.raises(asyncio.CancelledError):
                await store.run(lambda _: asyncio.sleep(0))
            assert len(looks) == 2

    asyncio.run(scene())
