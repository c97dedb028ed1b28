"""A user's HTTP session under Locust: the calls that authors of Locust files know, on connections of its own."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import SplitResult

from locust.exception import CatchResponseError, LocustError, ResponseError

from loadtests.httpclient import Exchange, HttpClient
from loadtests.httpconnection import Connection
from loadtests.httpreply import BadAnswerError, Reply, TruncatedError
from loadtests.httpresponse import Response

__all__ = ["HttpSession"]


class LocustResponse(Response):
    """With Locust's own exceptions."""

    misused = LocustError
    refused = CatchResponseError
    refusals = (ResponseError,)


class HttpSession(HttpClient[Response]):
    """Sends requests, each from a greenlet that waits for its answer."""

    response_class = LocustResponse

    def request(self, method: str, url: str, **how: Any) -> Response:
        """Send one request and wait for its answer; ``how`` is that of :meth:`HttpClient.converse`.

        Raises:
            ValueError: when the request itself cannot be written.

        """
        conversation = self.converse(method, url, **how)
        try:
            exchange = next(conversation)
            while True:
                try:
                    answer = self._exchange(exchange)
                except (OSError, BadAnswerError, TruncatedError) as problem:
                    exchange = conversation.throw(problem)
                else:
                    exchange = conversation.send(answer)
        except StopIteration as ended:
            response: Response = ended.value
            return response

    def _exchange(self, exchange: Exchange) -> tuple[Reply, int]:
        """The reply to one request, and when it had come; no redirect is followed."""
        method, parts, written, deadline_s = exchange
        idle = self._idle.setdefault((parts.scheme, parts.netloc), [])
        while idle and not idle[-1].usable():
            idle.pop()
        connection: Connection = idle.pop() if idle else self._connect(parts, deadline_s)
        reply = connection.exchange(method, written, max(0.0, deadline_s - time.monotonic()))
        if not connection.closed:
            idle.append(connection)
        return reply, connection.ended_ns

    def _connect(self, parts: SplitResult, deadline_s: float) -> Connection:
        tls = self.tls(parts)
        port = parts.port or (443 if tls else 80)
        return Connection((str(parts.hostname), port), tls, max(0.001, deadline_s - time.monotonic()))
