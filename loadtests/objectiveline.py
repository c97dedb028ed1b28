"""The form of an objective's line, and what to write instead of one of another form."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from loadtests.series import CONNECT, DELIVER, PUBLISH, SUBSCRIBE

__all__ = ["EXPECTED", "LINE", "instead_of"]

_WORDS = r"(?:(?:omission_gap|deliver\.(?:first|median|last))\s+)?"
LINE = re.compile(rf"\s*({_WORDS}[a-z_.]+[\d.]*)\s*(<=|>=|==|<|>)\s*(\S.*?)\s*", re.IGNORECASE)
"""What is measured, how it is compared, and with what."""
EXPECTED = (
    'expected a line such as "p95 < 200ms", "errors < 0.1%", "lost == 0", "throughput > 140/s" or '
    '"omission_gap p99 < 5ms"'
)
_OF_WHAT = re.compile(rf"\s*(\S.*?)\s+({LINE.pattern})", re.IGNORECASE)
_APART = {"omission gap": "omission_gap"} | {f"deliver {w}": f"deliver.{w}" for w in ("first", "median", "last")}
"""What is one word, as some write it."""


def instead_of(text: str, parses: Callable[[str], bool]) -> str:
    """What to write instead of a text: many would name in the line what it is of.

    Args:
        text: no ``LINE``.
        parses: whether a line is an objective.

    """
    match = _OF_WHAT.fullmatch(text)
    if match is None or not parses(line := match[2].strip()):
        return EXPECTED
    words = " ".join(match[1].lower().split())
    if words in _APART:
        return f'did you mean "{_APART[words]} {line}"?'
    series = next((each for each in (CONNECT, SUBSCRIBE, PUBLISH, DELIVER) if words in (each, each[3:])), match[1])
    instead = f'what it is of stands beside it, in a scenario file: series = {json.dumps(series)} and must = ["{line}"]'
    if series == DELIVER and line[0] in "pP":
        instead += f', or "deliver.last {line}" for a message to have reached everybody'
    return instead
