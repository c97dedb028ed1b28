"""A portal to talk to, made small where a test changes much."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from portal.app import create_app
from portal.local.redis import binary, redis
from portal.seed import PASSWORD
from portal.settings import Settings

SMALL = {"agents": 30, "tasks": 60, "accounts": 2}


def _sign_in(client: TestClient, username: str = "user000") -> None:
    answer = client.post("/api/v1/auth/token", data={"username": username, "password": PASSWORD})
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


@pytest.fixture(scope="session")
def portal() -> Iterator[TestClient]:
    """The portal as it ships, signed in; shared, so a test must not count on rows others may change."""
    with TestClient(create_app(Settings()), raise_server_exceptions=False) as client:
        _sign_in(client)
        yield client


@pytest.fixture
def anonymous(portal: TestClient) -> TestClient:
    """The same portal without a token."""
    return TestClient(portal.app, raise_server_exceptions=False)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis for this process's tests; each names channels of its own."""
    if binary() is None:
        pytest.skip("no Redis: python -m portal.local.install installs it")
    with redis() as url:
        yield url


@pytest.fixture
def open_portal() -> Iterator[Callable[..., TestClient]]:
    """Open small portals with settings and clocks of the test's own, signed in."""
    opened: list[TestClient] = []

    def open_one(settings: dict[str, Any] | None = None, username: str = "user000", **parts: Any) -> TestClient:
        client = TestClient(create_app(Settings(**(SMALL | (settings or {}))), **parts), raise_server_exceptions=False)
        opened.append(client)
        client.__enter__()
        _sign_in(client, username)
        return client

    yield open_one
    for client in opened:
        client.__exit__(None, None, None)
