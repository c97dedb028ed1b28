"""Durations, rates and fractions as people write them: ``200ms``, ``120/s``, ``0.1%``."""

from __future__ import annotations

import re
from decimal import Decimal

from loadtests.errors import UsageError

__all__ = ["NS_PER_S", "format_fraction", "format_ns", "parse_duration_ns", "parse_fraction", "parse_rate_per_s"]

NS_PER_S = 1_000_000_000
_MINUTE_NS = 60 * NS_PER_S
_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": NS_PER_S,
    "m": _MINUTE_NS,
    "min": _MINUTE_NS,
    "h": 60 * _MINUTE_NS,
}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s|min|m|h)\s*")
_PER = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def parse_duration_ns(text: str) -> int:
    """Read ``"200ms"``, ``"1.5s"``, ``"10m"``, ``"1h30m"`` as integer nanoseconds.

    Raises:
        UsageError: when the text is not a positive number with a unit.

    """
    position, total = 0, 0.0
    stripped = text.strip()
    while position < len(stripped):
        match = _PART.match(stripped, position)
        if match is None:
            break
        total += float(match[1]) * _UNITS_NS[match[2]]
        position = match.end()
    if not stripped or position < len(stripped) or not 1 <= total < 2**62:
        raise UsageError(f'"{text}" is not a duration; expected a number and a unit, such as "200ms", "60s", "1h30m"')
    return round(total)


def parse_rate_per_s(text: str | float) -> float:
    """Read ``"120/s"``, ``"6000/min"`` or a bare number as a rate per second.

    Raises:
        UsageError: when the text is not a positive rate.

    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:/\s*(s|min|m|h))?\s*", str(text))
    if match is None or float(match[1]) <= 0:
        raise UsageError(f'"{text}" is not a rate; expected a positive number per time, such as "120/s" or "6000/min"')
    return float(match[1]) / _PER[match[2] or "s"]


def parse_fraction(text: str) -> float:
    """Read ``"0.1%"`` or ``"0.001"`` as a fraction between 0 and 1.

    Raises:
        UsageError: when the text is not a fraction.

    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*", text)
    value = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= value <= 1:
        raise UsageError(f'"{text}" is not a fraction; expected "0.1%" or a number from 0 to 1')
    return value


def format_ns(duration_ns: float) -> str:
    """Write a duration with three significant digits in the unit that reads best."""
    for unit, scale in (("s", NS_PER_S), ("ms", 1_000_000), ("µs", 1_000)):
        if abs(duration_ns) >= scale:
            value = duration_ns / scale
            digits = max(0, 2 - len(str(int(abs(value)))) + 1)
            text = f"{value:.{digits}f}"
            return f"{text.rstrip('0').rstrip('.') if '.' in text else text} {unit}"
    return f"{duration_ns:.0f} ns"


def format_fraction(fraction: float) -> str:
    """Write a fraction as ``0.167 %``: three significant digits, never an exponent; under one in 10^9 it is none.

    Of nearly all, what is missing has two: ``99.969 %``.
    """
    if 0.99 < fraction <= 1:
        return f"{100 - Decimal(f'{(1 - fraction) * 100:.2g}'):f} %"
    if fraction < 1e-9:
        return "0 %"
    return f"{Decimal(f'{fraction * 100:.3g}'):f} %"
