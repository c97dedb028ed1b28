"""How a message of somebody else's protocol tells its number: a small reading of its own for each kind of frame.

json:seq=FIELD[,NAME=FIELD]...     fields of a JSON object, or of each in an array; a.b is b within a
bytes:seq=AT[,NAME=AT]...          numbers at an offset: 8 or 8:u64 (big-endian), 8:u32, 16:u64le
python:MODULE:FUNCTION             a function from the frame to a Broadcast, a list of them, or None

where NAME is one of sent_ns, intended_ns, channel, publisher and run.
"""

from __future__ import annotations

import functools
import importlib
import re
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from loadtests.errors import UsageError
from loadtests.member import Broadcast

__all__ = ["Adapter", "parse_adapter"]

Found = Broadcast | list[Broadcast] | None
Adapter = Callable[[str | bytes], Found]
"""From a frame to what its message says of itself, or each of its messages; None when it is no broadcast."""

_FIELDS = ("seq", "sent_ns", "intended_ns", "channel", "publisher", "run")
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
    parts = [part.partition("=") for part in rest.split(",")]
    places = {name: place for name, _, place in parts}
    if len(places) < len(parts):
        raise UsageError(f'--adapter "{text}": a field is named twice')
    if not places.get("seq") or not all(places.values()) or not places.keys() <= set(_FIELDS):
        raise UsageError(f'--adapter "{text}": expected {kind}:seq=...{_MORE}')
    return _of_json(places) if kind == "json" else _of_bytes(text, places)


def _function(text: str, rest: str) -> Adapter:
    module, _, name = rest.partition(":")
    try:
        found: Adapter = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f'--adapter "{text}": {error}; expected python:MODULE:FUNCTION that can be imported') from None
    if not callable(found):
        raise UsageError(f'--adapter "{text}": {name} of {module} is no function')
    return found


def _of_json(places: Mapping[str, str]) -> Adapter:
    paths = {name: place.split(".") for name, place in places.items()}
    plain = all(len(path) == 1 for path in paths.values())
    fields = [places.get(name, "") for name in _FIELDS]

    def flat(row: Any) -> Broadcast | None:
        return _broadcast(map(row.get, fields)) if type(row) is dict else None

    def deep(row: Any) -> Broadcast | None:
        return _broadcast(_within(row, paths[name]) if name in paths else None for name in _FIELDS)

    one = flat if plain else deep

    def read(frame: str | bytes) -> Found:
        row = orjson.loads(frame)
        if type(row) is not list:
            return one(row)
        return [found for found in map(one, row) if found] or None

    return read


def _broadcast(found: Iterable[Any]) -> Broadcast | None:
    """From the values of the fields, None for one that is not there; each run of a publisher has its own numbers."""
    seq, sent, intended, channel, publisher, run = found
    if seq is None:
        return None
    whose = _name(publisher) if run is None else f"{run}/{_name(publisher)}"
    number = int(seq)
    if type(seq) is bool or (type(seq) is float and seq != number):
        raise ValueError(f"{seq!r} is no whole number")
    return Broadcast(_name(channel), number, _whole(sent), whose, _whole(intended))


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
        return _broadcast(map(found.get, _FIELDS))

    return read
