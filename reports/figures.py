"""Numbers as people read them: three significant digits, the unit that reads best, never rounded across a limit."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime

__all__ = [
    "NOTHING",
    "apart",
    "change",
    "clock",
    "count",
    "day",
    "duration",
    "nines",
    "percent",
    "plain",
    "rate",
    "significant",
    "size",
    "span",
    "tied",
]

NOTHING = "–"  # noqa: RUF001 - an en dash
"""Stands for "no value" in a table."""
_NUMBER_AND_UNIT = re.compile(r"(?<=\d) (?=(?:%|[nµm]?s|min|h|[kMG]?B)(?![\w]))")
_UNITS = ((1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s"))


def significant(value: float, digits: int = 3) -> str:
    """Write a number with so many significant digits, or all of its integer part: ``1,234``, ``0.0456``."""
    if not math.isfinite(value):
        return "∞" if value > 0 else NOTHING
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    decimals = digits - 1 - math.floor(math.log10(abs(round(value, decimals)) or abs(value)))
    return f"{value:,.{max(0, decimals)}f}"


def duration(value_ns: float | None, digits: int = 3) -> str:
    """Write nanoseconds in ns, µs, ms or s: ``812 µs``, ``74.1 ms``, ``1.20 s``."""
    if value_ns is None:
        return NOTHING
    if value_ns == 0:
        return "0 ms"
    for scale, unit in _UNITS:
        text = significant(value_ns / scale, digits)
        if unit == "s" or abs(float(text.replace(",", ""))) < 1000:
            return f"{text} {unit}"
    raise AssertionError("the last unit always answers")


def plain(value_ns: float) -> str:
    """Write a chosen duration, such as a limit, without needless zeros: ``50 ms``, ``1 s``."""
    number, _, unit = duration(value_ns).partition(" ")
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {unit}"


def tied(text: str) -> str:
    """The text with each unit tied to its number by a space that does not break."""
    return _NUMBER_AND_UNIT.sub("\u00a0", text)


def percent(fraction: float | None, digits: int = 3) -> str:
    """Write a fraction as ``61.2 %``; neither 0 % nor 100 % is said of what is not quite so."""
    if fraction is None:
        return NOTHING
    value = 100 * fraction
    if value in (0, 100):
        return f"{value:.0f} %"
    if abs(value) >= 1000:
        return f"{value:,.0f} %"
    text = significant(value, digits)
    while float(text) == 100 and digits < 12:
        digits += 1
        text = significant(value, digits)
    return f"{text} %"


def rate(per_s: float | None, digits: int = 3) -> str:
    """Write a rate as ``120/s``."""
    return NOTHING if per_s is None else f"{significant(per_s, digits)}/s"


def count(n: float | None) -> str:
    """Write a count as ``12,345``."""
    return NOTHING if n is None else f"{n:,.0f}"


def size(value_bytes: float | None) -> str:
    """Write bytes as ``512 B``, ``1.20 MB`` (powers of 1000)."""
    if value_bytes is None:
        return NOTHING
    for scale, unit in ((1.0, "B"), (1e3, "kB"), (1e6, "MB"), (1e9, "GB")):
        text = f"{value_bytes:.0f}" if unit == "B" else significant(value_bytes / scale)
        if unit == "GB" or float(text.replace(",", "")) < 1000:
            return f"{text} {unit}"
    raise AssertionError("the last unit always answers")


def span(seconds: float | None) -> str:
    """Write a length of time as ``60 s``, ``10 min``, ``1 h 20 min``."""
    if seconds is None:
        return NOTHING
    if seconds < 120:
        return f"{significant(seconds) if seconds != int(seconds) else int(seconds)} s"
    minutes, rest_s = divmod(round(seconds), 60)
    if minutes < 120:
        return f"{minutes} min" + (f" {rest_s} s" if rest_s else "")
    hours, rest_min = divmod(round(seconds / 60), 60)
    return f"{hours} h" + (f" {rest_min} min" if rest_min else "")


def clock(seconds: float) -> str:
    """Write a moment of the run as ``00:41`` (minutes and seconds), from an hour on ``1:02:03``."""
    whole = abs(math.floor(seconds))
    minutes, rest_s = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02}:{rest_s:02}" if hours else f"{minutes:02}:{rest_s:02}"
    return f"−{text}" if math.floor(seconds) < 0 else text  # noqa: RUF001 - a true minus


def day(wall_s: float) -> str:
    """Write a moment of the world as ``2026-01-31 09:30 UTC``."""
    return datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%d %H:%M UTC")


def change(before: float | None, after: float | None) -> str:
    """Write how a figure changed as ``+12.3 %``."""
    if not before or after is None:
        return NOTHING
    fraction = after / before - 1
    sign = "+" if fraction > 0 else "−" if fraction < 0 else "±"  # noqa: RUF001 - a true minus
    return f"{sign}{percent(abs(fraction))}"


def nines(percentile: float) -> str:
    """Write a percentile as ``p99.9``."""
    return f"p{percentile:g}"


def apart(write: Callable[[float, int], str], value: float, limit: float) -> str:
    """Write a value with as many digits as tell it from its limit: 199.96 ms against 200 ms is not ``200 ms``."""
    for digits in range(3, 10):
        text = write(value, digits)
        if value == limit or text != write(limit, digits):
            return text
    return text
