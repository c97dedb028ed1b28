"""The connection to the external service: opened once, let go, opened anew."""

import asyncio
from typing import cast

import pytest
from mcp.client import Client

from portal.mcp.connection import Connection
from portal.mcp.failures import Broken


class Service:
    """Stands in for clients of the SDK and notes what becomes of them."""

    def __init__(self) -> None:
        self.opened: list[FakeClient] = []
        self.closed: list[FakeClient] = []
        self.fails = False
        self.hangs = False

    def client(self) -> Client:
        """Make a client that is not open yet."""
        return cast(Client, FakeClient(self))


class FakeClient:
    """A client that opens and closes, and does so in one task only."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __aenter__(self) -> "FakeClient":
        await asyncio.sleep(0)
        if self._service.hangs:
            await asyncio.Event().wait()
        if self._service.fails:
            raise ExceptionGroup("a group", [OSError("no such program")])
        self._task = asyncio.current_task()
        self._service.opened.append(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert asyncio.current_task() is self._task
        self._service.closed.append(self)


def test_all_share_one_client_until_it_is_dropped() -> None:
    """Three who come at once get the same; after it was dropped the next gets another; at the end both are closed."""

    async def main() -> None:
        service = Service()
        connection = Connection("lab", service.client)
        first, *others = await asyncio.gather(*(connection.client() for _ in range(3)))
        assert all(other is first for other in others)
        connection.drop(first)
        second = await connection.client()
        assert second is not first
        connection.drop(first)  # a late word about the first one leaves the second alone
        assert await connection.client() is second
        assert len(service.opened) == 2
        await connection.close()
        assert service.closed == service.opened

    asyncio.run(main())


def test_who_cannot_open_is_told_and_the_next_one_tries_again() -> None:
    """The innermost reason is named, not the group around it."""

    async def main() -> None:
        service = Service()
        service.fails = True
        connection = Connection("lab", service.client)
        with pytest.raises(Broken) as caught:
            await connection.client()
        assert caught.value.detail == "the external service lab failed: no such program"
        service.fails = False
        assert await connection.client() in service.opened
        await connection.close()

    asyncio.run(main())


def test_one_who_gives_up_waiting_takes_nothing_from_the_others() -> None:
    """The opening goes on for those who still wait."""

    async def main() -> None:
        service = Service()
        connection = Connection("lab", service.client)
        hasty = asyncio.create_task(connection.client())
        patient = asyncio.create_task(connection.client())
        await asyncio.sleep(0)
        hasty.cancel()
        assert await patient in service.opened
        assert hasty.cancelled()
        await connection.close()

    asyncio.run(main())


def test_closing_what_was_never_opened_is_nothing() -> None:
    """A portal that forwards no command starts no service."""

    async def main() -> None:
        service = Service()
        await Connection("lab", service.client).close()
        assert (service.opened, service.closed) == ([], [])

    asyncio.run(main())


def test_closing_gives_up_an_opening_that_never_ends() -> None:
    """Whoever waits for it is told, and the stop is not held up."""

    async def main() -> None:
        service = Service()
        service.hangs = True
        connection = Connection("lab", service.client)
        waiting = asyncio.create_task(connection.client())
        await asyncio.sleep(0)
        await connection.close()
        with pytest.raises(Broken, match="the portal stops"):
            await waiting

    asyncio.run(main())
