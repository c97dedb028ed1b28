"""``LoadUser``: a Locust user whose requests cost the generator a quarter to a half of what FastHttpUser's do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from gevent import Greenlet
from gevent.pool import Group
from locust import User
from locust.exception import StopTest

from loadtests.httpresponse import Response
from loadtests.httpsession import HttpSession
from loadtests.locustrequests import require_own

__all__ = ["LoadUser", "request_event"]


class LoadUser(User):
    """A Locust user with ``self.client``: ``get``, ``post`` and the others, as FastHttpUser has them.

    Answers are stamped as their last byte is read, whatever other users' code does meanwhile. A proxy is not spoken
    to; use FastHttpUser where the target is behind one, or where an answer is a stream without end.
    """

    abstract = True

    default_headers: ClassVar[Mapping[str, str] | None] = None
    """Of every request."""
    cert: ClassVar[str | tuple[str, str] | None] = None
    """The client's own certificate file, or it and its key."""
    max_redirects: ClassVar[int] = 30
    timeout_s: ClassVar[float] = 60.0
    """Of a whole request; the scenario's time-out is set here."""
    tls_verify: ClassVar[bool] = True

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        if self.host is None:
            raise StopTest("LoadUser needs a host: in the user class, in the scenario's target.url, or by --host")
        self.client = HttpSession(
            self.host,
            self._begin,
            self._report,
            timeout_s=self.timeout_s,
            headers=self.default_headers,
            verify=self.tls_verify,
            cert=self.cert,
            max_redirects=self.max_redirects,
        )

    def start(self, group: Group) -> Greenlet:
        """As Locust says; whichever way it leaves, its connections go with it."""
        greenlet = super().start(group)
        greenlet.rawlink(lambda _: self.client.close())
        return greenlet

    def _begin(self, asked: Response) -> None:
        if asked.context:
            require_own(asked.context)
        asked.context = {**self.context(), **asked.context}

    def _report(self, response: Response, error: Exception | None) -> None:
        self.environment.events.request.fire(**request_event(response, error))


def request_event(response: Response, error: Exception | None) -> dict[str, Any]:
    """What listeners of Locust's ``request`` event are told."""
    return {
        "request_type": response.method,
        "name": response.name,
        "response_time": (response.ended_ns - response.started_ns) / 1e6,
        "response_length": response.size_bytes,
        "exception": error,
        "context": dict(response.context),
        "response": response,
        "url": response.url,
    }
