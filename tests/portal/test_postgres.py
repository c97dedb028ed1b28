"""The portal on a real PostgreSQL: what REST promises holds there too."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from portal.database import Database
from portal.local.postgres import binaries, postgres
from portal.migrations import migrate
from portal.models import metadata
from portal.seed import agent_rows
from portal.settings import Settings
from tests.portal.inprocess import signed_in

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(binaries() is None, reason="no PostgreSQL: python -m portal.local.install installs it"),
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server for this file's tests."""
    with postgres() as url:
        yield url


def test_two_that_migrate_at_once_do_not_collide(url: str) -> None:
    """The second waits for the lock, and Alembic then finds no difference to the models."""

    async def start() -> None:
        database = Database(url)
        try:
            async with database.transaction() as connection:
                await connection.run_sync(migrate)
        finally:
            await database.close()

    async def scene() -> None:
        await asyncio.gather(start(), start(), start())
        database = Database(url)
        async with database.transaction() as connection:
            differences = await connection.run_sync(
                lambda sync: compare_metadata(MigrationContext.configure(sync, opts={"compare_type": True}), metadata)
            )
        await database.close()
        assert differences == []

    asyncio.run(scene())


def test_rest_essentials(url: str) -> None:
    """Seeded rows, numbers after them, conflicts, an agent that is not there, and no update lost."""

    async def scene() -> None:
        async with signed_in(Settings(database_url=url, agents=30, tasks=60, accounts=1)) as (_, client):
            assert (await client.get("/api/v1/agents?limit=200")).json()["items"] == agent_rows(30)
            assert (await client.post("/api/v1/agents", json={"name": "new"})).headers[
                "Location"
            ] == "/api/v1/agents/31"
            assert (await client.patch("/api/v1/agents/1", json={"name": "a", "version": 1})).json()["version"] == 2
            assert (await client.patch("/api/v1/agents/1", json={"name": "b", "version": 1})).status_code == 409
            late = await client.patch("/api/v1/agents/1", json={"name": "b"}, headers={"If-Match": '"1"'})
            assert late.status_code == 412
            task = (await client.post("/api/v1/tasks", json={"title": "t"})).json()["task_id"]
            nobody = await client.post(f"/api/v1/tasks/{task}/assign", json={"agent_id": 9_999})
            assert nobody.status_code == 422
            for version in range(1, 6):  # ten claim each version; exactly one gets it
                answers = await asyncio.gather(
                    *(
                        client.patch("/api/v1/agents/2", json={"name": f"{number}", "version": version})
                        for number in range(10)
                    )
                )
                assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 9}
            blind = await asyncio.gather(
                *(client.patch("/api/v1/agents/2", json={"kind": f"kind-{number}"}) for number in range(20))
            )
            assert {answer.status_code for answer in blind} == {200}
            assert sorted(answer.json()["version"] for answer in blind) == list(range(7, 27))

    asyncio.run(scene())
