"""What browsers and caches are told with every answer."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse

from portal.app import create_app
from portal.settings import Settings

BOARD = "https://board.example"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/api/v1/agents/1", 200),
        ("POST", "/api/v1/agents/1/heartbeat", 204),
        ("GET", "/nowhere", 404),
        ("POST", "/api/v1/agents", 422),
        ("GET", "/api/v1/keys", 403),
        ("POST", "/api/v1/auth/refresh", 422),
    ],
)
def test_every_answer_is_for_no_browser_to_interpret(portal: TestClient, method: str, path: str, status: int) -> None:
    """Errors too. Over plain HTTP there is no HSTS (RFC 6797, section 7.2)."""
    answer = portal.request(method, path)
    assert answer.status_code == status
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "Strict-Transport-Security" not in answer.headers
    assert (answer.headers.get("Cache-Control") == "no-store") == path.startswith(("/api/v1/auth/", "/api/v1/keys"))


def test_a_crash_and_a_refused_handshake_have_them_too() -> None:
    """They leave by other ways."""
    app = create_app(Settings(agents=1, tasks=1, accounts=1))

    @app.get("/crash")
    async def crash() -> None:
        raise RuntimeError

    with TestClient(app, raise_server_exceptions=False) as client:
        crashed = client.get("/crash")
        with pytest.raises(WebSocketDenialResponse) as caught, client.websocket_connect("/ws/agents"):
            pass
    for answer in (crashed, caught.value):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_over_https_it_is_to_stay_so(portal: TestClient) -> None:
    """RFC 6797, section 6.1."""
    secure = TestClient(portal.app, base_url="https://testserver")
    assert secure.get("/healthz").headers["Strict-Transport-Security"] == "max-age=31536000"


def test_the_documentation_may_load_its_scripts(portal: TestClient) -> None:
    """It is a page, and still nobody may frame it."""
    assert portal.get("/docs").headers["Content-Security-Policy"] == "frame-ancestors 'none'"


def test_other_origins_read_nothing_unless_they_are_named(
    portal: TestClient, open_portal: Callable[..., TestClient]
) -> None:
    """By default none; then the named one only, refusals included."""
    assert "Access-Control-Allow-Origin" not in portal.get("/healthz", headers={"Origin": BOARD}).headers
    named = open_portal({"cors_origins": (BOARD,)})
    for path in ("/api/v1/agents/1", "/api/v1/keys"):
        assert named.get(path, headers={"Origin": BOARD}).headers["Access-Control-Allow-Origin"] == BOARD
        other = named.get(path, headers={"Origin": "https://elsewhere.example"})
        assert "Access-Control-Allow-Origin" not in other.headers
    asks = {
        "Origin": BOARD,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "X-API-Key, If-Match, Content-Type",
    }
    preflight = named.options("/api/v1/agents/1", headers=asks)
    assert preflight.status_code == 200
    assert preflight.headers["X-Content-Type-Options"] == "nosniff"
    assert named.options("/api/v1/agents/1", headers=asks | {"Origin": "https://elsewhere.example"}).status_code == 400
