"""One connection to an external MCP server: opened by the first call, kept, and opened anew after it was lost."""

import asyncio
import logging
from collections.abc import Callable

from mcp.client import Client

from portal.mcp.failures import Broken

OPEN_S = 15.0
"""How long opening may take; a service that is a child process starts in that time."""

_log = logging.getLogger("portal")


class Connection:
    """Keeps one open client. A task of its own holds it: the SDK must close in the task in which it opened."""

    def __init__(self, name: str, make_client: Callable[[], Client]) -> None:
        self._name = name
        self._make_client = make_client
        self._opened: asyncio.Future[Client] | None = None
        self._dropped = asyncio.Event()
        self._holder: asyncio.Task[None] | None = None
        self._holders: set[asyncio.Task[None]] = set()

    async def client(self) -> Client:
        """Return the open client, and open one if there is none; those who come meanwhile wait for the same."""
        if self._opened is None:
            self._opened = asyncio.get_running_loop().create_future()
            self._opened.add_done_callback(lambda opened: opened.cancelled() or opened.exception())
            self._dropped = asyncio.Event()
            self._holder = asyncio.create_task(self._hold(self._opened, self._dropped))
            self._holders.add(self._holder)
            self._holder.add_done_callback(self._holders.discard)
        return await asyncio.shield(self._opened)

    def drop(self, client: Client | None = None) -> None:
        """Let go of the client, and if one is named only of that one; the next call opens another."""
        opened = self._opened
        if client is not None and (opened is None or not opened.done() or opened.result() is not client):
            return
        self._opened = None
        self._dropped.set()

    async def close(self) -> None:
        """Close the client, and with it a child process, and wait until it is gone. An opening is given up."""
        if self._holder is not None and self._opened is not None and not self._opened.done():
            # Said here, not in the task: cancelled before its first step it would say nothing.
            self._opened.set_exception(Broken(self._name, "the portal stops"))
            self._holder.cancel()
        self.drop()
        await asyncio.gather(*self._holders, return_exceptions=True)

    async def _hold(self, opened: "asyncio.Future[Client]", dropped: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(OPEN_S) as limit, self._make_client() as client:
                limit.reschedule(None)
                opened.set_result(client)
                await dropped.wait()
        except Exception as error:  # whatever a transport raises, alone or in groups
            reason = f"it did not open within {OPEN_S:g} s" if isinstance(error, TimeoutError) else _innermost(error)
            _log.warning("the external service %s: %s", self._name, reason)
            if not opened.done():
                opened.set_exception(Broken(self._name, reason))
        finally:
            if self._opened is opened:
                self._opened = None


def _innermost(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__
