"""Seconds in which the generator was not fit to measure, as its own processes told.

A FAIL must stand without them; what they show may be the generator's own doing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from loadtests.run import Run
from loadtests.series import is_request
from loadtests.vitals import PROBE_S

__all__ = ["BUSY_PERCENT", "NO_MEANS", "REMEDIES", "Lapse", "lapses", "processors_percent"]

BUSY_PERCENT = 90.0
STOLEN_PERCENT = 10.0
"""A second in which the host took this much of the machine's time is no second of ours."""
POOL_WAITS_SHARE = 0.001
LEAST_STILL_NS = 2_000_000
WHOLE_SECOND_S = 0.1
NO_MEANS = ("no free port", "no free descriptor")
"""Errors that the generator's own machine made."""


@dataclass(frozen=True)
class Lapse:
    """One thing that went wrong with one process (or the machine), and in which seconds of the steady state.

    ``worst`` is what :attr:`told` says of it (ms, percent or a number of requests); it was in second ``worst_at_s``.
    """

    check: str
    who: str
    worst: float
    worst_at_s: int
    share: Mapping[int, float]
    """Of each of these seconds, how much of its requests it may have spoilt: 1 is all of them."""

    @property
    def seconds(self) -> frozenset[int]:
        """Those in which it was."""
        return frozenset(self.share)

    @property
    def told(self) -> str:
        """What it was, when, and for how long."""
        return _TOLD[self.check].format(who=self.who, worst=self.worst, at=self.worst_at_s, n=len(self.seconds))

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return REMEDIES[self.check]


_TOLD = {
    "loop": "the loop of {who} stood still in {n} s, for {worst:.0f} ms at {at} s",
    "cpu": "{who} wanted over 90 % of a core in {n} s, {worst:.0f} % at {at} s",
    "steal": "the host took over 10 % of this machine's time in {n} s, {worst:.0f} % at {at} s",
    "throttle": "the container reached its CPU quota in {n} s, first at {at} s",
    "pool": "requests waited for a connection of the client's own pool in {n} s, {worst:.0f} of them at {at} s",
    "means": "requests found no port or descriptor on this machine in {n} s, {worst:.0f} of them at {at} s",
}
REMEDIES = {
    "loop": "look for users' or members' code that computes or blocks, share the load among more processes "
    "(--processes), or give it a quieter machine",
    "cpu": "share the load among more processes (--processes), or give it more or quieter processors",
    "steal": "run on a host with less company",
    "throttle": "raise the container's CPU quota, or lower the rate",
    "pool": "give every user a connection of its own: no shared client_pool, or one with as many as there are users",
    "means": "keep connections alive, raise the limit of open files (ulimit -n), or widen net.ipv4.ip_local_port_range",
}
"""What to do about each check of the generator's own vitals that does not hold."""


def lapses(run: Run, limit_ns: int) -> list[Lapse]:
    """Every lapse of a run that can bear on a limit, the one of most seconds first.

    Args:
        run: the run.
        limit_ns: of the objective; an event loop that stood still for more than 5 % of it (or 2 ms, which no loop
            can promise) bears on it.

    """
    found = [*_loops(run, limit_ns), *_processors(run), *_pools(run), *_machine(run), *_without_means(run)]
    return sorted(found, key=lambda lapse: (-len(lapse.seconds), -lapse.worst))


def processors_percent(run: Run) -> dict[str, dict[int, float]]:
    """How much of a core each of the load's processes used and stood in line for, per second.

    What it spent on waiting busily for arrivals (``load.spin``) is room that it had. Where a process cannot tell (only
    Linux does), what the orchestrator saw the busiest of its kind use.
    """
    found: dict[str, dict[int, float]] = {}
    for row in run.vitals:
        if row["source"] != "orchestrator" and "cpu_percent" in row:
            second = math.floor(row["at_s"]) - 1  # a row tells of the second before it
            percent = row["cpu_percent"] + row["cpu_wait_percent"] - row.get("spin_percent", 0.0)
            found.setdefault(row["source"], {})[second] = percent
    if found:
        return found
    for column, who in (("generator_cpu_percent", "a Locust process"), ("swarm_cpu_percent", "a swarm process")):
        by_second = {math.floor(row["at_s"]): row[column] for row in run.resources if column in row}
        found |= {who: by_second} if by_second else {}
    return found


def _lapse(
    run: Run, check: str, who: str, seconds: Mapping[int, float], share: Mapping[int, float] | None = None
) -> Iterator[Lapse]:
    """A lapse of those seconds that are steady, with their worst value; it spoilt them whole unless told otherwise."""
    steady = set(run.header.steady_seconds())
    seconds = {second: value for second, value in seconds.items() if second in steady}
    if seconds:
        worst_at_s = max(seconds, key=lambda second: seconds[second])
        spoilt = {second: share[second] if share else 1.0 for second in seconds}
        yield Lapse(check, who, seconds[worst_at_s], worst_at_s, spoilt)


def _loops(run: Run, limit_ns: int) -> Iterator[Lapse]:
    """Event loops of the load's processes that stood still for over 5 % of the limit.

    The probe tells when it wakes, so the seconds are those before; and what was sent in the second before the loop
    stopped may have been answered while nobody could read it. A loop that stands still for x s of a second keeps
    x of that second's answers waiting, and sends x of its requests in a crowd afterwards; from 100 ms on the crowd may
    slow everything.
    """
    by_process: dict[str, dict[int, float]] = {}
    shares: dict[str, dict[int, float]] = {}
    for row in run.vitals:
        worst_ms = row["loop_worst_ms"]
        if row["source"] == "orchestrator" or worst_ms * 1e6 <= max(LEAST_STILL_NS, limit_ns / 20):
            continue
        woke_s = row["loop_worst_at_s"]
        still_s = max(worst_ms / 1000, row["late_probes"] * PROBE_S)
        share = 1.0 if still_s >= WHOLE_SECOND_S else 2 * still_s
        seconds, spoilt = by_process.setdefault(row["source"], {}), shares.setdefault(row["source"], {})
        for second in range(math.floor(woke_s - worst_ms / 1000) - 1, math.floor(woke_s) + 1):
            seconds[second] = max(seconds.get(second, 0.0), worst_ms)
            spoilt[second] = max(spoilt.get(second, 0.0), share)
    for who, seconds in by_process.items():
        yield from _lapse(run, "loop", who, seconds, shares[who])


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
    yield from _lapse(run, "pool", "the client", many)


def _processors(run: Run) -> Iterator[Lapse]:
    """Processes that left their core no room: what they measured then is their own queue too."""
    for who, by_second in processors_percent(run).items():
        yield from _lapse(run, "cpu", who, {s: percent for s, percent in by_second.items() if percent > BUSY_PERCENT})


def _machine(run: Run) -> Iterator[Lapse]:
    """Stolen time and quotas, as the orchestrator read them."""
    for column, check, who, above in (
        ("steal_percent", "steal", "the host", STOLEN_PERCENT),
        ("throttled", "throttle", "the container", 0.0),
    ):
        rows = ((math.floor(row["at_s"]) - 1, row.get(column, 0.0)) for row in run.resources)
        yield from _lapse(run, check, who, {second: value for second, value in rows if value > above})


def _without_means(run: Run) -> Iterator[Lapse]:
    """Requests that this machine had no port or descriptor for."""
    failed: dict[int, float] = {}
    for by_second in run.intervals.values():
        for second, interval in by_second.items():
            if own := sum(interval.errors.get(kind, 0) for kind in NO_MEANS):
                failed[second] = failed.get(second, 0.0) + own
    yield from _lapse(run, "means", "this machine", failed)
