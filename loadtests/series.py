"""Names of series: route templates, never raw URLs, so that their number stays small."""

from __future__ import annotations

import re

__all__ = ["series_name"]

_IDENTIFIER = re.compile(
    r"\d+|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?=[^/]*\d)[0-9A-Za-z_-]{16,}", re.IGNORECASE
)
_ORIGIN = re.compile(r"^[a-z]+://[^/]*", re.IGNORECASE)


def series_name(method: str, name: str) -> str:
    """``GET /agents/{id}`` of ``GET`` and ``http://host/agents/17?full=1``.

    A name without a leading slash or origin was chosen by a person and stays as it is; of a path, the query goes and
    segments that look like identifiers (numbers, UUIDs, long tokens with digits) become ``{id}``.
    """
    path = _ORIGIN.sub("", name) or "/"
    if path.startswith("/"):
        path = path.split("?", 1)[0].split("#", 1)[0]
        path = "/".join("{id}" if _IDENTIFIER.fullmatch(segment) else segment for segment in path.split("/"))
    return f"{method} {path}" if method else path
