"""More requests than connections: they wait, and then are told so; and a database that is not there."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, insert, select, text

from portal.__main__ import main
from portal.agents import new_row
from portal.changes import RowKey
from portal.database import Database
from portal.local.postgres import binaries, postgres
from portal.models import agents, metadata
from portal.revision import revise
from portal.schemas import NewAgent
from portal.settings import Settings
from tests.portal.inprocess import signed_in


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """A database of either kind; None is the portal's own."""
    if request.param == "sqlite":
        yield None
        return
    if binaries() is None:
        pytest.skip("no PostgreSQL: python -m portal.local.install installs it")
    with postgres() as found:
        yield found


def test_a_full_pool_is_told_and_soon_over(url: str | None) -> None:
    """503 with Retry-After when the wait is over; a moment later the same request is served."""

    async def scene() -> None:
        settings = Settings(
            database_url=url, pool_connections=1, pool_wait_s=0.05, cache_rows=0, agents=3, tasks=3, accounts=1
        )
        async with signed_in(settings) as (app, client):
            async with app.state.services.database.write():
                refused = await client.patch("/api/v1/agents/1", json={"name": "a"})
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
            assert "wait for the database" in refused.json()["detail"]
            assert (await client.patch("/api/v1/agents/1", json={"name": "a"})).status_code == 200

    asyncio.run(scene())


@pytest.mark.parametrize("door", ["write", "transaction"])
def test_a_change_is_told_of_when_others_can_see_it(url: str | None, tmp_path: Path, door: str) -> None:
    """Sooner, and a reader could copy the old row after it was forgotten."""

    async def scene() -> None:
        seen: list[str] = []

        async def tell(changed: set[RowKey]) -> None:
            async with database.read() as connection:
                seen.append(await connection.scalar(select(agents.c.name)))

        database = Database(url or f"sqlite+aiosqlite:///{tmp_path}/p.db", on_change=tell)
        async with database.transaction() as connection:
            await connection.run_sync(metadata.create_all)
            await connection.execute(insert(agents).values(new_row(NewAgent(name="old"), 0)))
        async with getattr(database, door)() as connection:
            await revise(connection, agents, 1, {"name": "new"})
            assert seen == []
        assert seen == ["new"]
        await database.close()

    asyncio.run(scene())


@pytest.mark.parametrize("action", [["migrate"], ["--port", "0"]])
@pytest.mark.parametrize(
    "named",
    ["postgresql+asyncpg://portal:secret@127.0.0.1:1/none", "sqlite+aiosqlite:////nonexistent/portal.db"],
)
def test_a_database_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], action: list[str], named: str
) -> None:
    """One sentence without the password, and the exit code of a setting that cannot be obeyed."""
    monkeypatch.setenv("PORTAL_DATABASE_URL", named)
    assert main(action) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("portal: the database ")
    assert "does not answer" in err
    assert err.count("\n") == 1
    assert "secret" not in err


@pytest.mark.parametrize("action", [["migrate"], ["--port", "0"]])
def test_a_newer_portals_database(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, action: list[str]
) -> None:
    """It is left as it is, and the revision that is not known is named."""
    monkeypatch.setenv("PORTAL_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/p.db")
    assert main(["migrate"]) == 0
    engine = create_engine(f"sqlite:///{tmp_path}/p.db")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert main(action) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "cannot be migrated" in err
    assert "'9999'" in err
    assert err.count("\n") == 1
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
    engine.dispose()


@pytest.mark.services
@pytest.mark.skipif(binaries() is None, reason="no PostgreSQL: python -m portal.local.install installs it")
def test_a_database_that_goes_while_it_is_migrated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence and the same exit code, whether the portal was to migrate or to serve."""

    def lose(connection: Connection) -> None:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    monkeypatch.setattr("portal.__main__.migrate", lose)
    with postgres() as named:
        monkeypatch.setenv("PORTAL_DATABASE_URL", named)
        for action in (["migrate"], ["--port", "0"]):
            assert main(action) == 2
            out, err = capsys.readouterr()
            assert out == ""
            assert "cannot be migrated" in err
            assert err.count("\n") == 1
