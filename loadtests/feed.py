"""Data that users and members draw from: accounts, search terms, documents; a CSV or a JSON file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from loadtests.errors import ScenarioError
from loadtests.scenario import Scenario

__all__ = ["Feed", "read_feed", "read_feeds"]


@dataclass(frozen=True)
class Feed:
    """Rows that cannot be changed, the same for every index in every process.

    A CSV row is a mapping from the header's names to text; a JSON row is what the file says, objects as mappings and
    arrays as tuples.
    """

    rows: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    def at(self, index: int) -> Any:
        """Row ``index``, starting over after the last."""
        return self.rows[index % len(self.rows)]

    def shuffled(self, seed: int) -> Feed:
        """The same rows in an order that the seed alone decides."""
        order = np.random.default_rng(seed).permutation(len(self.rows))
        return Feed(tuple(self.rows[index] for index in order))


def read_feeds(scenario: Scenario) -> dict[str, Feed]:
    """Every feed of a scenario under its name.

    Raises:
        ScenarioError: when a file is missing, empty or malformed.

    """
    return {name: read_feed(scenario.folder / file) for name, file in scenario.feeds.items()}


def read_feed(path: Path) -> Feed:
    """Read a CSV file with a header row, or a JSON file that is one array.

    Raises:
        ScenarioError: when the file is missing, empty or malformed, with the line.

    """
    readers = {".csv": _csv_rows, ".json": _json_rows}
    if path.suffix not in readers:
        raise ScenarioError(f"{path}: a feed is a .csv or a .json file")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: not UTF-8 text (byte {error.start})") from None
    rows = tuple(readers[path.suffix](path, text))
    if not rows:
        raise ScenarioError(f"{path}: no rows; a feed needs at least one")
    return Feed(rows)


def _csv_rows(path: Path, text: str) -> Iterator[Mapping[str, str]]:
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    try:
        for fields in lines:
            if not fields:
                continue
            if header is None:
                header = _header(path, [field.strip() for field in fields])
                continue
            if len(fields) != len(header):
                raise ScenarioError(
                    f"{path}:{lines.line_num}: {_counted(len(fields))}, expected {len(header)} ({', '.join(header)})"
                )
            yield MappingProxyType(dict(zip(header, fields, strict=True)))
    except csv.Error as error:
        raise ScenarioError(f"{path}:{lines.line_num}: not CSV: {error}") from None


def _header(path: Path, names: Sequence[str]) -> list[str]:
    for name in names:
        if not name:
            raise ScenarioError(f"{path}:1: the header has a column without a name")
        if names.count(name) > 1:
            times = f"{names.count(name)} times"
            raise ScenarioError(f'{path}:1: the header names "{name}" {times}; each column needs one name')
    return list(names)


def _counted(fields: int) -> str:
    return f"{fields} field" if fields == 1 else f"{fields} fields"


def _json_rows(path: Path, text: str) -> Iterator[Any]:
    if not text.strip():
        return
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        raise ScenarioError(f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from None
    if not isinstance(rows, list):
        raise ScenarioError(f"{path}: expected one JSON array of rows")
    yield from (_frozen(row) for row in rows)


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({key: _frozen(each) for key, each in value.items()})
    return tuple(_frozen(each) for each in value) if isinstance(value, list) else value
