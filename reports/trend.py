"""The page of many runs: verdicts, p95 and p99 of each series from run to run, the last against the one before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from loadtests.run import Run
from reports.charts.canvas import Chart
from reports.charts.trendline import trendline
from reports.history import changes, ordered, run_rows, tabulated
from reports.page import render
from reports.subject import Limit, subjects

__all__ = ["render_trend"]

_MOST_CHARTS: Final = 12
_STRIP: Final = 120


def render_trend(runs: Sequence[Run], beside: Path) -> str:
    """The page as text; ``beside`` is the folder in which it will stand.

    Runs of different scenarios are kept apart: a line from one to the other would mean nothing.
    """
    names = sorted({run.header.name for run in runs})
    by_name = [[run for run in ordered(runs) if run.header.name == name] for name in names]
    groups = [_group(group, beside, i) for i, group in enumerate(by_name)]
    return render("trend.html.jinja", groups=groups, total=len(runs), strip=_STRIP)


def _group(runs: Sequence[Run], beside: Path, index: int) -> dict[str, object]:
    table = tabulated(runs)
    rows, pair = changes(table)
    charts = _charts(runs, table, f"g{index}")
    return {
        "name": runs[-1].header.name,
        "runs": run_rows(runs, beside),
        "charts": charts[:_MOST_CHARTS],
        "left_out": max(0, table["series"].nunique() - min(len(charts), _MOST_CHARTS)),
        "changes": rows,
        "pair": pair,
        "other_load": bool(pair) and _differs(runs[pair[0] - 1], runs[pair[1] - 1]) if pair else False,
    }


def _charts(runs: Sequence[Run], table: pd.DataFrame, key: str) -> list[tuple[str, Chart]]:
    limits = _limits(runs[-1])
    p95 = table.groupby("series")["p95"].last().fillna(0.0)
    rank = {series: i for i, series in enumerate(limits)}
    order = sorted(p95.index, key=lambda series: (rank.get(series, len(rank)), -p95[series]))
    drawn: list[tuple[str, Chart]] = []
    for i, series in enumerate(order):
        if len(drawn) == _MOST_CHARTS:
            break
        own = table[table["series"] == series].set_index("number").reindex(range(1, len(runs) + 1)).reset_index()
        own["comparable"] = own["comparable"].eq(True)
        chart = trendline(own, series, limits.get(series, ()), f"{key}-{i}")
        if chart:
            drawn.append((series, chart))
    return drawn


def _limits(run: Run) -> dict[str, tuple[Limit, ...]]:
    """The latency limits that the last run set on single series, failed and closest first."""
    return {one.series[0]: one.limits for one in subjects(run) if len(one.series) == 1}


def _differs(one: Run, other: Run) -> bool:
    return (one.header.load, one.header.plan_hash) != (other.header.load, other.header.plan_hash)
