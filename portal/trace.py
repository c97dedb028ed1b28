"""By what name a request goes: its own id, and its place in a trace (W3C Trace Context, version 00)."""

import re
import secrets
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_TRACEPARENT = re.compile(
    rb"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-(?P<flags>[0-9a-f]{2})"
    rb"(?P<more>-.*)?"
)
_SAMPLED = 1  # the only flag known to version 00; the others are not passed on


@dataclass(frozen=True, slots=True)
class Trace:
    """The names of one request."""

    request_id: str
    trace_id: str
    span_id: str
    flags: int

    @property
    def traceparent(self) -> str:
        """The header that names this span as the parent of what follows."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


current: ContextVar[Trace | None] = ContextVar("trace", default=None)
"""The names of the request that is being served, None outside of one."""


def read_trace(headers: Iterable[tuple[bytes, bytes]], new_id: Callable[[int], str] = secrets.token_hex) -> Trace:
    """Take the names a request brings where they are well-formed, and make the rest.

    A malformed or repeated `traceparent` starts a new trace; a malformed or repeated `X-Request-ID` is replaced.
    `new_id` makes that many random bytes in hexadecimal.
    """
    parents: list[bytes] = []
    request_ids: list[bytes] = []
    for name, value in headers:
        if name == b"traceparent":
            parents.append(value)
        elif name == b"x-request-id":
            request_ids.append(value)
    request_id = (
        request_ids[0].decode() if len(request_ids) == 1 and _REQUEST_ID.fullmatch(request_ids[0]) else new_id(16)
    )
    parent = _TRACEPARENT.fullmatch(parents[0]) if len(parents) == 1 else None
    if parent is None or (parent["version"] == b"00" and parent["more"]):
        return Trace(request_id, new_id(16), new_id(8), 0)
    return Trace(request_id, parent["trace"].decode(), new_id(8), int(parent["flags"], 16) & _SAMPLED)
