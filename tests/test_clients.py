"""The swarm's aiohttp clients ask once: what a server refuses is refused, and is not tried again behind our back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from loadtests.clients import Clients
from loadtests.scenario import Target


async def _dial(session: aiohttp.ClientSession) -> None:
    await session.ws_connect("/live")


async def _get(session: aiohttp.ClientSession) -> None:
    async with session.get("/token"):
        pass


@pytest.mark.parametrize("ask", [_dial, _get])
@pytest.mark.parametrize("receive_buffer", [0, 4096])
def test_asked_once(ask: Callable[[aiohttp.ClientSession], Awaitable[None]], receive_buffer: int) -> None:
    """A server that hangs up on whoever asks has been asked once: half of its refusals would look like successes."""
    asked: list[bytes] = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async def main() -> None:
        listening = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        async with contextlib.AsyncExitStack() as stack:
            clients: Any = Clients(Target(url=url), 5.0, stack)
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await ask(await clients.of(receive_buffer))
        listening.close()

    asyncio.run(main())
    assert len(asked) == 1
