"""A request that is under way, as the client without a socket and whoever has the sockets both see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult

from loadtests.httpresponse import Request, Response

__all__ = ["NO_CONTEXT", "Asked", "Written"]

NO_CONTEXT: Final[Mapping[str, Any]] = {}


class Written(NamedTuple):
    """A request as it goes over the wire."""

    request: Request
    parts: SplitResult
    """Of its URL."""
    wire: bytes
    idle: list[Any]
    """The session's connections to that origin which carry nothing."""


class Asked:
    """One request, from its beginning until its outcome is certain; of a chain of redirects, the one that is on.

    Attributes:
        written: what is to be sent now.
        intended_ns: CLOCK_MONOTONIC of when it was meant to begin.
        started_ns: of when it did.
        deadline_s: until when of ``time.monotonic`` the last reply is awaited.
        context: for listeners of Locust's request event.

    """

    __slots__ = (
        "caught",
        "context",
        "deadline_s",
        "follows",
        "intended_ns",
        "method",
        "name",
        "past",
        "started_ns",
        "written",
    )

    def __init__(
        self,
        method: str,
        name: str,
        written: Written,
        started_ns: int,
        deadline_s: float,
        context: Mapping[str, Any] = NO_CONTEXT,
    ) -> None:
        self.method, self.name, self.written, self.context = method, name, written, context
        self.intended_ns = self.started_ns = started_ns
        self.deadline_s = deadline_s
        self.past: list[Response] | None = None
        self.follows, self.caught = True, False
