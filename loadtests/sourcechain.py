"""A TOML file merged with the files it ``extends``, every key still knowing where it stands."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from loadtests.errors import ScenarioError
from loadtests.mistake import did_you_mean
from loadtests.tomlposition import KeyPath, line_of

__all__ = ["Source", "SourceChain", "read_chain"]

_SYNTAX_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_EXCLUSIVE = (
    ("target", "url", None, ("embedded",)),
    ("target", "embedded", None, ("url",)),
    ("load", "model", "closed", ("rate", "arrivals", "in_flight_cap", "spin")),
)
"""Table, key, value: setting it takes back these keys of the file below, which would contradict it."""


@dataclass(frozen=True)
class Source:
    """One file of a chain."""

    path: Path
    text: str
    document: dict[str, Any]


@dataclass(frozen=True)
class SourceChain:
    """Files from the one that was asked for down to its last base."""

    sources: tuple[Source, ...]

    @cached_property
    def merged(self) -> dict[str, Any]:
        """One document: tables merge deeply, everything else is replaced by the file above."""
        merged: dict[str, Any] = {}
        for source in reversed(self.sources):
            folder = self.sources[0].path.parent
            above = _rebased(source.document, source.path.parent, folder)
            merged = _merge(_without_contradictions(merged, above), above)
        return merged

    @cached_property
    def _origins(self) -> dict[KeyPath, Source]:
        origins: dict[KeyPath, Source] = {}
        for source in reversed(self.sources):
            origins.update(dict.fromkeys(_keys(source.document), source))
        return origins

    def place(self, path: KeyPath) -> tuple[Path, int]:
        """File and line of a key, or of the nearest table around it."""
        around = path
        while around and around not in self._origins:
            around = around[:-1]
        source = self._origins[around] if around else self.sources[0]
        return source.path, line_of(source.text, path)


def read_chain(path: Path) -> SourceChain:
    """Read a file, the file it extends, and so on.

    Raises:
        ScenarioError: when a file is missing, is not TOML, or the chain goes in a circle.

    """
    sources: list[Source] = []
    below: Path | None = path
    while below is not None:
        source = _read(below, sources)
        sources.append(source)
        extends = source.document.pop("extends", None)
        if extends is not None and (not isinstance(extends, str) or not extends):
            raise ScenarioError(f'{_at(source)}: expected the name of a file, such as extends = "base.toml"')
        below = None if extends is None else Path(os.path.normpath(source.path.parent / extends))
    return SourceChain(tuple(sources))


def _at(source: Source) -> str:
    return f"{source.path}:{line_of(source.text, ('extends',))}: extends"


def _read(path: Path, above: Sequence[Source]) -> Source:
    prefix = f"{_at(above[-1])}: " if above else ""
    if any(path.resolve() == source.path.resolve() for source in above):
        circle = " -> ".join(source.path.name for source in above)
        raise ScenarioError(f"{prefix}goes in a circle: {circle} -> {path.name}")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ScenarioError(f"{prefix}{path}: no such file{_nearest_file(path)}") from None
    except OSError as error:
        raise ScenarioError(f"{prefix}{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{prefix}{path}: not UTF-8 text (byte {error.start})") from None
    try:
        return Source(path, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(_syntax(path, text, str(error))) from None


def _syntax(path: Path, text: str, message: str) -> str:
    """``file:line:column: not TOML: what the parser said``."""
    found = _SYNTAX_POSITION.search(message)
    lines = text.split("\n")
    line, column = (found[1], found[2]) if found and found[1] else (len(lines), len(lines[-1]) + 1)
    return f"{path}:{line}:{column}: not TOML: {_SYNTAX_POSITION.sub('', message)}"


def _nearest_file(path: Path) -> str:
    found = [*sorted(path.parent.glob("*.toml")), *sorted(Path("scenarios").glob("*/*.toml"))]
    by_name = {each.name: each for each in reversed(found)}
    hint = did_you_mean(path.name, by_name)
    for name, each in by_name.items():
        hint = hint.replace(f'"{name}"', f'"{each}"')
    return hint


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = {
        key: _merge(below[key], value)
        for key, value in above.items()
        if isinstance(value, dict) and isinstance(below.get(key), dict)
    }
    return below | above | both


def _without_contradictions(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """The file below without what the file above takes back, such as an embedded target when it names a URL."""
    for table, key, value, dropped in _EXCLUSIVE:
        old, new = below.get(table), above.get(table)
        if isinstance(old, dict) and isinstance(new, dict) and key in new and value in (None, new[key]):
            below = below | {table: {name: each for name, each in old.items() if name not in dropped}}
    return below


def _rebased(document: dict[str, Any], folder: Path, to: Path) -> dict[str, Any]:
    """The document with its class files and feeds named from another folder."""
    if folder.resolve() == to.resolve():
        return document
    way = os.path.relpath(folder.resolve(), to.resolve()).replace(os.sep, "/")

    def reference(value: object) -> object:
        is_file = isinstance(value, str) and value.partition(":")[0].endswith(".py")
        return os.path.normpath(f"{way}/{value}").replace(os.sep, "/") if is_file else value

    def classes(rows: object) -> object:
        if not isinstance(rows, list):
            return rows
        return [
            row | {"class": reference(row["class"])} if isinstance(row, dict) and "class" in row else row
            for row in rows
        ]

    moved = dict(document)
    if "users" in moved:
        moved["users"] = classes(moved["users"])
    if isinstance(swarm := moved.get("swarm"), dict) and "members" in swarm:
        moved["swarm"] = swarm | {"members": classes(swarm["members"])}
    if isinstance(feeds := moved.get("feeds"), dict):
        moved["feeds"] = {
            name: os.path.normpath(f"{way}/{file}").replace(os.sep, "/") if isinstance(file, str) else file
            for name, file in feeds.items()
        }
    return moved


def _keys(table: dict[str, Any], around: KeyPath = ()) -> list[KeyPath]:
    """The path of every key, down through tables but not into arrays."""
    paths: list[KeyPath] = []
    for key, value in table.items():
        paths += [(*around, key), *(_keys(value, (*around, key)) if isinstance(value, dict) else ())]
    return paths
