"""A request that is under way, as the client without a socket and whoever has the sockets both see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult

__all__ = ["NO_CONTEXT", "Asked", "Request", "Written"]

NO_CONTEXT: Final[Mapping[str, Any]] = {}


class Request(NamedTuple):
    """What was sent."""

    method: str
    url: str
    own: Mapping[str, str]
    """Headers of this request alone."""
    body: bytes | None
    usual: Mapping[str, str]
    """Headers of every request of the session; the request's own win over them."""

    @property
    def headers(self) -> dict[str, str]:
        """All of them but those of the connection and the body."""
        given = {name.lower() for name in self.own}
        return {name: value for name, value in self.usual.items() if name.lower() not in given} | dict(self.own)


@dataclass(slots=True)
class Written:
    """A request as it goes over the wire."""

    request: Request
    parts: SplitResult
    """Of its URL."""
    wire: bytes
    idle: list[Any]
    """The session's connections to that origin which carry nothing."""
    method: str = field(init=False)

    def __post_init__(self) -> None:
        self.method = self.request.method


class Asked:
    """One request, from its beginning until its outcome is certain; of a chain of redirects, the one that is on.

    Whoever begins it sets what has no value here, and whoever ends it the rest: an ``__init__`` in Python would cost
    as much again as all of it.
    """

    method: str
    name: str
    """What it goes by."""
    written: Written
    """What is to be sent now."""
    intended_ns: int
    """CLOCK_MONOTONIC of when it was meant to begin."""
    started_ns: int
    """Of when it did."""
    deadline_s: float
    """Until when of ``time.monotonic`` the last reply is awaited."""
    number: int
    """Its own among those of its process, where it has one."""
    context: Mapping[str, Any] = NO_CONTEXT
    """For listeners of Locust's request event."""
    follows = True
    """Whether redirects are followed."""
    ended_ns: int
    """Of the last byte, or of the failure."""
    status_code = 0
    """Of the answer; 0 where there is none."""
    size_bytes = 0
    """Of the body, as it came over the wire."""

    @classmethod
    def seen(cls, method: str, name: str, times_ns: tuple[int, int, int], size_bytes: int, status: int | None) -> Asked:
        """One of another client's that has ended: when it was meant to begin, when it did, and when it ended."""
        asked = cls()
        asked.method, asked.name = method, name
        asked.intended_ns, asked.started_ns, asked.ended_ns = times_ns
        asked.size_bytes, asked.status_code = size_bytes, status or 0
        return asked
