"""The external service: forwarded commands, and what its failures do to the portal."""

import asyncio
import shlex
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import uvicorn
from starlette.testclient import TestClient

from portal.app import create_app
from portal.mcp.lab import make_lab
from portal.seed import PASSWORD
from portal.settings import Settings, SettingsError
from tests.portal.conftest import SMALL

ROUTE = "/api/v1/integrations/commands"
HOUR_MS = "3600000"
INSTALL = "npm install -g --ignore-scripts @wonderwhy-er/desktop-commander"


def lab_pids() -> set[int]:
    """The laboratory's services that this process started."""
    return {child.pid for child in psutil.Process().children() if "portal.mcp.lab" in " ".join(child.cmdline())}


def test_a_command_is_forwarded_and_its_output_comes_back(portal: TestClient) -> None:
    """The laboratory's service answers as echo would."""
    answer = portal.post(ROUTE, json={"command": "echo hello there"})
    assert answer.status_code == 200
    result = answer.json()
    assert result.pop("took_ms") >= 0
    assert result == {"output": "hello there\n", "exit_code": 0}


def test_the_route_needs_a_token(anonymous: TestClient) -> None:
    """Nothing is forwarded for strangers."""
    assert anonymous.post(ROUTE, json={"command": "date"}).status_code == 401


@pytest.mark.parametrize("timeout_ms", [0, 10_001, "long"])
def test_a_time_out_has_bounds(portal: TestClient, timeout_ms: object) -> None:
    """A client cannot hold a place for as long as it likes."""
    answer = portal.post(ROUTE, json={"command": "date", "timeout_ms": timeout_ms})
    assert answer.status_code == 422
    assert [error["at"] for error in answer.json()["errors"]] == ["body.timeout_ms"]


def test_a_refused_command_never_leaves_the_portal(open_portal: Callable[..., TestClient]) -> None:
    """Where the service cannot even be started, what is forwarded is 502; what is refused is 403."""
    portal = open_portal({"external_command": "/does/not/exist"})
    answer = portal.post(ROUTE, json={"command": "rm -rf x"})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert portal.post(ROUTE, json={"command": "date"}).status_code == 502


def test_failures_open_the_circuit_and_a_trial_follows_the_cool_down(open_portal: Callable[..., TestClient]) -> None:
    """Two failures, then 503 with the rest of the cool-down; after it one trial, which fails and opens it again."""
    now_ns = 10**12
    portal = open_portal(
        {"external_command": "/does/not/exist", "external_failures": 2, "external_cool_down_s": 10.0},
        monotonic_ns=lambda: now_ns,
    )

    def call() -> tuple[int, str | None]:
        answer = portal.post(ROUTE, json={"command": "date"})
        assert answer.json()["status"] == answer.status_code
        return answer.status_code, answer.headers.get("Retry-After")

    assert [call() for _ in range(3)] == [(502, None), (502, None), (503, "10")]
    now_ns += 4_500_000_000
    assert call() == (503, "6")
    now_ns += 5_500_000_000
    assert [call(), call()] == [(502, None), (503, "10")]


