"""The audit log: what is in it, and what it costs the requests (nothing)."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from portal.audit import BATCH_ROWS, Audit
from portal.database import Database
from portal.models import audit, metadata
from portal.rate import Rate
from portal.seed import PASSWORD

SECRET_TYPO = "my-secret-in-the-wrong-field"


def _log_in(client: TestClient, username: str, password: str = PASSWORD) -> dict[str, Any]:
    data = {"username": username, "password": password}
    answer: dict[str, Any] = client.post("/api/v1/auth/token", data=data, headers={"X-Request-ID": "r1"}).json()
    return answer


def _bearer(pair: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {pair['access_token']}"}


def _rows(client: TestClient) -> list[tuple[str | None, str, str, str, str | None]]:
    """What the log holds, without the fixture's own login and the admin's."""
    items = client.get("/api/v1/audit?limit=200", headers=_bearer(_log_in(client, "admin"))).json()["items"]
    assert [row["audit_id"] for row in items] == list(range(1, len(items) + 1))
    return [
        (row["who"], row["what"], row["target"], row["outcome"], row["request_id"])
        for row in items
        if (row["who"], row["what"]) != ("admin", "login")
    ][1:]


def test_logins_and_their_failures(open_portal: Callable[..., TestClient]) -> None:
    """Whoever exists is named; a name that nobody has may be a password, and is not written down."""
    portal = open_portal({"failed_logins": Rate(1, 60)}, monotonic_ns=lambda: 0)
    _log_in(portal, "user001")
    _log_in(portal, "user001", "wrong")
    _log_in(portal, "user001", "wrong")
    _log_in(portal, SECRET_TYPO, "wrong")
    here = "from testclient"
    assert _rows(portal) == [
        ("user001", "login", here, "done", "r1"),
        ("user001", "login", here, "failed", "r1"),
        ("user001", "login", here, "limited", "r1"),
        (None, "login", here, "failed", "r1"),
    ]


def test_the_end_of_a_login_and_its_theft(open_portal: Callable[..., TestClient]) -> None:
    """Both name the family."""
    portal = open_portal()
    stolen, ended = _log_in(portal, "user001"), _log_in(portal, "user001")
    for _ in range(2):
        portal.post("/api/v1/auth/refresh", json={"refresh_token": stolen["refresh_token"]})
    portal.post("/api/v1/auth/logout", headers=_bearer(ended))
    reused, logout = _rows(portal)[2:]
    assert (reused[0], reused[1], reused[3]) == ("user001", "refresh", "reused")
    assert (logout[0], logout[1], logout[3]) == ("user001", "logout", "done")
    assert reused[2].startswith("family ")
    assert reused[2] != logout[2]


def test_refusals_and_keys(open_portal: Callable[..., TestClient]) -> None:
    """By scope, over REST and the socket; keys made and revoked, and what a key was refused."""
    portal = open_portal()
    viewer, admin = _bearer(_log_in(portal, "viewer")), _bearer(_log_in(portal, "admin"))
    portal.patch("/api/v1/agents/1", json={"name": "x"}, headers=viewer)
    with portal.websocket_connect("/ws/agents", headers=viewer) as socket:
        socket.send_json(
            {"type": "publish", "channel": "agent.1", "publisher": "p", "seq": 0, "intended_ns": 0, "sent_ns": 0}
        )
        socket.receive_json()
    made = portal.post("/api/v1/keys", json={"name": "x", "scopes": ["tasks:read"]}, headers=admin).json()
    del portal.headers["Authorization"]
    portal.get("/api/v1/agents", headers={"X-API-Key": made["key"], "X-Request-ID": "a" * 100})
    portal.delete("/api/v1/keys/1", headers=admin)
    rows = _rows(portal)
    assert rows[1:] == [
        ("viewer", "scope agents:write", "PATCH /api/v1/agents/1", "refused", None),
        ("viewer", "scope agents:write", "WS /ws/agents", "refused", None),
        ("admin", "key made", "key:1 tasks:read", "done", None),
        ("key:1", "scope agents:read", "GET /api/v1/agents", "refused", "a" * 64),
        ("admin", "key revoked", "key:1", "done", None),
    ]
    assert made["key"] not in str(rows)


def test_the_log_is_walked_page_by_page(open_portal: Callable[..., TestClient]) -> None:
    """Every row once, in its order, also those that came meanwhile."""
    portal = open_portal(clock=lambda: 1_000.0)
    for number in range(3):
        _log_in(portal, f"viewer00{number}")
    admin = _bearer(_log_in(portal, "admin"))
    seen, cursor = [], ""
    while cursor is not None:
        page = portal.get(f"/api/v1/audit?limit=2{cursor and '&cursor=' + cursor}", headers=admin).json()
        if not seen:
            _log_in(portal, "viewer009")
        seen += page["items"]
        cursor = page["next_cursor"]
    assert [row["who"] for row in seen] == ["user000", "viewer000", "viewer001", "viewer002", "admin", "viewer009"]
    assert {row["at_ms"] for row in seen} == {1_000_000}


def _with_audit(folder: Path, scene: Callable[[Audit, Database], Any], **parts: Any) -> None:
    async def run() -> None:
        database = Database(f"sqlite+aiosqlite:///{folder}/p.db")
        async with database.transaction() as connection:
            await connection.run_sync(metadata.create_all)
        await scene(Audit(database, clock=lambda: 1.0, **parts), database)
        await database.close()

    asyncio.run(run())


async def _count(database: Database) -> int:
    async with database.read() as connection:
        return await connection.scalar(select(func.count()).select_from(audit)) or 0


def test_rows_are_written_in_batches_and_the_last_ones_at_the_end(tmp_path: Path) -> None:
    """Nobody asked for them: the writer did it. 1,001 rows are three statements of at most 500."""

    async def scene(log: Audit, database: Database) -> None:
        statements: list[str] = []
        event.listen(database._writer.sync_engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
        async with log.running():
            for number in range(2 * BATCH_ROWS + 1):
                log.note("user000", "test", str(number), "done")
            assert statements == []  # noting is not writing
        assert await _count(database) == 2 * BATCH_ROWS + 1
        assert len(statements) == 3

    _with_audit(tmp_path, scene)


def test_the_writer_writes_while_the_portal_serves(tmp_path: Path) -> None:
    """Not only at its end, and again after a pause."""

    async def scene(log: Audit, database: Database) -> None:
        async with log.running(), asyncio.timeout(5):
            for number in (1, 2):
                log.note("user000", "test", str(number), "done")
                while await _count(database) < number:
                    await asyncio.sleep(0)

    _with_audit(tmp_path, scene)


def test_a_batch_under_way_at_the_end_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The portal stops while the writer waits for its connection."""

    async def scene(log: Audit, database: Database) -> None:
        waits, write = asyncio.Event(), database.write

        @asynccontextmanager
        async def slow_write() -> AsyncIterator[Any]:
            waits.set()
            for _ in range(10):
                await asyncio.sleep(0)
            async with write() as connection:
                yield connection

        monkeypatch.setattr(database, "write", slow_write)
        async with log.running():
            log.note("user000", "test", "the last", "done")
            await waits.wait()
        assert await _count(database) == 1

    _with_audit(tmp_path, scene)


