"""A member's HTTP session under asyncio: the same calls as a Locust user's, to be awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from loadtests.asyncconnection import AsyncConnection
from loadtests.httpclient import Conversation, Exchange, HttpClient
from loadtests.httpreply import BadAnswerError, Reply, TruncatedError
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
        """Send one request and wait for its answer; ``how`` is that of :meth:`HttpClient.converse`.

        Raises:
            ValueError: when the request itself cannot be written.

        """
        conversation = self.converse(method, url, **how)
        try:
            exchange = next(conversation)
            while True:
                try:
                    answer = await self._exchange(exchange)
                except (OSError, BadAnswerError, TruncatedError) as problem:
                    exchange = conversation.throw(problem)
                except asyncio.CancelledError:
                    if not self._over():
                        _cancelled(conversation)
                    raise
                else:
                    exchange = conversation.send(answer)
        except StopIteration as ended:
            response: Response = ended.value
            return response

    async def _exchange(self, exchange: Exchange) -> tuple[Reply, int]:
        """The reply to one request, and when it had come; no redirect is followed."""
        method, parts, written, deadline_s = exchange
        origin = parts.scheme, parts.netloc
        idle = self._idle.get(origin)
        if idle is None:
            idle = self._idle[origin] = []
        while idle and not idle[-1].usable():
            idle.pop()
        if idle:
            connection: AsyncConnection = idle.pop()
        else:
            tls, left_s = self.tls(parts), max(0.001, deadline_s - time.monotonic())
            port = parts.port or (443 if tls else 80)
            connection = await AsyncConnection.open(str(parts.hostname), port, tls, left_s)
        reply = await connection.exchange(method, written, deadline_s)
        if not connection.closed:
            idle.append(connection)
        return reply, connection.ended_ns


def _cancelled(conversation: Conversation) -> None:
    """It has failed, also where a with-block was to say what it was."""
    try:
        conversation.throw(OSError("cancelled by the member's own code"))
    except StopIteration as ended:
        response: Response = ended.value
        response.conclude(response.error)
