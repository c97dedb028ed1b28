"""API keys: made once, kept as a hash, revoked at once."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, update
from starlette.testclient import TestClient

from portal import apikeys
from portal.apikeys import ApiKeys
from portal.database import Database
from portal.models import api_keys, metadata
from portal.principal import AccessError
from portal.seed import PASSWORD


@pytest.fixture
def admin(open_portal: Callable[..., TestClient]) -> TestClient:
    """A small portal with the admin signed in."""
    client = open_portal(clock=lambda: 1_000.0)
    token = client.post("/api/v1/auth/token", data={"username": "admin", "password": PASSWORD}).json()["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"
    return client


@asynccontextmanager
async def _database(folder: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{folder}/p.db")
    async with database.transaction() as connection:
        await connection.run_sync(metadata.create_all)
    yield database
    await database.close()


def _keys(database: Database, now_ns: Callable[[], int] = lambda: 0) -> ApiKeys:
    return ApiKeys(database, clock=lambda: 1_000.0, monotonic_ns=now_ns)


def test_a_key_is_shown_once(admin: TestClient) -> None:
    """The list has everything but its text, and no part of it."""
    body = {"name": "planner", "scopes": ["tasks:write", "tasks:read"], "expires_in_s": 60}
    answer = admin.post("/api/v1/keys", json=body)
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    made = answer.json()
    key = made.pop("key")
    assert key.startswith(f"pk_{made['key_id']}_")
    assert made == {
        "key_id": 1,
        "name": "planner",
        "scopes": ["tasks:read", "tasks:write"],
        "made_by": "admin",
        "created_at_ms": 1_000_000,
        "expires_at_ms": 1_060_000,
        "revoked_at_ms": None,
    }
    listed = admin.get("/api/v1/keys")
    assert listed.json() == {"items": [made], "next_cursor": None}


def test_keys_are_listed_page_by_page(admin: TestClient) -> None:
    """As every other collection."""
    for name in ("a", "b", "c"):
        admin.post("/api/v1/keys", json={"name": name, "scopes": ["tasks:read"]})
    page = admin.get("/api/v1/keys?limit=2").json()
    rest = admin.get(f"/api/v1/keys?limit=2&cursor={page['next_cursor']}").json()
    assert [key["name"] for key in page["items"] + rest["items"]] == ["a", "b", "c"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["tasks:delete"]},
        {"name": "x"},
        {"name": "x", "scopes": ["tasks:read"], "expires_in_s": 0},
    ],
)
def test_a_key_that_makes_no_sense_is_422(admin: TestClient, body: dict[str, Any]) -> None:
    """No scopes, unknown ones, or over before it begins."""
    assert admin.post("/api/v1/keys", json=body).status_code == 422


def test_a_key_makes_no_key_that_may_more(admin: TestClient) -> None:
    """A key for administration alone is no way to every other scope."""
    key = admin.post("/api/v1/keys", json={"name": "x", "scopes": ["admin"]}).json()["key"]
    del admin.headers["Authorization"]
    answer = admin.post("/api/v1/keys", json={"name": "y", "scopes": ["tasks:write"]}, headers={"X-API-Key": key})
    assert answer.status_code == 403
    assert 'scope="tasks:write"' in answer.headers["WWW-Authenticate"]
    assert admin.post("/api/v1/auth/logout", headers={"X-API-Key": key}).status_code == 400


def test_revoking_twice_is_revoking_once(admin: TestClient) -> None:
    """And what does not exist is not revoked."""
    admin.post("/api/v1/keys", json={"name": "x", "scopes": ["admin"]})
    assert [admin.delete("/api/v1/keys/1").status_code for _ in range(2)] == [204, 204]
    assert admin.get("/api/v1/keys").json()["items"][0]["revoked_at_ms"] == 1_000_000
    assert admin.delete("/api/v1/keys/2").status_code == 404


def test_the_table_holds_a_sha256_and_no_secret(tmp_path: Path) -> None:
    """FIPS 180-4, of the part after the id; 256 bits are 43 characters of base64url (RFC 4648)."""

    async def scene() -> None:
        async with _database(tmp_path) as database:
            _, key = await _keys(database).create("x", ["tasks:read"], made_by="admin", expires_at_ms=None)
            secret = key.removeprefix("pk_1_")
            assert len(secret) == 43
            async with database.read() as connection:
                row = (await connection.execute(select(api_keys))).one()
            assert row.digest == hashlib.sha256(secret.encode()).hexdigest()
            assert secret not in str(row)

    asyncio.run(scene())


def test_a_key_in_use_costs_no_statement_for_a_while(tmp_path: Path) -> None:
    """One look-up in thirty seconds; then what another process did to it is seen."""

    async def scene() -> None:
        async with _database(tmp_path) as database:
            now_ns = [0]
            keys = _keys(database, lambda: now_ns[0])
            _, key = await keys.create("x", ["tasks:read"], made_by="admin", expires_at_ms=None)
            statements: list[str] = []
            event.listen(
                database._readers.sync_engine, "before_cursor_execute", lambda *args: statements.append(args[2])
            )
            for _ in range(3):
                assert (await keys.principal(key)).who == "key:1"
            assert len(statements) == 1
            async with database.write() as connection:
                await connection.execute(update(api_keys).values(revoked_at_ms=1))
            now_ns[0] = apikeys.CACHE_NS - 1
            await keys.principal(key)
            now_ns[0] = apikeys.CACHE_NS
            with pytest.raises(AccessError, match="revoked"):
                await keys.principal(key)

    asyncio.run(scene())


def test_a_look_up_under_way_does_not_undo_a_revocation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It read the row before the key was revoked and comes back after: what it read is not remembered."""

    async def scene() -> None:
        async with _database(tmp_path) as database:
            keys = _keys(database)
            _, key = await keys.create("x", ["tasks:read"], made_by="admin", expires_at_ms=None)
            has_read, may_go_on = asyncio.Event(), asyncio.Event()
            read = database.read

            @asynccontextmanager
            async def slow_read() -> AsyncIterator[Any]:
                async with read() as connection:
                    yield connection
                has_read.set()
                await may_go_on.wait()

            monkeypatch.setattr(database, "read", slow_read)
            look_up = asyncio.create_task(keys.principal(key))
            await has_read.wait()
            assert await keys.revoke(1)
            may_go_on.set()
            for attempt in (look_up, keys.principal(key)):
                with pytest.raises(AccessError, match="revoked"):
                    await attempt

    asyncio.run(scene())


def test_the_keys_remembered_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one used longest ago is forgotten, and still works."""
    monkeypatch.setattr(apikeys, "CACHE_KEYS", 2)

    async def scene() -> None:
        async with _database(tmp_path) as database:
            keys = _keys(database)
            texts = [(await keys.create("x", ["tasks:read"], made_by="admin", expires_at_ms=None))[1] for _ in range(3)]
            for number in (0, 1, 0, 2, 1):
                assert (await keys.principal(texts[number])).who == f"key:{number + 1}"
                assert len(keys._cache) <= 2
            assert list(keys._cache) == [3, 2]

    asyncio.run(scene())
