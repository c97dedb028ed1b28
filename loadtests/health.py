"""The harness doubts itself: was the plan delivered, on time and completely, by a generator with room to spare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from loadtests.evidence import Evidence
from loadtests.objective import Objective
from loadtests.run import Run
from loadtests.verdict import Check

__all__ = ["check_run", "slip_is_material"]

BLOCK_S = 10
LEAST_ACHIEVED, LEAST_ACHIEVED_IN_BLOCK = 0.99, 0.95
BUSY_PERCENT, BUSY_SHARE = 90.0, 0.05
DEFAULT_LIMIT_NS = 200_000_000


def slip_is_material(evidence: Evidence, limit_ns: int | None) -> bool:
    """Whether requests left so late that it can matter to a limit.

    Lateness p99 above max(2 ms, 1 % of the limit), or its maximum above 5 % of the limit.
    """
    limit_us = (limit_ns or DEFAULT_LIMIT_NS) / 1000
    p99_us, max_us = evidence.lateness_us(99), evidence.total.lateness.max_us
    return p99_us > max(2000.0, limit_us / 100) or max_us > limit_us / 20


def check_run(run: Run, objectives: Sequence[Objective]) -> Iterator[Check]:
    """Every self-check, in the order in which a reader wants them."""
    planned = [n for n in run.intervals if not n.startswith(("ws deliver", "ws connect", "ws subscribe", "task "))]
    evidence = Evidence(run, planned)
    if run.header.model == "open":
        yield _plan(evidence)
        yield _lateness(evidence, objectives)
    yield from _accounting(run)
    yield from _lost(run)
    yield from _generator_cpu(run)
    yield from _user_code(run)
    yield from _clamped(evidence)
    yield _length(run)


def _plan(evidence: Evidence) -> Check:
    """Sends against plan, overall and in each 10 s block."""
    planned = np.array([i.count for i in evidence.intervals])
    sent = np.array([i.started for i in evidence.intervals])
    whole = len(planned) // BLOCK_S * BLOCK_S
    share = sent.sum() / planned.sum() if planned.sum() else 0.0
    blocks = [(sent[k : k + BLOCK_S].sum(), planned[k : k + BLOCK_S].sum()) for k in range(0, whole, BLOCK_S)]
    worst = min((s / p for s, p in blocks if p), default=share)
    dropped = sum(i.never_started for i in evidence.intervals)
    text = f"{share:.2%} sent, worst 10 s {worst:.2%}" + (f", {dropped:,} never sent" if dropped else "")
    ok = bool(not planned.sum() or share >= LEAST_ACHIEVED and worst >= LEAST_ACHIEVED_IN_BLOCK)
    return Check("plan", "The plan was kept", text, "at least 99 %, and 95 % in every 10 s", ok)


def _lateness(evidence: Evidence, objectives: Sequence[Objective]) -> Check:
    limit_ns = min((o.limit_ns for o in objectives if o.limit_ns), default=DEFAULT_LIMIT_NS)
    p99_ms, max_ms = evidence.lateness_us(99) / 1000, evidence.total.lateness.max_us / 1000
    allowed_ms = max(2.0, limit_ns / 1e8)
    return Check(
        "lateness",
        "Requests left on time",
        f"late by {p99_ms:.2g} ms at p99, {max_ms:.3g} ms at most",
        f"p99 {allowed_ms:.3g} ms, at most {limit_ns / 2e7:.3g} ms; beyond it both readings must agree",
        not slip_is_material(evidence, limit_ns),
    )


def _accounting(run: Run) -> Iterator[Check]:
    """Planned = started + dropped + unsent (+ not yet due, in a run cut short); sent = recorded + in flight."""
    counted = run.header.accounting
    if not counted:
        return
    not_due = counted.get("planned", 0) - counted.get("offered", 0) if run.header.state == "partial" else 0
    arrivals = counted.get("started", 0) + counted.get("dropped", 0) + counted.get("unsent", 0) + not_due
    http = [i for name, s in run.intervals.items() if not name.startswith(("ws ", "task ")) for i in s.values()]
    recorded = sum(i.count - i.never_started for i in http) + counted.get("requests_in_flight", 0)
    begun, planned = counted.get("requests_begun", 0), counted.get("planned", arrivals)
    never = sum(i.never_started for i in http)
    ok = planned == arrivals and begun == recorded and never == counted.get("dropped", 0) + counted.get("unsent", 0)
    yield Check(
        "accounting",
        "Every request is accounted for",
        f"{planned:,} planned, {arrivals:,} arrivals and {recorded:,} of {begun:,} requests found again",
        "exact",
        ok,
        fatal=True,
    )


def _lost(run: Run) -> Iterator[Check]:
    lost = [event["text"] for event in run.events if event["kind"] in ("lost", "member error")]
    if lost:
        yield Check("lost", "Every process lived", lost[0], "none lost", ok=False, fatal=True)


def _generator_cpu(run: Run) -> Iterator[Check]:
    steady = set(run.header.steady_seconds())
    rows = [row for row in run.resources if int(row["at_s"]) in steady and "generator_cpu_percent" in row]
    cpu = np.array([max(row["generator_cpu_percent"], row.get("swarm_cpu_percent", 0.0)) for row in rows])
    if cpu.size:
        busy = int((cpu > BUSY_PERCENT).sum())
        text = f"busiest process at {np.percentile(cpu, 95):.0f} % of a core (p95)"
        if busy:
            text += f", over 90 % in {busy} of {cpu.size} s: add a worker (--processes)"
        yield Check(
            "cpu", "The generator had room", text, "over 90 % in 5 % of the time", busy <= BUSY_SHARE * cpu.size
        )


def _user_code(run: Run) -> Iterator[Check]:
    raised = sum(i.count for n, s in run.intervals.items() if n.startswith("task ") for i in s.values())
    if raised:
        started = run.header.accounting.get("started", 0) or run.header.accounting.get("requests_begun", 0)
        text = f"user code raised {raised:,} times; see events.jsonl"
        yield Check(
            "user code", "The scenario's own code ran", text, "1 % of tasks", raised <= started / 100, fatal=True
        )


def _clamped(evidence: Evidence) -> Iterator[Check]:
    h = evidence.total.response
    if h.underflow or evidence.total.lateness.underflow:
        yield Check(
            "clock", "Time never ran backwards", f"{h.underflow:,} negative times", "none", ok=False, fatal=True
        )
    if h.overflow:
        yield Check("range", "Times fit the histogram", f"{h.overflow:,} over 60 s, counted as 60 s", "none", ok=True)


def _length(run: Run) -> Check:
    seconds = len(run.header.steady_seconds())
    return Check(
        "length", "The steady state was long enough", f"{seconds} s", "at least 30 s, better 60", seconds >= 30
    )
