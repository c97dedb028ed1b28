"""Every statement of the REST routes finds its rows by an index."""

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event
from starlette.testclient import TestClient

from portal.app import create_app
from portal.seed import PASSWORD
from portal.settings import Settings

_SCAN = re.compile(r"SCAN (agents|tasks|accounts)\b")


@contextmanager
def _recorded() -> Iterator[list[tuple[str, Any]]]:
    """Record what is sent to any database meanwhile."""
    sent: list[tuple[str, Any]] = []

    def note(_c: object, _cursor: object, statement: str, parameters: Any, _x: object, many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE")) and not many:
            sent.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def _scans(path: Path, sent: list[tuple[str, Any]]) -> set[str]:
    refused = set()
    with sqlite3.connect(path) as connection:
        for sql, values in sent:
            for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values):
                # Walking the keys and looking at each row's status is a scan too, and so is sorting what was found.
                by_key_only = "rowid>?" in step and "status = ?" in sql
                if _SCAN.match(step) or by_key_only or "TEMP B-TREE FOR ORDER BY" in step:
                    refused.add(step)
    return refused


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[str, Any]]]:
    """One call of every route that reads or changes rows, and the file they went to."""
    path = tmp_path_factory.mktemp("indexes") / "p.db"
    settings = Settings(database_url=f"sqlite+aiosqlite:///{path}", agents=30, tasks=60, accounts=2)
    with TestClient(create_app(settings)) as client, _recorded() as sent:
        token = client.post("/api/v1/auth/token", data={"username": "user000", "password": PASSWORD}).json()
        client.headers["Authorization"] = f"Bearer {token['access_token']}"
        answers = [
            client.get("/api/v1/agents"),
            client.get("/api/v1/agents?status=idle"),
            client.get("/api/v1/tasks"),
            client.get("/api/v1/tasks?status=open"),
            client.get("/api/v1/agents/1"),
            client.get("/api/v1/tasks/1"),
            client.patch("/api/v1/agents/1", json={"name": "a", "version": 1}),
            client.patch("/api/v1/agents/1", json={"name": "b"}, headers={"If-Match": '"2"'}),
            client.patch("/api/v1/agents/1", json={"name": "c", "version": 1}),
            client.patch("/api/v1/tasks/1", json={"status": "open"}),
            client.post("/api/v1/tasks/1/assign", json={"agent_id": 2}),
            client.post("/api/v1/agents/1/heartbeat"),
        ]
        assert [answer.status_code for answer in answers] == [200] * 8 + [409, 200, 200, 204]
    return path, sent


def test_no_route_scans_a_table(traffic: tuple[Path, list[tuple[str, Any]]]) -> None:
    """SQLite's plan of each statement names an index or the key; thirteen routes sent at least as many."""
    path, sent = traffic
    assert len(sent) >= 13
    assert _scans(path, sent) == set()


@pytest.mark.parametrize("table", ["agents", "tasks"])
def test_a_missing_index_is_seen(traffic: tuple[Path, list[tuple[str, Any]]], tmp_path: Path, table: str) -> None:
    """The same statements are refused where the index by status was dropped."""
    path, sent = traffic
    copy = Path(shutil.copy(path, tmp_path))
    with sqlite3.connect(copy) as connection:
        connection.execute(f"DROP INDEX {table}_by_status")
    assert _scans(copy, sent) == {f"SEARCH {table} USING INTEGER PRIMARY KEY (rowid>?)"}


def test_a_scan_is_seen(traffic: tuple[Path, list[tuple[str, Any]]]) -> None:
    """A condition that no index knows is refused."""
    path, _ = traffic
    assert _scans(path, [("SELECT * FROM accounts WHERE password_hash = ?", ("x",))]) == {"SCAN accounts"}
