"""What becomes of open sockets when their credential is revoked."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from portal.database import Database
from portal.families import Families
from portal.models import metadata
from portal.seed import PASSWORD


def _bearer(portal: TestClient, username: str) -> dict[str, str]:
    form = {"username": username, "password": PASSWORD}
    return {"Authorization": f"Bearer {portal.post('/api/v1/auth/token', data=form).json()['access_token']}"}


def _close_code(socket: WebSocketTestSession) -> int:
    """Read to the end and return the code of the close frame."""
    try:
        while True:
            socket.receive_json()
    except WebSocketDisconnect as closed:
        return closed.code


def _is_open(socket: WebSocketTestSession) -> bool:
    socket.send_json({"type": "subscribe", "channels": ["agent.1"]})
    return bool(socket.receive_json()["type"] == "subscribed")


def test_a_logout_closes_the_sockets_of_its_login_and_no_others(open_portal: Callable[..., TestClient]) -> None:
    """On both kinds of socket, with 4401; another login of the same account goes on."""
    portal = open_portal()
    ended = _bearer(portal, "user000")
    with (
        portal.websocket_connect("/ws/agents", headers=ended) as socket,
        portal.websocket_connect("/graphql", ["graphql-transport-ws"], headers=ended) as watcher,
        portal.websocket_connect("/ws/agents") as other,
    ):
        watcher.send_json({"type": "connection_init"})
        assert watcher.receive_json()["type"] == "connection_ack"
        assert portal.post("/api/v1/auth/logout", headers=ended).status_code == 204
        assert _close_code(socket) == 4401
        assert _close_code(watcher) == 4401
        assert _is_open(other)


def test_a_key_that_is_revoked_closes_its_sockets(open_portal: Callable[..., TestClient]) -> None:
    """Those of other keys stay."""
    admin = open_portal(username="admin")
    keys = [admin.post("/api/v1/keys", json={"name": n, "scopes": ["agents:read"]}).json() for n in ("a", "b")]
    anonymous = TestClient(admin.app)
    anonymous.portal = admin.portal  # the same event loop
    with (
        anonymous.websocket_connect("/ws/agents", headers={"X-API-Key": keys[0]["key"]}) as socket,
        anonymous.websocket_connect("/ws/agents", headers={"X-API-Key": keys[1]["key"]}) as other,
    ):
        assert admin.delete(f"/api/v1/keys/{keys[0]['key_id']}").status_code == 204
        assert _close_code(socket) == 4401
        assert _is_open(other)


def test_what_was_revoked_elsewhere_is_told_once(tmp_path: Path) -> None:
    """When it is read from the table, and not again at the next reading."""

    async def scene() -> None:
        database = Database(f"sqlite+aiosqlite:///{tmp_path}/portal.db")
        life: dict[str, Any] = {"access_token_s": 60, "refresh_token_s": 60, "clock": lambda: 1_000.0}
        here, elsewhere, told = Families(database, **life), Families(database, **life), []
        here.on_revoked = told.append
        try:
            async with database.transaction() as connection:
                await connection.run_sync(metadata.create_all)
            await elsewhere.revoke("f1")
            await here.load()
            await here.load()
            assert told == ["f1"]
            await here.revoke("f2")
            await here.load()
            assert told == ["f1", "f2"]
        finally:
            await database.close()

    asyncio.run(scene())
