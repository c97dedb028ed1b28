"""What a server says of its own time: the ``Server-Timing`` header (W3C Server Timing, section 2)."""

from __future__ import annotations

import re

__all__ = ["MOST_PARTS", "parse_server_timing"]

MOST_PARTS = 12
"""Parts that are kept of one header; a name with an identifier in it would otherwise make one per request."""

_TEXT = re.compile(r'"(?![\d.]+")[^"\\]*(?:\\.[^"\\]*)*"')  # quoted, but for numbers
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}")
_MILLISECONDS = re.compile(r"\d{1,9}(?:\.\d+)?")


def parse_server_timing(header: str) -> dict[str, int]:
    """Microseconds of each part that has a duration; a part that is named twice adds up.

    ``auth;dur=0.3, db;dur=1.25;desc="3 statements"`` is 300 and 1,250. What is malformed is left out and nothing is
    raised, since the header is the target's.
    """
    if '"' in header:
        header = _TEXT.sub("", header)
    parts: dict[str, int] = {}
    for part in header.split(",", 4 * MOST_PARTS)[: 4 * MOST_PARTS]:
        name, *parameters = part.split(";", 8)
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip().lower() == "dur":
                name, value = name.strip(), value.strip().strip('"')
                known = name in parts or (len(parts) < MOST_PARTS and _NAME.fullmatch(name))
                if known and _MILLISECONDS.fullmatch(value):
                    parts[name] = parts.get(name, 0) + round(float(value) * 1000)
                break
    return parts
