"""A user's HTTP session under Locust: the calls that authors of Locust files know, on connections of its own."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import SplitResult

import gevent
from locust.exception import CatchResponseError, LocustError, ResponseError

from loadtests.httpclient import HttpClient
from loadtests.httpconnection import Connection
from loadtests.httpreply import BadAnswerError, TruncatedError
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
        """Send one request and wait for its answer; see :meth:`HttpCalls.request`.

        What ends its wait from outside ends the request: Locust that takes the user away gives it up, anything else is
        the user's own code.

        Raises:
            ValueError: when the request itself cannot be written.

        """
        asked = self.ask(method, url, how)
        connection: Connection | None = None
        try:
            while True:
                written = asked.written
                idle = written.idle
                connection = idle.pop() if idle else None
                while connection is not None and not connection.usable():
                    connection = idle.pop() if idle else None
                if connection is None:
                    connection = self._connect(written.parts, asked.deadline_s)
                connection.exchange(written.method, written.wire, asked.deadline_s)
                if self.closed:
                    connection.close()
                elif not connection.closed:
                    idle.append(connection)
                if self.answered(asked, connection.reply, connection.ended_ns):
                    break
        except (OSError, BadAnswerError, TruncatedError) as problem:
            self.failed(asked, problem, connection.ended_ns if connection else 0)
            return asked
        except gevent.GreenletExit:
            self.cut_short(asked, TimeoutError("given up: its user was taken away"))
            raise
        except BaseException:
            self.cut_short(asked, OSError("cancelled by the user's own code"))
            raise
        self.concluded(asked)
        return asked

    def _connect(self, parts: SplitResult, deadline_s: float) -> Connection:
        tls = self.tls(parts)
        port = parts.port or (443 if tls else 80)
        return Connection((str(parts.hostname), port), tls, max(0.001, deadline_s - time.monotonic()))
