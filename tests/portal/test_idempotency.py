"""POST that is sent twice and done once."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient

from portal.database import Database
from portal.idempotency import Once
from portal.models import answers, metadata
from portal.seed import PASSWORD

KEY = {"Idempotency-Key": "order-1"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v2/agents", {"name": "Ada"}),
        ("/api/v2/tasks", {"title": "Plan"}),
        ("/api/v2/tasks/bulk", {"items": [{"title": "a"}, {"title": "b"}]}),
    ],
)
def test_a_repetition_gets_the_stored_answer(open_portal: Callable[..., TestClient], path: str, body: object) -> None:
    """Status, body and headers; the mark says that nothing was done."""
    portal = open_portal()
    first, again = (portal.post(path, json=body, headers=KEY) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    for name in ("Location", "ETag", "Content-Type"):
        assert first.headers.get(name) == again.headers.get(name)
    assert portal.post(path, json=body).content != first.content


def test_the_same_key_for_another_request_is_422(open_portal: Callable[..., TestClient]) -> None:
    """Another body or another route; another account has keys of its own."""
    portal = open_portal()
    assert portal.post("/api/v2/agents", json={"name": "Ada"}, headers=KEY).status_code == 201
    assert portal.post("/api/v2/agents", json={"name": "Bob"}, headers=KEY).status_code == 422
    assert portal.post("/api/v2/tasks", json={"title": "Plan"}, headers=KEY).status_code == 422
    answer = portal.post("/api/v1/auth/token", data={"username": "user001", "password": PASSWORD})
    other = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert portal.post("/api/v2/agents", json={"name": "Bob"}, headers=KEY | other).status_code == 201


def test_a_failure_is_not_stored(open_portal: Callable[..., TestClient]) -> None:
    """It changed nothing, so the key is free."""
    portal = open_portal()
    place = portal.post("/api/v2/tasks", json={"title": "Plan"}).headers["Location"]
    assert portal.post(f"{place}/assign", json={"agent_id": 31}, headers=KEY).status_code == 422
    portal.post("/api/v2/agents", json={"name": "the 31st"})
    assert portal.post(f"{place}/assign", json={"agent_id": 31}, headers=KEY).status_code == 200


def test_an_answer_is_kept_for_a_day_and_then_removed(open_portal: Callable[..., TestClient]) -> None:
    """At 24 hours less a millisecond it is repeated; at 24 hours the work is done anew and the old row is gone."""
    now_s = [1_767_225_600.0]
    portal = open_portal({"access_token_s": 200_000}, clock=lambda: now_s[0])
    first = portal.post("/api/v2/agents", json={"name": "Ada"}, headers=KEY)
    now_s[0] += 86_399.5
    assert portal.post("/api/v2/agents", json={"name": "Ada"}, headers=KEY).content == first.content
    now_s[0] += 0.5
    later = portal.post("/api/v2/agents", json={"name": "Ada"}, headers=KEY)
    assert (first.json()["id"], later.json()["id"]) == (31, 32)


def test_an_answer_survives_a_restart(open_portal: Callable[..., TestClient], tmp_path: Path) -> None:
    """It is a row like any other."""
    settings = {"database_url": f"sqlite+aiosqlite:///{tmp_path}/portal.db"}
    first = open_portal(settings).post("/api/v2/agents", json={"name": "Ada"}, headers=KEY)
    again = open_portal(settings).post("/api/v2/agents", json={"name": "Ada"}, headers=KEY)
    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "é".encode()])
def test_a_key_is_1_to_255_visible_ascii_characters(portal: TestClient, key: str | bytes) -> None:
    """Anything else is refused before the work."""
    answer = portal.post("/api/v2/agents", json={"name": "Ada"}, headers={"Idempotency-Key": key})  # type: ignore[dict-item]
    assert answer.status_code == 422


def test_a_repetition_while_the_first_runs_is_409_and_a_crash_stores_nothing(tmp_path: Path) -> None:
    """The first is held open by its own work, in which the second arrives."""

    async def scene() -> None:
        database = Database(f"sqlite+aiosqlite:///{tmp_path}/portal.db")
        async with database.transaction() as connection:
            await connection.run_sync(metadata.create_all)
        once = Once(database, lambda: 0)
        scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b"", "server": ("h", 1)}
        request = Request(scope, lambda: asyncio.sleep(0, {"type": "http.request", "body": b"{}"}))

        async def work(_: AsyncConnection) -> Response:
            with pytest.raises(HTTPException) as refused:
                await once.run(request, "user000", "k", work)
            assert refused.value.status_code == 409
            raise RuntimeError("crash")

        with pytest.raises(RuntimeError):
            await once.run(request, "user000", "k", work)
        async with database.read() as connection:
            assert await connection.scalar(select(func.count()).select_from(answers)) == 0
        await database.close()

    asyncio.run(scene())
