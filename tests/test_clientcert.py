"""A target that asks for the client's certificate: members show theirs, over HTTP and for their WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from websockets.asyncio.server import serve

from loadtests.asyncrequests import AsyncRequests
from loadtests.clients import Clients
from loadtests.httpmember import HttpMember
from loadtests.job import Job
from loadtests.member import Member
from loadtests.recorder import Recorder
from loadtests.scenario import Scenario
from loadtests.websocket import connect


@pytest.fixture
def papers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``client.pem`` and what the server needs, all of one authority, which is trusted."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    for name, whose in (("server", "127.0.0.1"), ("client", "somebody@example.org")):
        authority.issue_cert(whose).private_key_and_cert_chain_pem.write_to_path(str(tmp_path / f"{name}.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    return tmp_path


def on_a_server(papers: Path, ask: Callable[[Scenario], Awaitable[None]]) -> list[str]:
    """Ask a server, over HTTP or WebSocket, that takes certificates of the authority alone; whose it saw."""
    seen: list[str] = []

    async def main() -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(papers / "authority.pem"))
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(papers / "server.pem")

        async def stay(connection: Any) -> None:
            await connection.wait_closed()

        def answer(connection: Any, request: Any) -> Any:
            told = connection.transport.get_extra_info("peercert")
            seen.extend(value for kind, value in told["subjectAltName"])
            return None if "Upgrade" in request.headers else connection.respond(200, "ok")

        async with serve(stay, "127.0.0.1", 0, ssl=context, process_request=answer) as listening:
            url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
            phases = [{"kind": "steady", "duration": "1s"}]
            await ask(Scenario.model_validate({"name": "x", "target": {"url": url}, "phases": phases}))

    asyncio.run(main())
    return seen


@pytest.mark.parametrize("kind", [HttpMember, Member])
@pytest.mark.parametrize("shown", [True, False])
def test_over_http(papers: Path, kind: type[HttpMember | Member], shown: bool) -> None:
    """With its certificate a member is answered; without one it fails, and is recorded once.

    In TLS 1.3 the client's handshake is over before the server says no, by an alert and a FIN: whichever is seen first.
    """
    recorder = Recorder(time.monotonic_ns())

    class Ours(kind):  # type: ignore[misc, valid-type]
        cert = str(papers / "client.pem") if shown else None

    async def ask(scenario: Scenario) -> None:
        requests = AsyncRequests(Job(scenario, "r", "local", "s", 0, 1, papers), recorder)
        session = requests.session(Ours(0, {}, {}, {}))
        await session.get("/page")
        session.close()

    seen = on_a_server(papers, ask)
    (row,) = recorder.fold()
    assert (row.series, row.count, row.ok) == ("GET /page", 1, int(shown))
    assert seen == (["somebody@example.org"] if shown else [])
    assert row.errors in ([{}] if shown else [{"tls": 1}, {"connection closed": 1}])


@pytest.mark.parametrize("shown", [True, False])
def test_its_websocket(papers: Path, shown: bool) -> None:
    """Likewise; and one who shows none does not borrow another's connection."""
    cert = str(papers / "client.pem")

    async def ask(scenario: Scenario) -> None:
        async with contextlib.AsyncExitStack() as stack:
            clients = Clients(scenario.target, 5.0, stack)
            both = await clients.of(0, cert), await clients.of(0)
            assert both[0] is not both[1]
            assert await clients.of(0, cert) is both[0]
            dialled = connect(both[0] if shown else both[1], "/live", lambda messages, now_ns: None)
            if shown:
                await (await dialled).close()
            else:
                with pytest.raises((OSError, aiohttp.ClientError)):
                    await dialled

    assert on_a_server(papers, ask) == (["somebody@example.org"] if shown else [])
