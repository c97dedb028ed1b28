"""The laboratory switch PORTAL_SLOW."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from portal.app import create_app
from portal.settings import Settings, SettingsError
from portal.slow import Delay, SlowError, parse_delays


@pytest.mark.parametrize(
    ("text", "delays"),
    [
        ("", ()),
        (" ; ", ()),
        ("GET /healthz=250ms", (Delay("GET", "/healthz", 0.25),)),
        ("GET /healthz = 1.5 s", (Delay("GET", "/healthz", 1.5),)),
        (
            "GET /api/v1/agents/{agent_id}=5ms; POST /api/v1/tasks=2s;",
            (Delay("GET", "/api/v1/agents/{agent_id}", 0.005), Delay("POST", "/api/v1/tasks", 2.0)),
        ),
    ],
)
def test_how_delays_are_written(text: str, delays: tuple[Delay, ...]) -> None:
    """A method, a template, a duration with its unit."""
    assert parse_delays(text) == delays


@pytest.mark.parametrize(
    "text",
    [
        "GET /healthz",
        "GET /healthz=250",
        "GET /healthz=-1ms",
        "/healthz=1ms",
        "get /healthz=1ms",
        "GET healthz=1ms",
        "GET /healthz=1ms;GET /healthz=2ms",
        "GET /healthz=1msx",
        "GET /healthz=infs",
    ],
)
def test_what_is_no_delay(text: str) -> None:
    """Anything else is refused before the portal starts."""
    with pytest.raises(SlowError):
        parse_delays(text)


def test_only_the_named_routes_are_delayed(open_portal: Callable[..., TestClient]) -> None:
    """By the template that matched, whatever the raw path and the answer; the clock is a list."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    delays = parse_delays("GET /api/v1/agents/{agent_id}=250ms; POST /api/v1/tasks=1s")
    portal = open_portal({"delays": delays}, sleep=sleep)
    assert slept == []  # the login was not delayed
    for path in ("/api/v1/agents", "/api/v1/tasks/1", "/healthz", "/nowhere"):
        portal.get(path)
    portal.patch("/api/v1/agents/1", json={"name": "x"})
    portal.post("/api/v1/agents/1/heartbeat")
    portal.delete("/api/v1/agents/1")
    assert slept == []
    assert portal.get("/api/v1/agents/1").status_code == 200
    assert portal.get("/api/v1/agents/29").status_code == 200
    assert portal.get("/api/v1/agents/999").status_code == 404
    assert slept == [0.25, 0.25, 0.25]
    assert portal.post("/api/v1/tasks", json={"title": "x"}).status_code == 201
    assert slept == [0.25, 0.25, 0.25, 1.0]


def test_without_the_switch_nothing_stands_in_the_way(portal: TestClient) -> None:
    """Off means absent, not idle."""
    assert not any(middleware.cls.__name__ == "Slow" for middleware in portal.app.user_middleware)  # type: ignore[attr-defined]


def test_a_route_that_does_not_exist_is_refused_with_the_nearest() -> None:
    """A typing error would otherwise test nothing."""
    with pytest.raises(SettingsError, match=r"nearest is 'GET /api/v1/agents/\{agent_id\}'"):
        create_app(Settings(delays=parse_delays("GET /api/v1/agents/{id}=1ms")))


def test_it_is_refused_where_the_address_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another server may bind the application to anything."""
    monkeypatch.setenv("PORTAL_SLOW", "GET /healthz=1ms")
    with pytest.raises(SettingsError, match="unknown address"):
        create_app()


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 (refused is the point)
        ("::", False),
        ("192.168.1.5", False),
        ("portal.example", False),
    ],
)
def test_it_is_refused_unless_bound_to_loopback(host: str, allowed: bool) -> None:
    """Nobody slows a portal that others use."""
    environ = {"PORTAL_SLOW": "GET /healthz=1ms"}
    if allowed:
        assert Settings.from_environment(environ, host=host).delays
    else:
        with pytest.raises(SettingsError, match="loopback"):
            Settings.from_environment(environ, host=host)
    assert Settings.from_environment({}, host=host).delays == ()