def test_what_does_not_fit_is_dropped_counted_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Seven too many: a line for the 1st, 2nd and 4th, and the first three are kept."""

    async def scene(log: Audit, database: Database) -> None:
        with caplog.at_level(logging.WARNING, "portal.audit"):
            for number in range(10):
                log.note("user000", "test", str(number), "done")
        assert log.dropped == 7
        assert [record.getMessage().split()[0] for record in caplog.records] == ["1", "2", "4"]
        await log.flush()
        async with database.read() as connection:
            assert list(await connection.scalars(select(audit.c.target))) == ["0", "1", "2"]
        log.note("user000", "test", "10", "done")
        assert log.dropped == 7

    _with_audit(tmp_path, scene, queue_rows=3)


def test_a_database_that_fails_costs_rows_and_no_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What could not be written is counted; what comes after is written."""

    def fail() -> None:
        raise OperationalError("INSERT", {"who": "user000"}, Exception("disk full"))

    async def scene(log: Audit, database: Database) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(database, "write", fail)
            log.note("user000", "test", "lost", "done")
            await log.flush()
        assert log.dropped == 1
        assert "user000" not in caplog.text
        log.note("user000", "test", "kept", "done")
        await log.flush()
        assert await _count(database) == 1

    _with_audit(tmp_path, scene)


def test_text_is_cut_to_its_column_and_made_storable(tmp_path: Path) -> None:
    """NUL and lone surrogates are text that PostgreSQL does not take."""

    async def scene(log: Audit, database: Database) -> None:
        log.note("n" * 100, "test", "a\x00b\ud800c", "done", "r" * 100)
        await log.flush()
        async with database.read() as connection:
            row = (await connection.execute(select(audit))).one()
        assert (len(row.who), row.target, len(row.request_id)) == (80, "a?b?c", 64)

    _with_audit(tmp_path, scene)
