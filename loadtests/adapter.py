"""How a message of somebody else's protocol tells its number: a small reading of its own for each kind of frame.

json:seq=FIELD[,sent_ns=FIELD][,channel=FIELD][,publisher=FIELD]   fields of a JSON object; a.b is b within a
bytes:seq=AT[,sent_ns=AT][,channel=AT][,publisher=AT]              numbers at an offset: 8 or 8:u64 (big-endian), 8:u32,
                                                                   16:u64le
python:MODULE:FUNCTION                                             a function from the message to a Broadcast, or None
"""

from __future__ import annotations

import functools
import importlib
import re
import struct
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from loadtests.errors import UsageError
from loadtests.member import Broadcast

__all__ = ["Adapter", "parse_adapter"]

Adapter = Callable[[str | bytes], Broadcast | None]
"""From a message to what it says of itself; None when it is no broadcast."""

_FIELDS = ("seq", "sent_ns", "channel", "publisher")
_MORE = "".join(f"[,{name}=...]" for name in _FIELDS[1:])
_AT = re.compile(r"(\d+)(?::(u(?:8|16|32|64))(le)?)?")
_WIDTHS = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q"}


@functools.cache
def parse_adapter(text: str) -> Adapter:
    """Read one line of the three forms above; all members that go by the same line share what comes of it.

    Raises:
        UsageError: when it is none of them.

    """
    kind, _, rest = text.partition(":")
    if kind == "python":
        return _function(text, rest)
    if kind not in ("json", "bytes"):
        raise UsageError(f'--adapter "{text}": expected json:..., bytes:... or python:MODULE:FUNCTION')
    places = {name: place for name, _, place in (part.partition("=") for part in rest.split(","))}
    if not places.get("seq") or not all(places.values()) or not places.keys() <= set(_FIELDS):
        raise UsageError(f'--adapter "{text}": expected {kind}:seq=...{_MORE}')
    return _of_json(places) if kind == "json" else _of_bytes(text, places)


def _function(text: str, rest: str) -> Adapter:
    module, _, name = rest.partition(":")
    try:
        found: Adapter = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f'--adapter "{text}": {error}; expected python:MODULE:FUNCTION that can be imported') from None
    return found


def _of_json(places: Mapping[str, str]) -> Adapter:
    paths = {name: place.split(".") for name, place in places.items()}
    plain = all(len(path) == 1 for path in paths.values())
    seq, sent, channel, publisher = (places.get(name, "") for name in _FIELDS)

    def flat(message: str | bytes) -> Broadcast | None:
        row = orjson.loads(message)
        if type(row) is not dict or (number := row.get(seq)) is None:
            return None
        return Broadcast(_name(row.get(channel)), int(number), _whole(row.get(sent)), _name(row.get(publisher)))

    def deep(message: str | bytes) -> Broadcast | None:
        row = orjson.loads(message)
        found = {name: _within(row, path) for name, path in paths.items()}
        if found["seq"] is None:
            return None
        channel, publisher = (_name(found.get(name)) for name in ("channel", "publisher"))
        return Broadcast(channel, int(found["seq"]), _whole(found.get("sent_ns")), publisher)

    return flat if plain else deep


def _name(value: Any) -> str:
    return "" if value is None else str(value)


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _within(row: Any, path: list[str]) -> Any:
    for name in path:
        row = row.get(name) if isinstance(row, dict) else None
    return row


def _of_bytes(text: str, places: Mapping[str, str]) -> Adapter:
    readers: dict[str, tuple[struct.Struct, int]] = {}
    for name, place in places.items():
        if (match := _AT.fullmatch(place)) is None:
            raise UsageError(
                f'--adapter "{text}": {name}={place} is no place; expected an offset, such as 8 or 8:u32le'
            )
        readers[name] = (struct.Struct(("<" if match[3] else ">") + _WIDTHS[match[2] or "u64"]), int(match[1]))
    least = max(at + reader.size for reader, at in readers.values())

    def read(message: str | bytes) -> Broadcast | None:
        if isinstance(message, str) or len(message) < least:
            return None
        found = {name: reader.unpack_from(message, at)[0] for name, (reader, at) in readers.items()}
        channel, publisher = (_name(found.get(name)) for name in ("channel", "publisher"))
        return Broadcast(channel, found["seq"], found.get("sent_ns"), publisher)

    return read
