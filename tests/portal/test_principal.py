"""Roles, scopes, and what each kind of bad credential is answered, on REST and on the socket."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient, WebSocketDenialResponse

from portal.app import ROUTERS
from portal.principal import SCOPES_OF, AccessError, Principal
from portal.seed import PASSWORD

OPEN = {
    ("POST", "/api/v1/auth/token"),
    ("POST", "/api/v1/auth/refresh"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),  # for loopback, or a token of its own
    ("GET", "/graphql/schema"),  # as /openapi.json
}
READS = [("GET", "/api/v1/agents"), ("GET", "/api/v1/agents/1"), ("GET", "/api/v1/tasks"), ("GET", "/api/v1/tasks/1")]
WRITES = [
    ("POST", "/api/v1/agents", {"name": "x"}, "agents:write"),
    ("PATCH", "/api/v1/agents/1", {"name": "x"}, "agents:write"),
    ("POST", "/api/v1/agents/1/heartbeat", None, "agents:write"),
    ("POST", "/api/v1/tasks", {"title": "x"}, "tasks:write"),
    ("PATCH", "/api/v1/tasks/1", {"status": "open"}, "tasks:write"),
    ("POST", "/api/v1/tasks/1/assign", {"agent_id": 1}, "tasks:write"),
]
ADMINISTERS = [
    ("GET", "/api/v1/keys", None, "admin"),
    ("POST", "/api/v1/keys", {"name": "x", "scopes": ["admin"]}, "admin"),
    ("DELETE", "/api/v1/keys/1", None, "admin"),
    ("GET", "/api/v1/audit", None, "admin"),
]
PUBLISH = {"type": "publish", "id": 1, "channel": "agent.7", "publisher": "p", "seq": 0} | {
    "intended_ns": 1,
    "sent_ns": 2,
}
SUBSCRIBE = {"type": "subscribe", "id": 2, "channels": ["agent.7"]}


def _bearer(client: TestClient, username: str) -> dict[str, str]:
    answer = client.post("/api/v1/auth/token", data={"username": username, "password": PASSWORD})
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def _key(client: TestClient, scopes: list[str], **more: Any) -> tuple[int, dict[str, str]]:
    body = {"name": "a key", "scopes": scopes} | more
    made = client.post("/api/v1/keys", json=body, headers=_bearer(client, "admin")).json()
    return made["key_id"], {"X-API-Key": made["key"]}


def _refused_alike(client: TestClient, headers: Any, detail: str) -> None:
    """Both doors are shut, and say why."""
    answer = client.get("/api/v1/agents/1", headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (401, detail)
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    with pytest.raises(WebSocketDenialResponse) as caught, client.websocket_connect("/ws/agents", headers=headers):
        pass
    assert (caught.value.status_code, caught.value.json()["detail"]) == (403, detail)


@pytest.fixture
def bare(open_portal: Callable[..., TestClient]) -> TestClient:
    """A small portal, nobody signed in."""
    return _bare(open_portal())


def _bare(client: TestClient) -> TestClient:
    del client.headers["Authorization"]
    return client


def test_each_role_may_do_all_that_the_one_before_it_may() -> None:
    """Viewer, operator, admin."""
    assert SCOPES_OF["viewer"] == {"agents:read", "tasks:read"}
    assert SCOPES_OF["operator"] == SCOPES_OF["viewer"] | {"agents:write", "tasks:write"}
    assert SCOPES_OF["admin"] == SCOPES_OF["operator"] | {"admin"}


def test_what_may_not_be_done_is_said_as_rfc_6750_says_it() -> None:
    """Section 3: the scheme, the error, the scope."""
    with pytest.raises(AccessError) as caught:
        Principal("user000", SCOPES_OF["viewer"]).require("tasks:write")
    assert caught.value.status == 403
    assert caught.value.challenge == 'Bearer error="insufficient_scope", scope="tasks:write"'
    assert AccessError("no credential").challenge == "Bearer"


@pytest.mark.parametrize(
    ("username", "writes", "administers"),
    [("viewer", 403, 403), ("viewer019", 403, 403), ("user001", 200, 403), ("admin", 200, 200)],
)
def test_each_role_on_every_route(bare: TestClient, username: str, writes: int, administers: int) -> None:
    """All may read; each other route is open to the roles that have its scope, and names it to those who have not."""
    bare.headers.update(_bearer(bare, username))
    assert {bare.get(path).status_code for _, path in READS} == {200}
    for expected, routes in ((writes, WRITES), (administers, ADMINISTERS)):
        for method, path, body, scope in routes:
            answer = bare.request(method, path, json=body)
            if expected == 403:
                assert answer.status_code == 403, (method, path)
                assert answer.headers["WWW-Authenticate"] == f'Bearer error="insufficient_scope", scope="{scope}"'
                assert answer.json()["detail"] == f"scope {scope} is needed"
            else:
                assert answer.status_code in (200, 201, 204), (method, path)


@pytest.mark.parametrize(("scope", "path"), [("agents:read", "/api/v1/agents"), ("tasks:read", "/api/v1/tasks")])
def test_a_reading_scope_opens_its_own_routes_only(bare: TestClient, scope: str, path: str) -> None:
    """No role lacks one of them, so a key shows that they are told apart."""
    _, headers = _key(bare, [scope])
    statuses = {p: bare.get(p, headers=headers).status_code for _, p in READS}
    assert statuses == {p: 200 if p.startswith(path) else 403 for _, p in READS}


def test_a_viewer_listens_and_does_not_publish(bare: TestClient) -> None:
    """The error frame names the scope, nobody gets an event, and the socket lives on."""
    with (
        bare.websocket_connect("/ws/agents", headers=_bearer(bare, "viewer")) as viewer,
        bare.websocket_connect("/ws/agents", headers=_bearer(bare, "user000")) as operator,
    ):
        viewer.send_json(SUBSCRIBE)
        assert viewer.receive_json()["channels"] == {"agent.7": 0}
        viewer.send_json(PUBLISH)
        assert viewer.receive_json() == {"type": "error", "id": 1, "detail": "scope agents:write is needed"}
        operator.send_json(PUBLISH)
        assert operator.receive_json()["seq"] == 1  # the refused one used up no number
        assert viewer.receive_json()["seq"] == 1


def test_a_key_without_agents_read_does_not_listen(bare: TestClient) -> None:
    """It may publish if that is what it is for."""
    _, headers = _key(bare, ["agents:write"])
    with bare.websocket_connect("/ws/agents", headers=headers) as socket:
        socket.send_json(SUBSCRIBE)
        assert socket.receive_json() == {"type": "error", "id": 2, "detail": "scope agents:read is needed"}
        socket.send_json(PUBLISH)
        assert socket.receive_json()["type"] == "published"


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": "Bearer nonsense"}, {"Authorization": "Bearer e30.e30.e30"}],
)
def test_a_wrong_token(bare: TestClient, headers: dict[str, str]) -> None:
    """Refused at both doors."""
    _refused_alike(bare, headers, "the token is not valid")


@pytest.mark.parametrize("key", ["", "nonsense", "pk_", "pk_1", "pk_99_secret", "pk_²_x", "pk_" + "9" * 30 + "_x"])
def test_a_wrong_key(bare: TestClient, key: str) -> None:
    """Refused at both doors, whether it could be one of ours or not."""
    _key(bare, ["agents:read"])
    _refused_alike(bare, {"X-API-Key": key.encode("latin-1")}, "the API key is not valid")


def test_a_key_with_the_secret_of_another(bare: TestClient) -> None:
    """The secret belongs to its id."""
    _, one = _key(bare, ["agents:read"])
    other_id, _ = _key(bare, ["agents:read"])
    secret = one["X-API-Key"].split("_", 2)[2]
    assert bare.get("/api/v1/agents/1", headers=one).status_code == 200
    _refused_alike(bare, {"X-API-Key": f"pk_{other_id}_{secret}"}, "the API key is not valid")


def test_an_expired_token_and_an_expired_key(open_portal: Callable[..., TestClient]) -> None:
    """Each is good in its last second, and not after."""
    now = [1_000_000.0]
    portal = _bare(open_portal({"access_token_s": 60}, clock=lambda: now[0]))
    token = _bearer(portal, "user000")
    _, key = _key(portal, ["agents:read"], expires_in_s=60)
    now[0] += 59
    for headers in (token, key):
        assert portal.get("/api/v1/agents/1", headers=headers).status_code == 200
    now[0] += 1
    _refused_alike(portal, token, "the token has expired")
    _refused_alike(portal, key, "the API key has expired")


def test_a_revoked_token_and_a_revoked_key(bare: TestClient) -> None:
    """From the answer that revokes them, at both doors; a key that was in use a moment before too."""
    token = _bearer(bare, "user000")
    key_id, key = _key(bare, ["agents:read"])
    for headers in (token, key):
        assert bare.get("/api/v1/agents/1", headers=headers).status_code == 200
    assert bare.post("/api/v1/auth/logout", headers=token).status_code == 204
    assert bare.delete(f"/api/v1/keys/{key_id}", headers=_bearer(bare, "admin")).status_code == 204
    _refused_alike(bare, token, "the token has been revoked")
    _refused_alike(bare, key, "the API key has been revoked")


def test_two_credentials_are_one_too_many(bare: TestClient) -> None:
    """RFC 6750, section 3.1: invalid_request, 400."""
    _, key = _key(bare, ["agents:read"])
    answer = bare.get("/api/v1/agents/1", headers=key | _bearer(bare, "user000"))
    assert answer.status_code == 400
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_request"'


def test_no_route_was_forgotten(bare: TestClient) -> None:
    """Every route but those of login and health asks for a credential, and every change asks more than a viewer has."""
    viewer = _bearer(bare, "viewer")
    routes = [
        (method, route.path_format)
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods)
    ]
    assert len(routes) > len(OPEN)
    for method, path in routes:
        if (method, path) in OPEN:
            continue
        where = re.sub(r"{\w+}", "1", path)
        assert bare.request(method, where).status_code == 401, (method, path)
        if method != "GET" and path.startswith("/api/") and not path.startswith("/api/v1/auth/"):
            assert bare.request(method, where, headers=viewer).status_code == 403, (method, path)
