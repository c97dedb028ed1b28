"""Every error is a problem (RFC 9457)."""

import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.testclient import TestClient

from portal.app import create_app
from portal.settings import Settings


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nowhere", None, 404),
        ("GET", "/api/v1/agents/", None, 404),  # no redirects: a raw path is one route or none
        ("GET", "/ws/agents", None, 404),  # a socket is not a page
        ("DELETE", "/api/v1/agents/1", None, 405),
        ("PUT", "/api/v1/tasks", {}, 405),
        ("GET", "/api/v1/agents/abc", None, 422),
        ("GET", "/api/v1/agents/0", None, 422),
        ("GET", "/api/v1/agents/9223372036854775808", None, 422),  # no column holds it
        ("GET", "/api/v1/agents?status=asleep", None, 422),
        ("POST", "/api/v1/agents", {}, 422),
        ("POST", "/api/v1/agents", {"name": ""}, 422),
        ("POST", "/api/v1/agents", {"name": "a\nb"}, 422),
        ("POST", "/api/v1/agents", {"name": "x" * 81}, 422),
        ("POST", "/api/v1/agents", {"name": "x", "colour": "red"}, 422),
        ("PATCH", "/api/v1/agents/1", {}, 422),
        ("PATCH", "/api/v1/agents/1", {"version": 1}, 422),  # nothing to change
        ("PATCH", "/api/v1/agents/1", {"name": None}, 422),
        ("POST", "/api/v1/tasks", {"title": "x", "priority": 10}, 422),
        ("POST", "/api/v1/tasks/1/assign", {"agent_id": 2**63}, 422),
    ],
)
def test_the_status_and_shape_of_errors(portal: TestClient, method: str, path: str, body: object, status: int) -> None:
    """Each error says its status twice, in the line and in the body, and where it happened."""
    answer = portal.request(method, path, json=body)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["instance"] == path.partition("?")[0]


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/api/v1/agents/1", "GET, PATCH"),
        ("/api/v1/agents", "GET, POST"),
        ("/api/v1/tasks/1/assign", "POST"),
        ("/healthz", "GET"),
    ],
)
def test_405_names_all_methods_of_the_path(portal: TestClient, path: str, allow: str) -> None:
    """Also when several routes share it."""
    assert portal.delete(path).headers["Allow"] == allow


@pytest.mark.parametrize("text", [b'{"name":', b"\xff", b'{"name": "\\ud800"}', b"[" * 5000])
def test_a_body_that_is_no_json_is_the_clients_fault(portal: TestClient, text: bytes) -> None:
    """Broken syntax, broken UTF-8, lone surrogates and depth are 4xx, never a crash."""
    answer = portal.post("/api/v1/agents", content=text, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_validation_says_where_and_keeps_the_input_to_itself(anonymous: TestClient) -> None:
    """A password that was sent in the wrong place is not sent back."""
    answer = anonymous.post("/api/v1/auth/refresh", json={"password": "hunter2-hunter2"})
    assert answer.status_code == 422
    assert {error["at"] for error in answer.json()["errors"]} == {"body.refresh_token", "body.password"}
    assert "hunter2" not in answer.text


def test_a_body_that_is_too_long_is_413(portal: TestClient) -> None:
    """Announced by Content-Length or found while reading."""
    long = b'{"name": "' + b"x" * 70_000 + b'"}'
    announced = portal.post("/api/v1/agents", content=long, headers={"Content-Type": "application/json"})
    chunked = portal.post(
        "/api/v1/agents",
        content=iter([long[:40_000], long[40_000:]]),
        headers={"Content-Type": "application/json"},
    )
    for answer in (announced, chunked):
        assert answer.status_code == 413
        assert answer.headers["Content-Type"] == "application/problem+json"


def _crashing(error: Exception) -> TestClient:
    app = create_app(Settings(agents=1, tasks=1, accounts=1))

    @app.get("/crash")
    async def crash() -> None:
        raise error

    return TestClient(app, raise_server_exceptions=False)


def test_a_crash_is_a_500_that_tells_nothing() -> None:
    """The cause is for the log, not for the client."""
    answer = _crashing(RuntimeError("secret cause")).get("/crash")
    assert answer.status_code == 500
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "secret cause" not in answer.text


def test_a_queue_without_end_is_503() -> None:
    """When no connection comes free in time, the client is told to come again."""
    answer = _crashing(PoolTimeout("QueuePool limit")).get("/crash")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
