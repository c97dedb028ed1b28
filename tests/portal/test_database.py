"""The database: its file, its doors, and a hundred clients at them."""

import asyncio
from collections import Counter
from pathlib import Path

import httpx
import pytest
from sqlalchemy import insert, select, text
from starlette.testclient import TestClient

from portal.app import create_app
from portal.changes import RowKey, note_change
from portal.database import Database, temporary_url
from portal.models import accounts, metadata
from portal.seed import PASSWORD
from portal.settings import Settings
from tests.portal.inprocess import signed_in


def test_the_temporary_file_goes_with_its_journal() -> None:
    """Nothing stays behind."""

    async def scene() -> Path:
        with temporary_url() as url:
            database = Database(url)
            async with database.transaction() as connection:
                await connection.run_sync(metadata.create_all)
            folder = Path(url.removeprefix("sqlite+aiosqlite:///")).parent
            assert (folder / "portal.db").exists()
            await database.close()
        return folder

    assert not asyncio.run(scene()).exists()


def test_the_pragmas_hold_on_every_connection(tmp_path: Path) -> None:
    """WAL, synchronous NORMAL (1), a busy timeout and foreign keys, for readers and the writer."""

    async def scene() -> None:
        database = Database(f"sqlite+aiosqlite:///{tmp_path}/p.db")
        for door in (database.read, database.write):
            async with door() as connection:
                pragmas = [
                    await connection.scalar(text(f"PRAGMA {name}"))
                    for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
                ]
                assert pragmas == ["wal", 1, 5000, 1]
        await database.close()

    asyncio.run(scene())


def test_connections_that_make_the_file_at_once_all_come_to_it(tmp_path: Path) -> None:
    """SQLite refuses one of two that change the journal's mode at once; the portal does not pass that on."""

    async def ping(url: str) -> None:
        database = Database(url)
        try:
            await database.ping()
        finally:
            await database.close()

    async def scene() -> None:
        for round_number in range(25):
            await asyncio.gather(*(ping(f"sqlite+aiosqlite:///{tmp_path}/{round_number}.db") for _ in range(8)))

    asyncio.run(scene())


async def _insert_and_fail(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(insert(accounts).values(username="lost", password_hash="x"))
        raise RuntimeError


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    """A fault in the middle undoes what was before it, and the next one may begin."""

    async def scene() -> list[str]:
        database = Database(f"sqlite+aiosqlite:///{tmp_path}/p.db")
        async with database.transaction() as connection:
            await connection.run_sync(metadata.create_all)
        with pytest.raises(RuntimeError):
            await _insert_and_fail(database)
        async with database.transaction() as connection:
            await connection.execute(insert(accounts).values(username="kept", password_hash="x"))
        async with database.read() as connection:
            names = list(await connection.scalars(select(accounts.c.username)))
        await database.close()
        return names

    assert asyncio.run(scene()) == ["kept"]


@pytest.mark.parametrize("door", ["write", "transaction"])
def test_who_is_cancelled_while_telling_of_a_change_gives_the_connection_back(tmp_path: Path, door: str) -> None:
    """Or SQLite's one writer would be gone for good."""

    async def scene() -> None:
        telling = asyncio.Event()

        async def tell(changed: set[RowKey]) -> None:
            assert changed == {("accounts", 1)}
            telling.set()
            await asyncio.Event().wait()

        database = Database(f"sqlite+aiosqlite:///{tmp_path}/p.db", on_change=tell)

        async def write() -> None:
            async with getattr(database, door)():
                note_change(accounts, 1)

        writing = asyncio.create_task(write())
        await telling.wait()
        assert database.connections_in_use == 1
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert database.connections_in_use == 0
        await database.close()

    asyncio.run(scene())


def test_a_named_database_keeps_its_rows(tmp_path: Path) -> None:
    """A second start finds what the first one left, and seeds nothing over it."""
    settings = Settings(database_url=f"sqlite+aiosqlite:///{tmp_path}/p.db", agents=3, tasks=3, accounts=1)
    names = []
    for _ in range(2):
        with TestClient(create_app(settings)) as client:
            token = client.post("/api/v1/auth/token", data={"username": "user000", "password": PASSWORD}).json()
            headers = {"Authorization": f"Bearer {token['access_token']}"}
            names.append(client.get("/api/v1/agents/1", headers=headers).json()["name"])
            client.patch("/api/v1/agents/1", json={"name": "renamed"}, headers=headers)
    assert names[1] == "renamed" != names[0]


def test_readiness_is_the_databases(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that does not answer makes the portal unready, not dead."""

    async def fail(self: Database) -> None:
        raise OSError("gone")

    with TestClient(create_app(Settings(agents=1, tasks=1, accounts=1))) as client:
        assert client.get("/readyz").json() == {"status": "ready"}
        monkeypatch.setattr(Database, "ping", fail)
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert client.get("/healthz").status_code == 200


def test_a_hundred_clients_write_at_once_without_an_error_or_a_lost_update() -> None:
    """Every answer is one the protocol foresees, and each success is one version.

    Ninety clients mix reads, creations, heartbeats, assignments and blind changes of one agent; ten more add one to
    a number in another agent's name by reading it and writing it back under If-Match, again until they succeed.
    """

    async def mix(client: httpx.AsyncClient, number: int, seen: Counter[int]) -> None:
        answers = [
            await client.get(f"/api/v1/agents/{number % 30 + 1}"),
            await client.post("/api/v1/tasks", json={"title": f"task of {number}"}),
            await client.post(f"/api/v1/agents/{number % 30 + 1}/heartbeat"),
            await client.patch("/api/v1/agents/1", json={"name": f"{number}"}),
            await client.get("/api/v1/tasks?limit=20"),
            await client.patch("/api/v1/agents/1", json={"kind": f"kind-{number}"}),
            await client.post(f"/api/v1/tasks/{number % 60 + 1}/assign", json={"agent_id": number % 30 + 1}),
        ]
        seen.update(answer.status_code for answer in answers)

    async def add_one(client: httpx.AsyncClient) -> None:
        while True:
            read = await client.get("/api/v1/agents/2")
            name = str(int(read.json()["name"]) + 1)
            written = await client.patch(
                "/api/v1/agents/2", json={"name": name}, headers={"If-Match": read.headers["ETag"]}
            )
            if written.status_code == 200:
                return
            assert written.status_code == 412

    async def scene() -> None:
        async with signed_in(Settings(agents=30, tasks=60, accounts=1)) as (_, client):
            await client.patch("/api/v1/agents/2", json={"name": "0"})
            seen: Counter[int] = Counter()
            await asyncio.gather(
                *(mix(client, number, seen) for number in range(90)), *(add_one(client) for _ in range(10))
            )
            assert set(seen) <= {200, 201, 204, 409}
            assert seen.total() == 90 * 7
            assert (await client.get("/api/v1/agents/1")).json()["version"] == 1 + 90 * 2
            counted = (await client.get("/api/v1/agents/2")).json()
            assert (counted["name"], counted["version"]) == ("10", 12)
            created, cursor = 0, ""
            while cursor is not None:
                page = (await client.get(f"/api/v1/tasks?limit=200{cursor and '&cursor=' + cursor}")).json()
                created += len(page["items"])
                cursor = page["next_cursor"]
            assert created == 60 + 90

    asyncio.run(scene())
