"""A member's HTTP session under asyncio: the same calls as a Locust user's, to be awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from loadtests.asyncconnection import AsyncConnection
from loadtests.httpclient import HttpClient
from loadtests.httpreply import BadAnswerError, TruncatedError
from loadtests.httpresponse import Response

__all__ = ["AsyncSession"]


class AsyncSession(HttpClient[Coroutine[Any, Any, Response]]):
    """Sends requests, each from a task that awaits its answer; several tasks have a connection each.

    One that a member's own code cancels has failed; once the run is ``over``, it was under way at the end.

    response = await http.get("/agents", params={"page": 2})
    with await http.post("/agents", json=agent, catch_response=True) as response:
        if not response.json()["id"]:
            response.failure("it has no id")
    """

    def __init__(self, *args: Any, over: Callable[[], bool] = lambda: False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._over = over

    async def request(self, method: str, url: str, **how: Any) -> Response:
        """Send one request and wait for its answer; see :meth:`HttpCalls.request`.

        Raises:
            ValueError: when the request itself cannot be written.

        """
        asked = self.ask(method, url, how)
        connection: AsyncConnection | None = None
        try:
            while True:
                written = asked.written
                idle = written.idle
                connection = idle.pop() if idle else None
                while connection is not None and not connection.usable():
                    connection = idle.pop() if idle else None
                if connection is None:
                    connection = await self._open(asked)
                await connection.exchange(written.method, written.wire, asked.deadline_s)
                if not connection.closed:
                    idle.append(connection)
                if self.answered(asked, connection.reply, connection.ended_ns):
                    break
        except (OSError, BadAnswerError, TruncatedError) as problem:
            self.failed(asked, problem, connection.ended_ns if connection else 0)
            return asked
        except asyncio.CancelledError:
            if connection is not None:
                connection.close()
            if not self._over():
                self.cut_short(asked, OSError("cancelled by the member's own code"))
            raise
        self.concluded(asked)
        return asked

    async def _open(self, asked: Response) -> AsyncConnection:
        parts = asked.written.parts
        tls, left_s = self.tls(parts), max(0.001, asked.deadline_s - time.monotonic())
        return await AsyncConnection.open(str(parts.hostname), parts.port or (443 if tls else 80), tls, left_s)
