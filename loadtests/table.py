"""What tables of a scenario file are made of: durations, rates and objectives in words, and no unknown keys."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from loadtests.duration import parse_duration_ns, parse_rate_per_s
from loadtests.errors import UsageError
from loadtests.objective import parse_objective

__all__ = ["FROM_FILE", "DurationNs", "ObjectiveLine", "RatePerS", "Table"]

FROM_FILE = {"from": "file"}
"""Validation context of values that a person wrote in a file: a bare number is no duration there (in Python it is ns),
and every mistake is collected (in Python the first is raised as it is, a :class:`UsageError`)."""


def _mistake(error: Exception, info: ValidationInfo) -> Exception:
    """A failure in the form that pydantic collects when there may be others in the same file."""
    return PydanticCustomError("mistake", "{text}", {"text": str(error)}) if info.context == FROM_FILE else error


def _duration_ns(value: object, info: ValidationInfo) -> object:
    try:
        if isinstance(value, str) or (info.context == FROM_FILE and isinstance(value, int | float)):
            return parse_duration_ns(str(value))
    except (UsageError, OverflowError) as error:
        raise _mistake(error, info) from None
    return value


def _rate_per_s(value: object, info: ValidationInfo) -> object:
    try:
        return parse_rate_per_s(value) if isinstance(value, str) else value
    except UsageError as error:
        raise _mistake(error, info) from None


def _objective_line(value: str, info: ValidationInfo) -> str:
    try:
        parse_objective(value)
    except (UsageError, OverflowError) as error:
        raise _mistake(error, info) from None
    return value


DurationNs = Annotated[int, BeforeValidator(_duration_ns), Field(gt=0)]
RatePerS = Annotated[float, BeforeValidator(_rate_per_s), Field(gt=0)]
ObjectiveLine = Annotated[str, AfterValidator(_objective_line)]


class Table(BaseModel):
    """A TOML table: unknown keys are mistakes, and so are infinite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
