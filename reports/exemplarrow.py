"""The slowest requests with their ids, and where their time went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loadtests.run import Run
from reports.figures import NOTHING, clock, duration

__all__ = ["ExemplarRow", "slowest"]


@dataclass(frozen=True)
class ExemplarRow:
    """One slow request."""

    at: str
    series: str
    response: str
    waited: str
    """From the intended start to the send."""
    service: str
    outcome: str
    request_id: str
    detail: str


def slowest(run: Run, most: int = 10) -> list[ExemplarRow]:
    """The slowest requests that were kept, of whatever outcome."""
    rows = sorted(run.exemplars, key=lambda row: -_number(row, "response_ms"))
    return [_row(row) for row in rows[:most] if _number(row, "response_ms") > 0]


def _row(row: Mapping[str, Any]) -> ExemplarRow:
    response, service = _number(row, "response_ms"), _number(row, "service_ms")
    waited = duration((response - service) * 1e6) if "service_ms" in row else NOTHING
    return ExemplarRow(
        clock(_number(row, "at_s")),
        str(row.get("series", "")),
        duration(response * 1e6),
        waited,
        duration(service * 1e6) if "service_ms" in row else NOTHING,
        str(row.get("error") or row.get("outcome") or ""),
        str(row.get("request_id") or ""),
        str(row.get("server_timing") or row.get("detail") or "")[:160],
    )


def _number(row: Mapping[str, Any], key: str) -> float:
    value = row.get(key)
    return float(value) if isinstance(value, (int, float)) else 0.0
