"""Load and witness beside each other, from times that are known."""

from __future__ import annotations

from pathlib import Path

from reports import render_report
from reports.figures import NOTHING
from reports.witnesstable import witness_rows
from tests.reports.reading import parse
from tests.runs import stream, write_run


def _row(second: int, series: str, times_ms: list[float]) -> dict[str, object]:
    return {"second": second, "series": series, "us": [round(1000 * ms) for ms in times_ms], "by_kernel": 0}


def test_each_series_of_both(tmp_path: Path) -> None:
    """A median takes 20 times of the witness and a p95 takes 90; those of other seconds and series have no part."""
    load = [*stream(service_ms=8.0), *stream(series="GET /b", service_ms=4.0), *stream(series="GET /c")]
    seen = [
        *[_row(second, "GET /a", [10.0, 30.0]) for second in range(45)],
        _row(59, "GET /b", [2.0] * 19 + [6.0]),
        _row(59, "GET /c", [1.0] * 19),
        _row(75, "GET /c", [1.0]),
        _row(30, "GET /elsewhere", [1.0] * 50),
    ]
    run = write_run(tmp_path / "run", load, witness=seen)
    assert witness_rows(run) == [
        ("GET /a", "90", "8.00 ms", "10.0 ms", "8.00 ms", "30.0 ms"),
        ("GET /b", "20", "4.00 ms", "2.00 ms", "4.00 ms", NOTHING),
    ]
    text = parse(render_report(run)).text
    assert "What an idle client saw" in text


def test_nothing_without_a_witness(tmp_path: Path) -> None:
    """No heading over an empty table."""
    assert "What an idle client saw" not in render_report(write_run(tmp_path / "run", stream()))
