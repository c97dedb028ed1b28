"""On which line of a TOML text a key stands.

``tomllib`` tells no positions, and a second TOML grammar would have faults of its own. So the parser itself is asked:
the first lines of a file are TOML too, and the line looked for is the one whose arrival makes the key exist. A prefix
that ends inside an array or an inline table is closed before it is read; one that ends inside a string cannot be, and
the next shorter prefix stands for it.
"""

from __future__ import annotations

import tomllib
from bisect import bisect_left
from itertools import product
from typing import Any

__all__ = ["KeyPath", "dotted", "line_of"]

KeyPath = tuple[str | int, ...]
"""Keys and array indices from the top of a document, ``("phases", 0, "duration")``."""

_CLOSERS = ["", *("\n" + "".join(ends) for depth in (1, 2, 3, 4) for ends in product("]}", repeat=depth))]


def line_of(text: str, path: KeyPath) -> int:
    """Line, from 1, where the key at ``path`` begins; that of the nearest table around it when there is no such key.

    Args:
        text: a whole TOML document that parses.
        path: where to look; a key of a ``[[table]]`` is at its index.

    """
    lines = text.replace("\r\n", "\n").split("\n")
    _, whole = _longest_prefix(lines, len(lines))
    while path and not _holds(whole, path):
        path = path[:-1]
    if not path:
        return 1
    # A key, once there, stays: longer prefixes hold it too, so the first that does is found by halving.
    first = bisect_left(range(len(lines) + 1), True, key=lambda count: _holds(_longest_prefix(lines, count)[1], path))
    return _longest_prefix(lines, first - 1)[0] + 1


def dotted(path: KeyPath) -> str:
    """Write a path as people do: ``phases[0].duration``, with quotes round a key that is no bare word."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            bare = step.replace("-", "").replace("_", "").isalnum() and step.isascii()
            text += ("." if text else "") + (step if bare else f'"{step}"')
    return text


def _longest_prefix(lines: list[str], count: int) -> tuple[int, dict[str, Any]]:
    """The first ``count`` lines as a document, or as many of them as can be read."""
    for length in range(count, 0, -1):
        prefix = "\n".join(lines[:length])
        for closer in _CLOSERS:
            try:
                return length, tomllib.loads(prefix + closer)
            except tomllib.TOMLDecodeError:
                continue
    return 0, {}


def _holds(document: object, path: KeyPath) -> bool:
    for step in path:
        if isinstance(step, int):
            if not isinstance(document, list) or step >= len(document):
                return False
            document = document[step]
        else:
            if not isinstance(document, dict) or step not in document:
                return False
            document = document[step]
    return True
