"""One row per series: successes with their percentiles, failures apart; a figure only where the sample carries it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from loadtests.histogram import Histogram
from loadtests.interval import Interval, merge
from loadtests.run import Run
from loadtests.series import TALLIES, is_derived
from reports.figures import NOTHING, count, duration, nines, percent, rate
from reports.sampling import missing, percentile_ns
from reports.subject import derived, live, requests
from reports.timeline import Steady

__all__ = [
    "FAILED_PERCENTILES",
    "PERCENTILES",
    "Cell",
    "FailedRow",
    "SeriesRow",
    "failed_rows",
    "series_rows",
    "worst_series",
]

PERCENTILES: Final = (50.0, 90.0, 95.0, 99.0, 99.9)
FAILED_PERCENTILES: Final = (50.0, 95.0)
_TOP: Final = (95.0, 99.0)


@dataclass(frozen=True)
class Cell:
    """A figure, or why there is none."""

    text: str
    absent: bool = False


@dataclass(frozen=True)
class SeriesRow:
    """Successes of one series, in the steady state unless it says otherwise."""

    series: str
    count: str
    throughput: str
    response: tuple[Cell, ...]
    maximum: str
    service: tuple[Cell, ...]
    lateness: Cell
    total: bool = False
    """A pool of the rows around it."""


@dataclass(frozen=True)
class FailedRow:
    """Failures of one series in the steady state."""

    series: str
    failed: str
    share: str
    outcomes: tuple[str, ...]
    """Errors, time-outs, lost, dropped, unsent."""
    response: tuple[Cell, ...]
    maximum: str


def percentile_cell(histogram: Histogram, percentile: float) -> Cell:
    """A percentile, or how many more requests it takes."""
    if not histogram.index.size:
        return Cell(NOTHING)
    more = missing(percentile, histogram.total)
    return (
        Cell(f"needs {count(more)} more", absent=True) if more else Cell(duration(percentile_ns(histogram, percentile)))
    )


def series_rows(run: Run, steady: Steady) -> list[SeriesRow]:
    """Requests, their pool, what the harness itself takes, then the swarm's series."""
    names = requests(run)
    rows = [_row(name, steady, (name,)) for name in names]
    if len(names) > 1:
        rows.append(_row("All requests", steady, names))
    rows += [_floor(run)] if names and run.header.calibration else []
    swarm = [*live(run), *(name for name in derived(run) if name not in TALLIES)]
    return rows + [_row(name, steady, (name,)) if steady[name].count else _whole(run, name) for name in swarm]


def failed_rows(steady: Steady) -> list[FailedRow]:
    """Every series in which something failed, the most failures first."""
    names = [name for name in steady if steady[name].failed and not is_derived(name)]
    failed = sorted(((name, steady[name]) for name in names), key=lambda pair: -pair[1].failed)
    return [
        FailedRow(
            name,
            count(one.failed),
            percent(one.failed / one.count),
            tuple(count(n) for n in (one.error_count, one.timeouts, one.lost, one.dropped, one.unsent)),
            tuple(percentile_cell(one.failed_response, p) for p in FAILED_PERCENTILES),
            _maximum(one.failed_response),
        )
        for name, one in failed
    ]


def worst_series(steady: Steady, most: int) -> list[tuple[str, str, str]]:
    """The slowest series by p95, or by p50 where the sample carries no more: name, percentile, figure."""
    found = []
    for name in steady:
        histogram = steady[name].response
        carried = next(((p, v) for p in (95.0, 50.0) if (v := percentile_ns(histogram, p)) is not None), None)
        if carried:
            found.append((carried[1], name, nines(carried[0])))
    return [(name, p, duration(value)) for value, name, p in sorted(found, reverse=True)[:most]]


def _row(name: str, steady: Steady, series: tuple[str, ...]) -> SeriesRow:
    return _figures(name, steady.pool(series), rate(steady.throughput_per_s(series)), total=len(series) > 1)


def _floor(run: Run) -> SeriesRow:
    """What the harness itself takes, of a server that does nothing, by the calibration that speaks for this run."""
    floor = {p: run.header.floor_ms(p) for p in (*PERCENTILES, 100.0)}
    texts = {p: NOTHING if ms is None else duration(ms * 1e6) for p, ms in floor.items()}
    cells = tuple(Cell(texts[p]) for p in PERCENTILES)
    blank = (Cell(NOTHING),) * len(_TOP)
    return SeriesRow("our own floor", NOTHING, NOTHING, cells, texts[100.0], blank, Cell(NOTHING))


def _whole(run: Run, name: str) -> SeriesRow:
    """What is over before the steady state begins, as connecting is: all of it, and no throughput."""
    return _figures(f"{name} (whole run)", merge(run.intervals[name].values(), series=name), NOTHING)


def _figures(name: str, one: Interval, throughput: str, *, total: bool = False) -> SeriesRow:
    return SeriesRow(
        name,
        count(one.ok),
        throughput,
        _cells(one.response, PERCENTILES),
        _maximum(one.response),
        _cells(one.service, _TOP),
        percentile_cell(one.lateness, 99.0),
        total=total,
    )


def _cells(histogram: Histogram, percentiles: Sequence[float]) -> tuple[Cell, ...]:
    return tuple(percentile_cell(histogram, p) for p in percentiles)


def _maximum(histogram: Histogram) -> str:
    return duration(histogram.max_us * 1000.0) if histogram.index.size else NOTHING
