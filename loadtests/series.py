"""Names of series: route templates, never raw URLs, so that their number stays small; and the words that are ours.

Requests are named by their route (``GET /agents/{id}``). Three families are not requests, and start with a word of
their own: what the swarm does (``ws deliver``), arrivals that never became a request (``arrival Reader``), and user
code that raised (``task Reader``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = [
    "CONNECT",
    "CONNECTED",
    "CONNECTION",
    "DELIVER",
    "DUPLICATED",
    "FIRST",
    "LAST",
    "LATE",
    "MEANWHILE",
    "MEDIAN",
    "MISSED",
    "PING",
    "PUBLICATIONS",
    "PUBLISH",
    "RECOVER",
    "REORDERED",
    "RESTORE",
    "ROUND_TRIP",
    "SUBSCRIBE",
    "TALLIES",
    "TCP",
    "TLS",
    "UPGRADE",
    "is_derived",
    "is_raised",
    "is_request",
    "is_stray",
    "is_swarm",
    "on_plan",
    "raised_in",
    "series_name",
    "stray_of",
]

CONNECT, SUBSCRIBE, PUBLISH, DELIVER = "ws connect", "ws subscribe", "ws publish", "ws deliver"
ROUND_TRIP = "ws round trip"
"""From an act over HTTP to the event that tells of it."""
CONNECTION = "ws connection"
"""Connections that were lost."""
TCP, TLS, UPGRADE = "ws tcp", "ws tls", "ws upgrade"
"""The stages of ``ws connect``."""
PING = "ws ping"
"""From a heartbeat's ping to its pong."""
RESTORE = "ws restore"
"""From the loss of a connection until it was subscribed again."""
MEANWHILE = "ws deliver meanwhile"
"""Deliveries to subscribers that were spared, during a storm or while others did not read."""
CONNECTED = "ws connected"
"""Seconds for which a connection was to be up; in the failed ones it was down."""
DUPLICATED, REORDERED, LATE = "ws duplicated", "ws reordered", "ws late"
"""Whatever came to a subscriber, by the second in which it came; the failed ones were that."""
MISSED = "ws missed"
"""What was published while its subscriber's connection was lost, by the second of sending; what failed never came."""
TALLIES = frozenset({CONNECTED, DUPLICATED, REORDERED, LATE, MISSED})
"""Counts of which nothing has a time."""
FIRST, MEDIAN, LAST = "ws deliver first", "ws deliver median", "ws deliver last"
"""When the first, the middle and the last subscriber of a message had it: a sample a message."""
RECOVER = "ws recover"
"""Deliveries that a server had kept for a subscriber: timed where its connection had been lost meanwhile."""
PUBLICATIONS = (PUBLISH, ROUND_TRIP)
"""What members do on a plan of their own."""

_DERIVED = TALLIES | {FIRST, MEDIAN, LAST, RECOVER, TCP, TLS, UPGRADE, PING, RESTORE, MEANWHILE}
_SWARM, _STRAY, _RAISED = "ws ", "arrival ", "task "

_IDENTIFIER = re.compile(
    r"\d+|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?=[^/]*\d)[0-9A-Za-z_-]{16,}", re.IGNORECASE
)
_ORIGIN = re.compile(r"^[a-z]+://[^/]*", re.IGNORECASE)


def series_name(method: str, name: str) -> str:
    """``GET /agents/{id}`` of ``GET`` and ``http://host/agents/17?full=1``.

    A name without a leading slash or origin was chosen by a person and stays as it is; of a path, the query goes and
    segments that look like identifiers (numbers, UUIDs, long tokens with digits) become ``{id}``. A method that is a
    word of ours is written in capitals: an author's own client that calls its requests "ws" has no part in the swarm.
    """
    path = _ORIGIN.sub("", name) or "/"
    if path.startswith("/"):
        path = path.split("?", 1)[0].split("#", 1)[0]
        path = "/".join("{id}" if _IDENTIFIER.fullmatch(segment) else segment for segment in path.split("/"))
    series = f"{method} {path}" if method else path
    if is_request(series):
        return series
    word, rest = series.split(" ", 1)
    return f"{word.upper()} {rest}"


def stray_of(user_class: str) -> str:
    """The series of arrivals meant for a user class that never became a request."""
    return _STRAY + user_class


def raised_in(user_class: str) -> str:
    """The series of exceptions that a user class raised."""
    return _RAISED + user_class


def is_swarm(series: str) -> bool:
    """Whether a series is of the WebSocket swarm."""
    return series.startswith(_SWARM)


def is_derived(series: str) -> bool:
    """Whether a series tells once more, in another way, what others count: it is bound by its own name alone."""
    return series in _DERIVED


def is_stray(series: str) -> bool:
    """Whether a series is of arrivals that never became a request, so that nobody knows which it would have been."""
    return series.startswith(_STRAY)


def is_raised(series: str) -> bool:
    """Whether a series is of user code that raised."""
    return series.startswith(_RAISED)


def is_request(series: str) -> bool:
    """Whether a series is of requests."""
    return not series.startswith((_SWARM, _STRAY, _RAISED))


def on_plan(names: Iterable[str]) -> list[str]:
    """Those whose starts a plan prescribes: requests, arrivals that never became one, and publications."""
    return [name for name in names if is_request(name) or is_stray(name) or name in PUBLICATIONS]
