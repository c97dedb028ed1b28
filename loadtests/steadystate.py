"""The steady state of a run, found in its own signals: what MSER-5 leaves, and what a search for steps says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from loadtests.changepoint import Course, course
from loadtests.interval import Interval, merge
from loadtests.mser import FloatArray, drift, truncation
from loadtests.run import Run
from loadtests.series import DELIVER, is_request

__all__ = ["LEAST_S", "Drift", "SteadyState", "settled_seconds", "steady_state", "steady_state_of"]

LEAST_S = 60
"""Under this much nothing is looked for: twelve batches are the fewest that say anything."""
CHANCE = 0.005
"""A drift that a signal without one shows less often than this, in either of two signals."""
CHANGE = 0.10
"""A drift of a tenth from the first to the last quarter, or less, is none."""
PERCENTILES = (50, 95)


@dataclass(frozen=True, slots=True)
class Drift:
    """A percentile that drifts through the whole window, by this factor from its first to its last quarter."""

    percentile: int
    factor: float


@dataclass(frozen=True, slots=True)
class SteadyState:
    """The steady phase from ``start_s`` to ``end_s``, of which the first ``cut_s`` are warm-up by ``signal``."""

    start_s: int
    end_s: int
    cut_s: int
    signal: str
    drift: Drift | None
    course: Course

    @property
    def settled_s(self) -> int:
        """Second of the run from which on it was steady."""
        return self.start_s + self.cut_s


@lru_cache(maxsize=2)
def steady_state(run: Run) -> SteadyState | None:
    """Look for it in all requests together (without any: in deliveries).

    None where there is nothing to look for: under a minute, several steady phases of different load, a load that is
    itself a slope, or seconds in a row without any answer.
    """
    seconds = run.header.steady_seconds()
    loads = {phase.load for phase in run.header.steady}
    if len(seconds) < LEAST_S or seconds[-1] - seconds[0] >= len(seconds) or len(loads) > 1 or " to " in loads.pop():
        return None
    names = [name for name in run.intervals if is_request(name)] or [n for n in run.intervals if n == DELIVER]
    parts = [[run.intervals[name][s] for name in names if s in run.intervals[name]] for s in seconds]
    each = [merge(found, series="", second=s) for s, found in zip(seconds, parts, strict=True)]
    if 2 * sum(bool(one.response.total) for one in each) < len(each):
        return None
    times = {p: _filled(each, lambda one, p=p: one.response.percentile_us(p)) for p in PERCENTILES}  # type: ignore[misc]
    others = {
        "throughput": np.array([one.completed for one in each], dtype=np.float64),
        **dict(_resources(run, seconds)),
    }
    return steady_state_of(seconds[0], times, others)


def settled_seconds(run: Run) -> list[int]:
    """The steady seconds less the cut; all of them where nothing was looked for."""
    state = steady_state(run)
    return [s for s in run.header.steady_seconds() if state is None or s >= state.settled_s]


def steady_state_of(start_s: int, times_us: dict[int, FloatArray], others: dict[str, FloatArray]) -> SteadyState:
    """Find it in signals of one value a second.

    The cut is the longest that MSER-5 makes in any signal. The run never settled when a percentile drifts: its slowest
    wave stands out, it moved by more than a tenth, and MSER-5 finds no early end of that (it cuts a quarter or more).

    Args:
        start_s: second of the run at which the signals begin.
        times_us: response times by percentile, 50 among them; their logarithms are looked at.
        others: whatever else ought to be steady, by name.

    """
    logs = {p: np.log(np.maximum(values, 1.0)) for p, values in times_us.items()}
    seconds = len(logs[50])
    cuts = {f"p{p}": truncation(values) for p, values in logs.items()}
    drifts = [
        Drift(p, factor)
        for p, values in logs.items()
        if 4 * cuts[f"p{p}"] >= seconds
        and abs(np.log(factor := _factor(values))) > np.log1p(CHANGE)
        and drift(values) < CHANCE
    ]
    cuts |= {name: truncation(values) for name, values in others.items()}
    signal = max(cuts, key=lambda name: cuts[name])
    worst = max(drifts, key=lambda one: abs(np.log(one.factor)), default=None)
    return SteadyState(start_s, start_s + seconds, cuts[signal], signal, worst, course(times_us[50] / 1000))


def _factor(logs: FloatArray) -> float:
    quarter = len(logs) // 4
    return float(np.exp(logs[-quarter:].mean() - logs[:quarter].mean()))


def _filled(each: list[Interval], value: Callable[[Interval], float | None]) -> FloatArray:
    """A value a second; where there is none, on the line between its neighbours."""
    known = [(i, found) for i, one in enumerate(each) if (found := value(one)) is not None]
    return np.interp(np.arange(len(each)), *np.array(known, dtype=np.float64).T)


def _resources(run: Run, seconds: list[int]) -> Iterator[tuple[str, FloatArray]]:
    """In flight and the target's CPU, where they were read in most seconds."""
    for name, column in (("in-flight", "in_flight"), ("target CPU", "target_cpu_percent")):
        read = {int(row["at_s"]): row[column] for row in run.resources if column in row}
        known = [s for s in seconds if s in read]
        if 10 * len(known) >= 9 * len(seconds):
            yield name, np.interp(seconds, known, [read[s] for s in known])
