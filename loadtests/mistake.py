"""What is wrong with a scenario file: one mistake a line, with what was expected and the nearest right spelling."""

from __future__ import annotations

import json
import types
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from loadtests.scenario import DurationNs, RatePerS, Scenario
from loadtests.tomlposition import KeyPath

__all__ = ["Mistake", "did_you_mean", "expectation", "shape_mistakes"]


@dataclass(frozen=True)
class Mistake:
    """What is wrong at a key; where the key stands is the reader's to say."""

    path: KeyPath
    text: str


def did_you_mean(word: str, known: Collection[str]) -> str:
    """``; did you mean "rate"?``, or what there is to choose from when nothing is near."""
    near = get_close_matches(word, known, n=1)
    if near:
        return f'; did you mean "{near[0]}"?'
    return f"; expected {_either(sorted(known))}" if known else ""


def shape_mistakes(error: ValidationError) -> Iterator[Mistake]:
    """Pydantic's findings on a :class:`Scenario`, in the words of the file. No secret is echoed."""
    for detail in error.errors(include_url=False, include_context=True):
        if detail["type"] == "too_short" and detail["input"]:
            continue  # not empty: its elements are wrong, each with a mistake of its own
        yield Mistake(detail["loc"], _wording(detail))


def expectation(hint: Any, field: FieldInfo | None = None) -> str:
    """What a value of this type looks like in a file: ``a duration such as "60s"``."""
    if hint == DurationNs:
        return 'a duration such as "60s"'
    if hint == RatePerS:
        return 'a rate such as "120/s"'
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return expectation(next(argument for argument in arguments if argument is not type(None)), field)
    if origin is Annotated:
        return expectation(arguments[0], field)
    if origin is Literal:
        return _either(arguments)
    if origin is tuple:
        return "an array of tables" if _model(arguments[0]) else "an array of strings"
    if hint is SecretStr:
        return 'a variable such as "${TOKEN}"'
    names = {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}
    return names.get(hint, "a table") + _bounds(field)


def _wording(detail: ErrorDetails) -> str:
    path, kind = detail["loc"], detail["type"]
    if kind == "mistake":
        return detail["msg"]
    if kind == "extra_forbidden":
        around = _hint(path[:-1])[0]
        return f"unknown key{did_you_mean(str(path[-1]), _keys(around))}"
    hint, field = _hint(path)
    if kind == "missing":
        return f"missing; expected {expectation(hint, field)}"
    if kind == "too_short":
        return "expected at least one"
    if kind == "literal_error" and isinstance(detail["input"], str):
        return f'"{detail["input"]}" is not known here{did_you_mean(detail["input"], get_args(hint))}'
    got = "" if path[0] == "secrets" else f", got {_echo(detail['input'])}"
    return f"expected {expectation(hint, field)}{got}"


def _hint(path: KeyPath) -> tuple[Any, FieldInfo | None]:
    """The type that the models give a path, and the field that says so when it is one."""
    hint: Any = Scenario
    field: FieldInfo | None = None
    for step in path:
        model = _model(hint)
        if isinstance(step, int):
            hint, field = get_args(hint)[0], None
        elif model:
            name = next((n for n, f in model.model_fields.items() if step in (n, f.alias)), "")
            hint, field = get_type_hints(model, include_extras=True).get(name), model.model_fields.get(name)
        else:
            hint, field = get_args(hint)[1], None
    return hint, field


def _model(hint: Any) -> type[BaseModel] | None:
    candidates = (hint, *get_args(hint))
    return next((each for each in candidates if isinstance(each, type) and issubclass(each, BaseModel)), None)


def _keys(hint: Any) -> list[str]:
    """The keys of a table as a file writes them."""
    model = _model(hint)
    fields = model.model_fields if model else {}
    return [*(f.alias or n for n, f in fields.items() if not f.exclude), *(["extends"] if model is Scenario else [])]


def _bounds(field: FieldInfo | None) -> str:
    words = {"gt": "above", "ge": "of at least"}
    found = [
        f" {words[key]} {getattr(each, key)}"
        for each in (field.metadata if field else ())
        for key in words
        if hasattr(each, key)
    ]
    return "".join(found)


def _either(choices: Collection[str]) -> str:
    *most, last = (f'"{choice}"' for choice in choices)
    return f"{', '.join(most)} or {last}" if most else last


def _echo(value: object) -> str:
    if isinstance(value, Mapping):
        return "a table"
    return "an array" if isinstance(value, tuple | list) else json.dumps(value, ensure_ascii=False, default=str)