def test_the_laboratory_fails_as_often_as_it_is_told(
    open_portal: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a hundred calls fifty fail, evenly: each second one. A tool's error is 502 and named."""
    monkeypatch.setenv("PORTAL_LAB_FAILURES_PERCENT", "50")
    portal = open_portal()
    answers = [portal.post(ROUTE, json={"command": "date"}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 502, 200, 502]
    assert "the laboratory wants this call to fail" in answers[1].json()["detail"]


def test_a_service_that_died_is_started_anew_and_ends_with_the_portal() -> None:
    """The call that meets the death is 502, the next one has another child; none is left at the end."""
    before = lab_pids()
    with TestClient(create_app(Settings(**SMALL)), raise_server_exceptions=False) as portal:
        token = portal.post("/api/v1/auth/token", data={"username": "user000", "password": PASSWORD}).json()
        portal.headers["Authorization"] = f"Bearer {token['access_token']}"
        assert lab_pids() == before  # nothing is started before the first call
        assert portal.post(ROUTE, json={"command": "date"}).status_code == 200
        (first,) = lab_pids() - before
        psutil.Process(first).kill()
        assert portal.post(ROUTE, json={"command": "date"}).status_code == 502
        assert portal.post(ROUTE, json={"command": "date"}).status_code == 200
        (second,) = lab_pids() - before
        assert second != first
    assert lab_pids() == before


def test_a_hanging_service_times_out_and_slows_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """With both places and the line taken by calls that hang, agents are read and the next call is refused at once."""
    monkeypatch.setenv("PORTAL_LAB_LATENCY_MS", HOUR_MS)
    app = create_app(Settings(**SMALL, external_calls=2, external_waiting=1))

    async def main() -> None:
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://x") as http,
        ):
            form = {"username": "user000", "password": PASSWORD}
            token = (await http.post("/api/v1/auth/token", data=form)).json()["access_token"]
            http.headers["Authorization"] = f"Bearer {token}"

            def call(timeout_ms: int) -> Any:
                return http.post(ROUTE, json={"command": "date", "timeout_ms": timeout_ms})

            late = await call(1)  # opens the connection, too
            assert late.status_code == 504
            assert late.json()["detail"] == "the external service lab did not answer within 1 ms"

            external = app.state.services.external
            hanging = [asyncio.create_task(call(10_000)) for _ in range(3)]
            while (external.bulkhead.running, external.bulkhead.waiting) != (2, 1):
                await asyncio.sleep(0)
            reads = [await http.get(f"/api/v1/agents/{agent_id}") for agent_id in range(1, 31)]
            assert [read.status_code for read in reads] == [200] * 30
            refused = await call(10_000)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
            assert (external.bulkhead.running, external.bulkhead.waiting) == (2, 1)
            assert not any(task.done() for task in hanging)
            for task in hanging:
                task.cancel()
            await asyncio.gather(*hanging, return_exceptions=True)
            assert (external.bulkhead.running, external.bulkhead.waiting) == (0, 0)
            assert external.breaker.state == "closed"  # who hangs up says nothing about the service

    asyncio.run(main())


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"external": "moon"}, "PORTAL_EXTERNAL must be one of lab, desktop-commander and is 'moon'"),
        ({"external_command": "a", "external_url": "http://b"}, "PORTAL_EXTERNAL_COMMAND and PORTAL_EXTERNAL_URL"),
        ({"external_command": "node 'index.js"}, "PORTAL_EXTERNAL_COMMAND is no command line: No closing quotation"),
        ({"external_url": "localhost:9000"}, "PORTAL_EXTERNAL_URL must begin with http:// or https://"),
    ],
)
def test_settings_that_cannot_be_obeyed_are_refused(settings: dict[str, Any], named: str) -> None:
    """One sentence says which."""
    with pytest.raises(SettingsError, match=named):
        Settings(**settings)


def test_a_service_that_runs_already_is_reached_by_its_address(open_portal: Callable[..., TestClient]) -> None:
    """The same service over streamable HTTP, on a free port."""
    app = make_lab({}).streamable_http_app()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            portal = open_portal({"external_url": f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"})
            assert portal.post(ROUTE, json={"command": "echo by HTTP"}).json()["output"] == "by HTTP\n"
            portal.__exit__(None, None, None)  # or the server would wait for its open stream
            portal.__enter__()
        finally:
            server.should_exit = True
            thread.join()


def _desktop_commander() -> str:
    """Find how Desktop Commander is started here, or skip."""
    node = shutil.which("node")
    npm = shutil.which("npm")
    if node is None or npm is None:
        pytest.skip(f"node and npm are not here; install them, then: {INSTALL}")
    root = subprocess.run([npm, "root", "-g"], capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    script = Path(root) / "@wonderwhy-er/desktop-commander/dist/index.js"
    if not script.exists():
        pytest.skip(f"Desktop Commander is not here: {INSTALL} (NPM_CONFIG_PREFIX names a folder of its own for it)")
    return shlex.join([node, str(script)])


@pytest.mark.services
def test_desktop_commander_runs_the_commands(
    open_portal: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The real one echoes, tells no exit code, and keeps its settings in a home of its own."""
    command = _desktop_commander()
    monkeypatch.setenv("HOME", str(tmp_path))
    portal = open_portal({"external": "desktop-commander", "external_command": command})
    answer = portal.post(ROUTE, json={"command": "echo hello there", "timeout_ms": 10_000})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["output"].strip(), answer.json()["exit_code"]) == ("hello there", None)
    assert "load average" in portal.post(ROUTE, json={"command": "uptime"}).json()["output"]
