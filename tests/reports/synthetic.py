"""Synthetic runs with known truth: seeded samples folded by the real Recorder and written by the real RunWriter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loadtests.header import PhaseSpan, RunHeader
from loadtests.histogram import Histogram
from loadtests.interval import Interval
from loadtests.recorder import Recorder
from loadtests.run import Run
from loadtests.runwriter import RunWriter
from loadtests.sample import Outcome
from loadtests.verdict import Check, RunVerdict, Status, Verdict

T0_NS = 5_000_000_000_000
WARM_UP_S, STEADY_S = 15, 60
END_S = WARM_UP_S + STEADY_S
SERIES = (
    ("GET /tasks", 0.30, 22e6),
    ("POST /tasks", 0.20, 34e6),
    ("GET /tasks/{id}", 0.20, 12e6),
    ("PATCH /tasks/{id}", 0.10, 30e6),
    ("POST /graphql board", 0.08, 48e6),
    ("MCP tools/call", 0.06, 40e6),
    ("GET /agents", 0.04, 9e6),
    ("POST /login", 0.02, 120e6),
)

IntArray = NDArray[np.int64]


@dataclass
class Truth:
    """The raw samples of the steady state by series, for independent arithmetic: ns, successes only."""

    response_ns: dict[str, list[int]] = field(default_factory=dict)
    service_ns: dict[str, list[int]] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)


def header(**changes: object) -> RunHeader:
    """A header like a real one's."""
    base = RunHeader(
        name="portal",
        run_id="20260131-093000-7f3a",
        started_wall_s=1_769_851_800.0,
        t0_ns=T0_NS,
        target="http://127.0.0.1:8080",
        model="open",
        load="120 users, 120 arrivals/s (Poisson), 60 connections",
        users=120,
        seed=7,
        phases=(
            PhaseSpan("warm-up", "warm-up", 0, WARM_UP_S, "0 to 120/s"),
            PhaseSpan("steady", "steady", WARM_UP_S, END_S, "120/s"),
        ),
        planned=8_100,
        plan_hash="sha256:9b1f0c2e77aa",
        connections=60,
        command="loadtests run scenarios/portal/smoke.toml --seed 7",
        commit="155956e",
        versions={"nexus-loadtests": "0.1.0", "python": "3.11.9", "locust": "2.47.0"},
        host={"cpu": "2 cores, AMD EPYC", "os": "Linux 6.1", "memory": "7.7 GB"},
        state="complete",
        ended_wall_s=1_769_851_876.4,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def verdict(series: str, line: str, status: Status, limit: float, observed: float, **more: object) -> Verdict:
    """A latency verdict with bounds 6 % to either side."""
    values: dict[str, object] = {
        "kind": "latency",
        "unit": "ns",
        "lower": observed * 0.94,
        "upper": observed * 1.06,
        "n": 1_800,
        "n_effective": 1_240.0,
        "bad": 18,
        "bad_fraction": 0.01,
        "budget": 0.05,
        "budget_spent": round(observed / limit, 3) if limit else None,
        "reason": f"{line} held with room to spare" if status is Status.PASS else f"{line} was missed",
    }
    values |= more
    return Verdict(objective=line, series=series, status=status, limit=limit, observed=observed, **values)  # type: ignore[arg-type]


CHECKS = (
    Check("plan", "The plan was kept", "99.98% sent, worst 10 s 99.91%", "at least 99 %", ok=True, fatal=True),
    Check("lateness", "Requests left on time", "late by 0.81 ms at p99, 3.2 ms at most", "p99 2 ms", ok=True),
    Check("cpu", "The generator had room", "busiest process at 36 % of a core (p95)", "90 %", ok=True, fatal=True),
    Check(
        "accounting",
        "Every request is accounted for",
        "8,100 planned, 8,100 arrivals and 8,100 of 8,100 requests found again",
        "exact",
        ok=True,
        fatal=True,
    ),
    Check("length", "The steady state was long enough", "60 s", "at least 30 s, better 60", ok=True),
)

PASSED = RunVerdict(
    Status.PASS,
    "PASS: 120 users and 60 live connections for 60 s; every objective held; the closest is p95 of POST /login at 71 % "
    "of its limit",
    (
        verdict("GET /tasks", "p95 < 200ms", Status.PASS, 200e6, 74.1e6, n=2_160),
        verdict("POST /tasks", "p95 < 200ms", Status.PASS, 200e6, 98.0e6, n=1_440),
        verdict("POST /login", "p95 < 300ms", Status.PASS, 300e6, 213e6, n=144),
        verdict("ws deliver", "p99 < 500ms", Status.PASS, 500e6, 61e6, n=36_000),
        verdict(
            "* (12 series)",
            "errors < 1%",
            Status.PASS,
            0.01,
            0.0021,
            kind="share",
            unit="fraction",
            n=7_200,
            lower=0.001,
            upper=0.0042,
        ),
        verdict(
            "ws deliver",
            "lost == 0",
            Status.PASS,
            0,
            0,
            kind="count",
            unit="count",
            budget_spent=None,
            lower=None,
            upper=None,
            n=36_000,
        ),
    ),
    CHECKS,
)


def fill(
    writer: RunWriter, *, rate_per_s: float = 120.0, end_s: float = END_S, seed: int = 7, live: bool = True
) -> Truth:
    """Write seeded samples; a stall of 0.4 s at second 41 makes requests wait, a handful fail."""
    rng = np.random.default_rng(seed)
    recorder, truth = Recorder(T0_NS), Truth()
    for series, share, median_ns in SERIES:
        n = rng.poisson(rate_per_s * share * end_s)
        intended = np.sort(rng.uniform(0, end_s, n))
        intended = intended[rng.uniform(size=n) < np.minimum(1, (intended + 1) / WARM_UP_S)]
        service = median_ns * rng.lognormal(0, 0.45, len(intended))
        late = rng.exponential(0.3e6, len(intended)) + np.where(
            (intended > 41) & (intended < 41.4), (41.4 - intended) * 1e9, 0
        )
        outcome = np.where(rng.uniform(size=len(intended)) < 0.002, 1, 0)
        outcome[rng.uniform(size=len(intended)) < 0.0005] = 2
        _record(recorder, truth, series, intended, late, service, outcome)
    if live:
        _record_live(recorder, truth, rng, end_s)
    writer.intervals(recorder.fold())
    return truth


def _record(
    recorder: Recorder,
    truth: Truth,
    series: str,
    intended_s: NDArray[np.float64],
    late_ns: NDArray[np.float64],
    service_ns: NDArray[np.float64],
    outcomes: IntArray,
) -> None:
    for at, late, service, outcome in zip(
        (T0_NS + intended_s * 1e9).astype(np.int64).tolist(),
        late_ns.astype(np.int64).tolist(),
        service_ns.astype(np.int64).tolist(),
        outcomes.tolist(),
        strict=True,
    ):
        if outcome == Outcome.TIMEOUT:
            service = 10_000_000_000
        recorder.record(series, at, at + late, at + late + service, outcome, 512, "HTTP 503" if outcome == 1 else "")
        if WARM_UP_S <= (at - T0_NS) // 1_000_000_000 < END_S:
            if outcome == Outcome.OK:
                truth.response_ns.setdefault(series, []).append(late + service)
                truth.service_ns.setdefault(series, []).append(service)
            else:
                truth.failed[series] = truth.failed.get(series, 0) + 1


def _record_live(recorder: Recorder, truth: Truth, rng: np.random.Generator, end_s: float) -> None:
    for series, n, median_ns in (
        ("ws connect", 60, 8e6),
        ("ws subscribe", 60, 3e6),
        ("ws publish", int(8 * end_s), 2e6),
        ("ws deliver", int(480 * end_s), 9e6),
    ):
        intended = np.sort(rng.uniform(0, end_s if n > 60 else 10, n))
        quiet = np.zeros(n, dtype=np.int64)
        _record(
            recorder, truth, series, intended, rng.exponential(0.1e6, n), median_ns * rng.lognormal(0, 0.5, n), quiet
        )


def extras(writer: RunWriter, end_s: float = END_S, seed: int = 7) -> None:
    """Events, exemplars, the ledger and resources."""
    rng = np.random.default_rng(seed)
    writer.event(0, "phase", "warm-up begins")
    writer.event(WARM_UP_S, "phase", "steady state begins")
    writer.event(41.0, "fault", "target stopped answering for 0.4 s")
    for i in range(20):
        waited = 400.0 if i < 4 else 1.0
        writer.exemplar(
            {
                "series": SERIES[i % 8][0],
                "at_s": 41.0 + i / 10,
                "response_ms": 310.5 - 7 * i + waited,
                "service_ms": 310.5 - 7 * i,
                "outcome": "ok",
                "error": "",
                "detail": "",
                "request_id": f"01HQ{i:04}",
                "server_timing": "db;dur=212.4, app;dur=31.0",
            }
        )
    for series, *_ in SERIES[:4]:
        writer.exemplar(
            {
                "series": series,
                "at_s": 22.5,
                "response_ms": 41.0,
                "service_ms": 40.1,
                "outcome": "error",
                "error": "HTTP 503",
                "detail": '{"detail":"pool exhausted","token":"***"}',
                "request_id": "01HQERR",
            }
        )
    writer.deliveries({"expected": 36_000, "delivered": 36_000, "lost": 0, "duplicated": 0, "reordered": 0})
    for second in range(int(end_s)):
        busy = min(1.0, (second + 1) / WARM_UP_S)
        writer.resources(
            {
                "at_s": float(second),
                "generator_cpu_percent": 30 * busy + rng.normal(0, 2) + 3,
                "generator_rss_bytes": 120e6 + 1e5 * second,
                "swarm_cpu_percent": 14 * busy + rng.normal(0, 1) + 2,
                "target_cpu_percent": 62 * busy + rng.normal(0, 4) + 3,
                "target_rss_bytes": 180e6 + 4e5 * second,
                "machine_cpu_percent": 55 * busy + rng.normal(0, 2) + 3,
                "users": round(120 * busy),
                "waiting": 12.0 if second == 41 else 0.0,
                "in_flight": max(0.0, 5 * busy + rng.normal(0, 1)),
                "connections": 60.0 * min(1.0, (second + 1) / 10),
            }
        )


def build(
    directory: Path,
    judged: RunVerdict | None = PASSED,
    *,
    rate_per_s: float = 120.0,
    end_s: float = END_S,
    seed: int = 7,
    live: bool = True,
    **changes: object,
) -> tuple[Run, Truth]:
    """A run on disk and the truth it was made of."""
    final = header(**changes)
    writer = RunWriter(directory, final)
    truth = fill(writer, rate_per_s=rate_per_s, end_s=end_s, seed=seed, live=live)
    extras(writer, end_s, seed)
    writer.close(final)
    if judged:
        writer.verdict(judged)
    return Run(directory), truth


def ceil_rank(values: Iterable[int], percentile: float) -> int:
    """The slow, obvious percentile: sort, and take the value of rank ``ceil(p n)``."""
    ordered = np.sort(np.array(list(values)))
    return int(ordered[max(1, -int(-percentile * len(ordered) // 100)) - 1])


FAILED = RunVerdict(
    Status.FAIL,
    "FAIL: p95 of POST /tasks was 412 ms, over its limit of 200 ms; 5 other objectives held",
    (
        verdict(
            "POST /tasks",
            "p95 < 200ms",
            Status.FAIL,
            200e6,
            412e6,
            n=1_440,
            budget_spent=3.4,
            reason="17 % of requests were slower than 200 ms where 5 % may be; at least 14 % of all would be",
        ),
        verdict(
            "GET /tasks", "p95 < 80ms", Status.INCONCLUSIVE, 80e6, 79.99996e6, reason="80 ms lies between its bounds"
        ),
        *PASSED.verdicts[2:],
    ),
    CHECKS,
)

INVALID = RunVerdict(
    Status.INVALID,
    "INVALID: the generator used 97 % of a core and sent 1 in 8 requests late; the target was not tested",
    tuple(replace(one, status=Status.INVALID, reason="the generator was at its limit") for one in PASSED.verdicts[:3]),
    (
        replace(CHECKS[0], value="87.20% sent", ok=False),
        replace(CHECKS[2], value="busiest process at 97 % of a core (p95)", ok=False),
        CHECKS[1],
        Check("witness", "Witness probe p99", "14 ms", "< 20 ms", ok=True),
    ),
    partial="interrupted by Ctrl-C after 48 s",
)

INCONCLUSIVE = RunVerdict(
    Status.INCONCLUSIVE,
    "INCONCLUSIVE: 24 s of steady state decide nothing; p95 of GET /tasks needs about 70 s",
    (
        verdict(
            "GET /tasks",
            "p95 < 50ms",
            Status.INCONCLUSIVE,
            50e6,
            46e6,
            lower=41e6,
            upper=58e6,
            reason="50 ms lies between its bounds",
            notes=("needs about 70 s of steady state",),
        ),
    ),
    (replace(CHECKS[4], value="24 s", ok=False), *CHECKS[:4]),
)

HOSTILE = (
    "<script>alert(1)</script>",
    "]]> & \"quotes\" 'too'",
    "GET /" + "very-long-segment/" * 30,
    "GET /مهمة/قائمة",
    "POST /🚀/{id} | `x` @everyone $\\frac{1}{0}$",
    "control \x00\x08 \x1b[31m characters",
)
"""Names that would break a page, a chart, a table or XML."""


def many(series: int, seconds: int, n: int = 20, seed: int = 3) -> dict[str, dict[int, Interval]]:
    """Intervals of many series without going over the disk: lognormal successes, one error a second.

    Every 20 s the same seconds come again, which is fast to make.
    """
    rng = np.random.default_rng(seed)
    intervals: dict[str, dict[int, Interval]] = {}
    for i in range(series):
        name = f"GET /resource-{i:02}/{{id}}"
        drawn = []
        for _ in range(min(20, seconds)):
            us = (rng.lognormal(0, 0.5, n) * (8_000 + 1_500 * i)).astype(np.int64)
            late = rng.integers(1, 900, n)
            one = Interval(name, 0, n + 1, n, started=n + 1, completed=n, errors={"HTTP 503": 1})
            one.response, one.service, one.lateness = Histogram.of(us + late), Histogram.of(us), Histogram.of(late)
            one.failed_response = one.failed_service = Histogram.of([5_000])
            drawn.append(one)
        intervals[name] = {second: replace(drawn[second % 20], second=second) for second in range(seconds)}
    return intervals
