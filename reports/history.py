"""Several runs as one table: a row for each run and series, in order of time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pandas as pd

from loadtests.run import Run
from loadtests.series import TALLIES
from loadtests.verdict import Status
from reports.figures import NOTHING, change, day, duration, percent
from reports.headline import StatusView, status_view, unprefixed
from reports.sampling import percentile_ns

__all__ = ["ChangeRow", "RunRow", "changes", "ordered", "run_rows", "tabulated"]

_SAME: Final = 0.05
"""A change of less is called "about the same"; no more than a word, and no evidence either way."""
_COMPARABLE: Final = frozenset({Status.PASS, Status.FAIL})


@dataclass(frozen=True)
class RunRow:
    """One run in the strip and the list."""

    number: int
    status: StatusView
    sentence: str
    when: str
    commit: str
    load: str
    link: str
    """To its own page, where there is one."""
    comparable: bool


@dataclass(frozen=True)
class ChangeRow:
    """One series in the last run against the one before."""

    series: str
    before: tuple[str, str, str]
    """p95, p99 and the share that failed."""
    after: tuple[str, str, str]
    changed: tuple[str, str]
    word: str


def ordered(runs: Sequence[Run]) -> list[Run]:
    """The runs by their start."""
    return sorted(runs, key=lambda run: (run.header.started_wall_s, run.header.run_id))


def comparable(run: Run) -> bool:
    """Whether its figures may be held against another's: judged, and neither INVALID nor INCONCLUSIVE."""
    return run.verdict is not None and run.verdict.status in _COMPARABLE


def run_rows(runs: Sequence[Run], beside: Path) -> list[RunRow]:
    """The runs, numbered from 1, with links relative to where the page will stand."""
    rows = []
    for number, run in enumerate(runs, 1):
        page = run.directory / "report.html"
        rows.append(
            RunRow(
                number,
                status_view(run.verdict.status if run.verdict else None),
                unprefixed(run.verdict.sentence, run.verdict.status.value) if run.verdict else "Never judged.",
                day(run.header.started_wall_s),
                run.header.commit or NOTHING,
                run.header.load,
                quote(Path(os.path.relpath(page, beside)).as_posix()) if page.is_file() else "",
                comparable(run),
            )
        )
    return rows


def tabulated(runs: Sequence[Run]) -> pd.DataFrame:
    """One row for each run and series: number, comparable, series, n, p95 and p99 in ns (NaN of too few), failed."""
    rows = []
    for number, run in enumerate(runs, 1):
        for series in (name for name in run.intervals if name not in TALLIES):
            steady = run.steady(series)
            rows.append(
                {
                    "number": number,
                    "comparable": comparable(run),
                    "series": series,
                    "n": steady.count,
                    "p95": percentile_ns(steady.response, 95.0),
                    "p99": percentile_ns(steady.response, 99.0),
                    "failed": steady.failed / steady.count if steady.count else None,
                }
            )
    table = pd.DataFrame(rows, columns=["number", "comparable", "series", "n", "p95", "p99", "failed"])
    return table.astype({"p95": float, "p99": float, "failed": float, "comparable": bool})


def changes(table: pd.DataFrame) -> tuple[list[ChangeRow], tuple[int, int] | None]:
    """Each series in the last comparable run against the one before it, and the numbers of the two."""
    numbers = sorted(table.loc[table["comparable"], "number"].unique().tolist())
    if len(numbers) < 2:
        return [], None
    before, after = (table[table["number"] == number].set_index("series") for number in numbers[-2:])
    both = before.merge(after, left_index=True, right_index=True, suffixes=("_before", "_after"))
    rows = []
    for series, row in both.iterrows():
        values = {str(name): None if pd.isna(value) else float(value) for name, value in row.items()}
        rows.append(
            ChangeRow(
                str(series),
                _written(values, "before"),
                _written(values, "after"),
                (change(values["p95_before"], values["p95_after"]), change(values["p99_before"], values["p99_after"])),
                _word(values["p95_before"], values["p95_after"]),
            )
        )
    return rows, (numbers[-2], numbers[-1])


def _written(values: dict[str, float | None], which: str) -> tuple[str, str, str]:
    p95, p99, failed = (values[f"{name}_{which}"] for name in ("p95", "p99", "failed"))
    return duration(p95), duration(p99), percent(failed)


def _word(before: float | None, after: float | None) -> str:
    if not before or after is None:
        return "too few requests"
    part = after / before - 1
    return "about the same" if abs(part) <= _SAME else "slower" if part > 0 else "faster"
