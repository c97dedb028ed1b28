"""A JSON Schema as a judge of values: what is wrong is told by place and rule, and never by value."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import jsonschema_rs

__all__ = ["Shape"]


class Shape:
    """A compiled schema (JSON Schema 2020-12), whole: what it refers to elsewhere is not fetched.

    Raises:
        ValueError: when the schema cannot be used, or is none.

    """

    def __init__(self, schema: Any) -> None:
        try:
            self._validator = jsonschema_rs.Draft202012Validator(schema, mask="the value", retriever=_refuse)
        except (ValueError, TypeError, jsonschema_rs.ReferencingError) as error:
            raise ValueError(str(error).strip()) from None
        self._schema = schema

    @cached_property
    def _named(self) -> frozenset[str]:
        return frozenset(_property_names(self._schema))

    def breach(self, value: Any) -> str | None:
        """The first thing that is wrong, `` at PLACE: RULE``; in it, numbers and names that data chose are ``*``."""
        for error in self._validator.iter_errors(value):
            place = ".".join(str(step) if step in self._named else "*" for step in error.instance_path)
            return f"{f' at {place}' if place else ''}: {error.message}"
        return None


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} lies elsewhere, and is not fetched")


def _property_names(schema: Any) -> Iterator[str]:
    """Every name that a schema gives to a property, at any depth."""
    parts = [schema]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            properties = part.get("properties")
            yield from properties if isinstance(properties, dict) else ()
            parts += part.values()
        elif isinstance(part, list):
            parts += part
