"""Seconds in which the generator was not fit to measure, as its own processes told.

A FAIL must stand without them; what they show may be the generator's own doing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loadtests.run import Run
from loadtests.series import is_request

__all__ = ["BUSY_PERCENT", "NO_MEANS", "STEAL_PERCENT", "Lapse", "lapses", "worst_lapse"]

BUSY_PERCENT = 90.0
STEAL_PERCENT = 10.0
"""A second in which the host took this much of the machine's time is no second of ours."""
POOL_WAITS_SHARE = 0.001
NO_MEANS = ("no free port", "no free descriptor")
"""Errors that the generator's own machine made."""


@dataclass(frozen=True)
class Lapse:
    """One thing that went wrong with one process (or the machine), and in which seconds of the steady state.

    ``worst`` is in ``unit``; it was in second ``worst_at_s``.
    """

    check: str
    who: str
    seconds: frozenset[int]
    worst: float
    unit: str
    worst_at_s: int


def lapses(run: Run, limit_ns: int) -> list[Lapse]:
    """Every lapse of a run that can bear on a limit, the one of most seconds first.

    Args:
        run: the run.
        limit_ns: of the objective; an event loop that stood still for more than 5 % of it bears on it.

    """
    found = [*_loops(run, limit_ns), *_pools(run), *_machine(run), *_without_means(run)]
    return sorted(found, key=lambda lapse: -len(lapse.seconds))


def worst_lapse(some: Sequence[Lapse]) -> str:
    """``the loop of worker-1 stood still for 301 ms at 23 s`` of the lapse that spoilt most."""
    lapse = max(some, key=lambda lapse: (len(lapse.seconds), lapse.worst))
    return _TOLD[lapse.check].format(who=lapse.who, worst=lapse.worst, at=lapse.worst_at_s, n=len(lapse.seconds))


_TOLD = {
    "loop": "the loop of {who} stood still, {worst:.0f} ms at {at} s",
    "cpu": "{who} used {worst:.0f} % of its core at {at} s, over 90 % in {n} s",
    "steal": "the host took {worst:.0f} % of this machine's time at {at} s, much in {n} s",
    "throttle": "the container was held back by its CPU quota in {n} s, first at {at} s",
    "pool": "{worst:.0f} requests waited for a connection of the client's own pool at {at} s, some in {n} s",
    "means": "{worst:.0f} requests failed for want of ports or descriptors of this machine at {at} s, some in {n} s",
}


def _lapse(run: Run, check: str, who: str, unit: str, seconds: dict[int, float]) -> Iterator[Lapse]:
    """A lapse of those seconds that are steady, with their worst value."""
    steady = set(run.header.steady_seconds())
    seconds = {second: value for second, value in seconds.items() if second in steady}
    if seconds:
        worst_at_s = max(seconds, key=lambda second: seconds[second])
        yield Lapse(check, who, frozenset(seconds), seconds[worst_at_s], unit, worst_at_s)


def _loops(run: Run, limit_ns: int) -> Iterator[Lapse]:
    """Event loops of the load's processes that stood still for over 5 % of the limit.

    The probe tells when it wakes, so the seconds are those before; and what was sent in the second before the loop
    stopped may have been answered while nobody could read it.
    """
    by_process: dict[str, dict[int, float]] = {}
    for row in run.vitals:
        worst_ms = row["loop_worst_ms"]
        if row["source"] == "orchestrator" or worst_ms * 1e6 <= limit_ns / 20:
            continue
        woke_s = row["loop_worst_at_s"]
        seconds = by_process.setdefault(row["source"], {})
        for second in range(math.floor(woke_s - worst_ms / 1000) - 1, math.floor(woke_s) + 1):
            seconds[second] = max(seconds.get(second, 0.0), worst_ms)
    for who, seconds in by_process.items():
        yield from _lapse(run, "loop", who, "ms", seconds)


def _pools(run: Run) -> Iterator[Lapse]:
    """Requests that waited for a connection of the client's own pool, over .1 % of a second's."""
    sent: dict[int, int] = {}
    for name, by_second in run.intervals.items():
        if is_request(name):
            for second, interval in by_second.items():
                sent[second] = sent.get(second, 0) + interval.started
    waited: dict[int, float] = {}
    for row in run.vitals:
        second = math.floor(row["at_s"]) - 1  # the row tells of the second that has passed
        waited[second] = waited.get(second, 0.0) + row.get("pool_waits", 0.0)
    many = {s: n for s, n in waited.items() if n > POOL_WAITS_SHARE * sent.get(s, 0)}
    yield from _lapse(run, "pool", "the client", "requests", many)


def _machine(run: Run) -> Iterator[Lapse]:
    """Processes without processor time to spare, stolen time and quotas, as the orchestrator read them."""
    for column, check, who, above in (
        ("generator_cpu_percent", "cpu", "the busiest Locust process", BUSY_PERCENT),
        ("swarm_cpu_percent", "cpu", "the busiest swarm process", BUSY_PERCENT),
        ("steal_percent", "steal", "the host", STEAL_PERCENT),
        ("throttled", "throttle", "the container", 0.0),
    ):
        rows = ((math.floor(row["at_s"]), row.get(column, 0.0)) for row in run.resources)
        yield from _lapse(run, check, who, "percent", {second: value for second, value in rows if value > above})


def _without_means(run: Run) -> Iterator[Lapse]:
    """Requests that this machine had no port or descriptor for."""
    failed: dict[int, float] = {}
    for by_second in run.intervals.values():
        for second, interval in by_second.items():
            if own := sum(interval.errors.get(kind, 0) for kind in NO_MEANS):
                failed[second] = failed.get(second, 0.0) + own
    yield from _lapse(run, "means", "this machine", "requests", failed)
