"""The schema's revisions: they lead to the tables in models.py, back, and there again."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Index, MetaData, insert, inspect, text
from starlette.testclient import TestClient

from portal.__main__ import main
from portal.app import create_app
from portal.database import Database
from portal.migrations import BASELINE, configure, migrate
from portal.models import accounts, metadata
from portal.settings import Settings


def _url(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder}/p.db"


def _within(folder: Path, *steps: Callable[[Connection], Any]) -> list[Any]:
    """Run each step in a transaction of its own."""

    async def scene() -> list[Any]:
        database = Database(_url(folder))
        results = []
        try:
            for step in steps:
                async with database.transaction() as connection:
                    results.append(await connection.run_sync(step))
        finally:
            await database.close()
        return results

    return asyncio.run(scene())


def _differences(connection: Connection, expected: MetaData = metadata) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, expected))


def _tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def test_migrating_gives_exactly_the_tables_of_the_models(tmp_path: Path) -> None:
    """From nothing, Alembic finds no difference; with an index more in the models it would find one."""
    more = MetaData()
    for table in metadata.sorted_tables:
        table.to_metadata(more)
    Index("one_more", more.tables["tasks"].c.priority)
    _, same, other = _within(tmp_path, migrate, _differences, lambda connection: _differences(connection, more))
    assert same == []
    assert [difference[0] for difference in other] == ["add_index"]


def test_down_to_nothing_and_up_again(tmp_path: Path) -> None:
    """Each revision can be undone."""
    _, _, left, _, differences = _within(
        tmp_path,
        migrate,
        lambda connection: command.downgrade(configure(connection), "base"),
        _tables,
        migrate,
        _differences,
    )
    assert left == {"alembic_version"}
    assert differences == []


def test_a_database_from_before_there_were_revisions_is_upgraded(tmp_path: Path) -> None:
    """Its tables are the baseline, and its rows stay."""

    def old(connection: Connection) -> None:
        migrate(connection, BASELINE)
        connection.execute(text("DROP TABLE alembic_version"))
        connection.execute(insert(accounts).values(username="kept", password_hash="x"))

    _, _, names, differences = _within(
        tmp_path,
        old,
        migrate,
        lambda connection: connection.scalars(text("SELECT username FROM accounts")).all(),
        _differences,
    )
    assert names == ["kept"]
    assert differences == []


def test_two_that_start_at_once_do_not_collide(tmp_path: Path) -> None:
    """Both end well; the later one finds the work done."""

    async def start() -> None:
        database = Database(_url(tmp_path))
        try:
            async with database.transaction() as connection:
                await connection.run_sync(migrate)
        finally:
            await database.close()

    async def scene() -> None:
        await asyncio.gather(start(), start())

    asyncio.run(scene())
    assert _within(tmp_path, _differences) == [[]]


def test_a_portal_migrates_a_named_database_at_start(tmp_path: Path) -> None:
    """The revision is written down, so that the next portal knows where to go on."""
    with TestClient(create_app(Settings(database_url=_url(tmp_path), agents=1, tasks=1, accounts=1))):
        pass
    assert "alembic_version" in _within(tmp_path, _tables)[0]


def test_migrate_is_an_action_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It makes the tables, seeds nothing, and returns."""
    monkeypatch.setenv("PORTAL_DATABASE_URL", _url(tmp_path))
    assert main(["migrate"]) == 0
    count, differences = _within(
        tmp_path, lambda connection: connection.scalar(text("SELECT COUNT(*) FROM accounts")), _differences
    )
    assert count == 0
    assert differences == []


def test_migrate_without_a_database_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is nothing to migrate in a file that is removed at stop."""
    monkeypatch.delenv("PORTAL_DATABASE_URL", raising=False)
    assert main(["migrate"]) == 2
    assert "PORTAL_DATABASE_URL" in capsys.readouterr().err
