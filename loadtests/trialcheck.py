"""What the runs of a calibration show: the figures, and whether each is what it must be (METHODS' C1 to C8)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from loadtests.health import FLOOR_P95_SHARE, FLOOR_P99_SHARE
from loadtests.interval import Interval, merge
from loadtests.judge import judge
from loadtests.lapse import BUSY_PERCENT, processors_percent
from loadtests.run import Run
from loadtests.trial import DELAYS_MS, FAIL_OF, KNOWN, STAIRS, STALL_EVERY_MS, STALL_MS, null_name
from loadtests.verdict import Check, Status

__all__ = ["check_floor", "check_known", "check_sabotaged", "check_swarm", "check_sweep", "floor_ms", "headroom"]

FLOOR_PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9, 100.0)
LEAST_HEADROOM = 2.0
INTERFERENCE, INTERFERENCE_MS = 2.0, 1.0
ACHIEVED = 0.99
STALL_TOLERANCE = {90.0: 0.1, 99.0: 0.03, 100.0: 0.03}


def floor_ms(run: Run) -> dict[str, float]:
    """Response times of a run on a server that answers at once, in ms by percentile."""
    response = run.steady(_series("floor")).response
    return {f"{p:g}": (response.percentile_us(p) or math.inf) / 1000 for p in FLOOR_PERCENTILES}


def check_floor(floor: dict[str, float], limit_ns: int) -> Check:
    """C1: what the harness adds is small beside the limit."""
    p95, p99, limit_ms = floor["95"], floor["99"], limit_ns / 1e6
    return Check(
        "C1",
        "The floor is far below the limit",
        f"p50 {floor['50']:.2f}, p95 {p95:.2f}, p99 {p99:.2f}, at most {floor['100']:.1f} ms",
        f"p95 10 %, p99 20 % of {limit_ms:g} ms",
        p95 <= FLOOR_P95_SHARE * limit_ms and p99 <= FLOOR_P99_SHARE * limit_ms,
        remedy="use a quieter machine, or more processes",
    )


def headroom(run: Run, limit_ns: int) -> tuple[float, str]:
    """The highest stair that was clean, before two in a row that were not; and what the next one was stopped by."""
    steady = [phase for phase in run.header.phases if phase.kind == "steady"]
    faults = [_stair_fault(run, phase.start_s, phase.end_s, limit_ns) for phase in steady]
    last = next((k for k, (one, two) in enumerate(pairwise(faults)) if one and two), len(faults))
    clean = [k for k in range(last) if not faults[k]]
    if not clean:
        return 0.0, faults[0]
    stopped = faults[clean[-1] + 1] if clean[-1] + 1 < len(faults) else ""
    return STAIRS[clean[-1]], f"at {STAIRS[clean[-1] + 1]:.1f} times {stopped}" if stopped else "and was not at its end"


def _stair_fault(run: Run, start_s: float, end_s: float, limit_ns: int) -> str:
    """What a stair was not clean by; empty where it was."""
    seconds = range(math.ceil(start_s), math.floor(end_s))
    whole = _during(run, seconds)
    allowed_us = max(2000.0, limit_ns / 1000 / 100)
    late_us = whole.lateness.percentile_us(99) or 0.0
    percents = [by[s] for by in processors_percent(run).values() for s in seconds if s in by]
    if whole.started < ACHIEVED * whole.count:
        return f"only {100 * whole.started / max(1, whole.count):.0f} % was sent in its second"
    if whole.failed:
        return f"{whole.failed:,} requests failed"
    if late_us > allowed_us:
        return f"requests left {late_us / 1000:.1f} ms late (p99)"
    if percents and float(np.median(percents)) > BUSY_PERCENT:
        return "a generator process had no room on its core"
    return ""


def check_sweep(times: float, stopped: str) -> Check:
    """C2: the machine drives at least twice what is planned."""
    return Check(
        "C2",
        "The machine drives more than is planned",
        f"{times:.1f} times the planned rate, {stopped}",
        "2 times",
        times >= LEAST_HEADROOM,
        remedy="add a process (--processes), use a faster or quieter machine, or plan a lower rate",
    )


def check_known(run: Run) -> Iterator[Check]:
    """C3 to C6: delays, a stall, errors and slow tails are told as they are."""
    base_ms = _percentile_ms(run, "floor", 50)
    for ms in DELAYS_MS:
        found = _percentile_ms(run, f"delay {ms} ms", 50) - base_ms
        allowed = max(1.0, 0.02 * ms)
        yield Check(
            "C3",
            f"A delay of {ms} ms is told",
            f"median {found:.2f} ms above the floor's",
            f"{ms} ± {allowed:g} ms",
            abs(found - ms) <= allowed,
        )
    yield _stall(run)
    failing = merge(run.intervals.get(_series("errors"), {}).values(), series="")
    due = failing.count // FAIL_OF
    yield Check(
        "C5",
        "Every error is counted",
        f"{failing.error_count:,} of {failing.count:,}",
        f"exactly {due:,}",
        failing.error_count == due and failing.count >= FAIL_OF,
    )
    found_by = {verdict.series: verdict.status for verdict in judge(run).verdicts}
    for name, expected in (("slow tail, 6 %", Status.FAIL), ("slow tail, 3 %", Status.PASS)):
        status = found_by.get(_series(name), Status.INCONCLUSIVE)
        title = f"A {name.replace(', ', ' of ')}, is judged"
        yield Check("C6", title, status.value, expected.value, status is expected)


def _stall(run: Run) -> Check:
    """C4: evenly spread requests on a server that stands still for s of every e wait longer than x in (s - x) / e."""
    told, ok = [], True
    for percentile, tolerance in STALL_TOLERANCE.items():
        true_ms = STALL_MS - (1 - percentile / 100) * STALL_EVERY_MS
        found_ms = _percentile_ms(run, "stall", percentile)
        ok &= abs(found_ms - true_ms) <= tolerance * true_ms
        told.append(f"p{percentile:g} {found_ms:.0f} of {true_ms:.0f} ms")
    return Check("C4", "A stall of 1 s in every 5 is told", ", ".join(told), "within 10, 3 and 3 %", ok)


def check_swarm(alone: dict[str, float], beside: dict[str, float]) -> Check:
    """C7: the swarm does not slow the requests beside it."""
    p95, with_p95 = alone["95"], beside["95"]
    return Check(
        "C7",
        "The swarm leaves the requests alone",
        f"p95 {with_p95:.2f} ms beside it, {p95:.2f} ms without",
        "2 times, or 1 ms",
        with_p95 <= max(INTERFERENCE * p95, INTERFERENCE_MS),
        remedy="use a machine with more processors",
    )


def check_sabotaged(run: Run) -> Check:
    """C8: a generator that stands still does not blame its target."""
    verdict = judge(run)
    found = next((check.value for check in verdict.checks if check.name == "loop" and not check.ok), "nobody noticed")
    value = f"{verdict.status.value}: {found}"
    return Check("C8", "Sabotage is found out", value, "INVALID", verdict.status is Status.INVALID)


def _during(run: Run, seconds: range) -> Interval:
    return merge((by[s] for by in run.intervals.values() for s in seconds if s in by), series="")


def _percentile_ms(run: Run, name: str, percentile: float) -> float:
    found = run.steady(_series(name)).response.percentile_us(percentile)
    return math.inf if found is None else found / 1000


def _series(name: str) -> str:
    return f"GET {null_name(KNOWN[name])}"
