"""What an idle client saw of the same target, series by series, beside the load."""

from __future__ import annotations

from typing import Final

import numpy as np

from loadtests.histogram import Histogram
from loadtests.run import Run
from reports.figures import NOTHING, count, duration

__all__ = ["WITNESSED", "witness_rows"]

WITNESSED: Final = ((50.0, 20), (95.0, 90))
"""Percentiles, and how many times of the witness one takes."""


def witness_rows(run: Run) -> list[tuple[str, ...]]:
    """Series, the witness's times, then load and witness at each percentile; service times of the steady seconds.

    A series of which it has too few for a median is left out.
    """
    seconds = {second for second in run.header.steady_seconds() if second in run.witness.seconds}
    rows = []
    for name in sorted(run.witness.times_us.keys() & run.intervals.keys()):
        seen = run.witness.during(name, seconds)
        load = Histogram.sum(i.service for second, i in run.intervals[name].items() if second in seconds)
        if len(seen) >= WITNESSED[0][1] and load.total:
            figures = [figure for p, least in WITNESSED for figure in _pair(load, seen, p, least)]
            rows.append((name, count(len(seen)), *figures))
    return rows


def _pair(load: Histogram, seen: list[float], percentile: float, least: int) -> tuple[str, str]:
    """The load's, and the witness's where it has enough."""
    load_us = load.percentile_us(percentile) or 0.0
    witness_us = float(np.quantile(seen, percentile / 100, method="inverted_cdf")) if len(seen) >= least else np.inf
    return duration(load_us * 1000), duration(witness_us * 1000) if np.isfinite(witness_us) else NOTHING
