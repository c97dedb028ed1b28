"""The harness doubts itself: was the plan delivered, on time and completely, by a generator with room to spare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from loadtests.arrivalcheck import check_arrivals
from loadtests.duration import format_ns
from loadtests.evidence import Evidence
from loadtests.objective import Objective
from loadtests.run import Run
from loadtests.series import DELIVER, PUBLICATIONS, RECOVER, TALLIES, is_raised, is_request, is_stray, on_plan
from loadtests.settling import check_settled
from loadtests.verdict import Check
from loadtests.vitalcheck import check_vitals

__all__ = ["FLOOR_P95_SHARE", "FLOOR_P99_SHARE", "check_run", "slip_is_material"]

BLOCK_S = 10
LEAST_ACHIEVED, LEAST_ACHIEVED_IN_BLOCK = 0.99, 0.95
DEFAULT_LIMIT_NS = 200_000_000
FLOOR_P95_SHARE, FLOOR_P99_SHARE = 0.1, 0.2
LEDGER = (
    "expected",
    "delivered",
    "lost",
    "received",
    "duplicated",
    "late",
    "outside",
    "recovered",
    "foreign",
    "unsettled",
)


def slip_is_material(evidence: Evidence, limit_ns: int | None) -> bool:
    """Whether requests left so late that it can matter to a limit.

    Lateness p99 above max(2 ms, 1 % of the limit), or its maximum above 5 % of the limit.
    """
    limit_us = (limit_ns or DEFAULT_LIMIT_NS) / 1000
    p99_us, max_us = evidence.lateness_us(99), evidence.total.lateness.max_us
    return p99_us > max(2000.0, limit_us / 100) or max_us > limit_us / 20


def check_run(run: Run, objectives: Sequence[Objective]) -> Iterator[Check]:
    """Every self-check, in the order in which a reader wants them."""
    evidence = Evidence(run, on_plan(run.intervals))
    if run.header.model == "open" and evidence.total.count:
        yield _plan(evidence)
        yield _lateness(evidence, objectives)
    yield from _accounting(run)
    yield from _deliveries(run)
    yield from _unread(run)
    yield from _unplaced(run)
    yield from _lost(run)
    yield from _user_code(run)
    yield from _clamped(run)
    yield from check_vitals(run, min((o.limit_ns for o in objectives if o.limit_ns), default=DEFAULT_LIMIT_NS))
    yield from check_arrivals(run)
    yield from _floor(run, objectives)
    yield _length(run)
    yield from check_settled(run)


def _plan(evidence: Evidence) -> Check:
    """Sends against plan, overall and in each 10 s block."""
    planned = np.array([i.count for i in evidence.intervals])
    sent = np.array([i.started for i in evidence.intervals])
    whole = len(planned) // BLOCK_S * BLOCK_S
    share = sent.sum() / planned.sum()
    blocks = [(sent[k : k + BLOCK_S].sum(), planned[k : k + BLOCK_S].sum()) for k in range(0, whole, BLOCK_S)]
    worst = min((s / p for s, p in blocks if p), default=share)
    dropped = sum(i.never_started for i in evidence.intervals)
    text = f"{_percent(share)} sent, worst 10 s {_percent(worst)}" + (f", {dropped:,} never sent" if dropped else "")
    ok = bool(share >= LEAST_ACHIEVED and worst >= LEAST_ACHIEVED_IN_BLOCK)
    return Check("plan", "The plan was kept", text, "at least 99 %, and 95 % in every 10 s", ok)


def _lateness(evidence: Evidence, objectives: Sequence[Objective]) -> Check:
    limit_ns = min((o.limit_ns for o in objectives if o.limit_ns), default=DEFAULT_LIMIT_NS)
    p99, most = (format_ns(us * 1000) for us in (evidence.lateness_us(99), evidence.total.lateness.max_us))
    p99_allowed, most_allowed = format_ns(max(2e6, limit_ns / 100)), format_ns(limit_ns / 20)
    return Check(
        "lateness",
        "Requests left on time",
        f"late by {p99} at p99, {most} at most",
        f"p99 {p99_allowed}, at most {most_allowed}; beyond it both readings must agree",
        not slip_is_material(evidence, limit_ns),
    )


def _accounting(run: Run) -> Iterator[Check]:
    """What was counted at the source is in the record: arrivals, requests, and every time of each.

    Planned = started + dropped + unsent (+ not yet due, in a run cut short); begun = recorded + in flight; publishes
    due = recorded + in flight; each request that left has a lateness, each that came to an end a response and a service
    time, each success the second it ended.
    """
    header, title = run.header, "Every request is accounted for"
    counted = header.accounting
    if not counted:
        if header.state in ("complete", "stopped"):
            text = "no count of what was sent came from the generator"
            yield Check("accounting", title, text, "exact", ok=False, fatal=True)
        return
    not_due = 0
    arrivals = sum(counted.get(name, 0) for name in ("started", "dropped", "unsent"))
    planned = arrivals if header.planned is None else header.planned
    if header.state in ("partial", "stopped"):
        not_due = planned - counted.get("offered", 0)
    everything = [i for name, seconds in run.intervals.items() if name not in TALLIES for i in seconds.values()]
    http = [i for i in everything if is_request(i.series) or is_stray(i.series)]
    left, never = sum(i.count - i.never_started for i in http), sum(i.never_started for i in http)
    all_left = sum(i.count - i.never_started for i in everything)
    ended, untimed = all_left - sum(i.lost for i in everything), sum(i.untimed for i in everything)
    identities = {
        "arrivals": (arrivals + not_due, planned),
        "requests": (left + counted.get("requests_in_flight", 0), counted.get("requests_begun", 0)),
        "publishes": (
            sum(i.count for i in everything if i.series in PUBLICATIONS)
            + sum(counted.get(f"publishes_{where}", 0) for where in ("in_flight", "away")),
            counted.get("publishes_planned", 0),
        ),
        "unsent": (never, counted.get("dropped", 0) + counted.get("unsent", 0)),
        "times": (sum(h.total for i in everything for _, h in i.histograms()), all_left + 2 * ended - 3 * untimed),
        "starts and ends": (sum(i.started + i.completed for i in everything), all_left + sum(i.ok for i in everything)),
    }
    text = ", ".join(f"{found:,} of {due:,} {what}" for what, (found, due) in identities.items() if due or found)
    if away := counted.get("publishes_away", 0):
        text += f"; {away:,} of the publishes came due, or were not acknowledged yet, while we had their members away"
    ok = all(found == due for found, due in identities.values())
    yield Check("accounting", title, text or "nothing was sent", "exact", ok, fatal=True)


def _deliveries(run: Run) -> Iterator[Check]:
    """What the swarm's ledger counted is in the record: what came once and in time, and what was lost.

    And the ledger itself must add up: expected = delivered + lost, and received = delivered + outside + recovered +
    foreign + duplicated + late, and in a run that was stopped what came of messages that were not settled yet.
    """
    deliveries = [i for name in (DELIVER, RECOVER) for i in run.intervals.get(name, {}).values()]
    ledger = run.deliveries
    if run.header.state == "running" or not (deliveries or ledger):
        return
    came, lost = sum(i.ok for i in deliveries), sum(i.lost for i in deliveries)
    counted = {name: ledger.get(name, 0) for name in LEDGER}
    in_time = counted["received"] - counted["duplicated"] - counted["late"]
    classes = ("delivered", "outside", "recovered", "foreign", "unsettled")
    complete = run.header.state == "complete"
    settled = (
        counted["expected"] == counted["delivered"] + counted["lost"]
        and in_time == sum(counted[name] for name in classes)
        and not (complete and counted["unsettled"])
    ) or not (complete or "unsettled" in ledger)  # runs of before did not count them
    text = f"{came:,} of {in_time:,} received and {lost:,} of {counted['lost']:,} lost ones found again"
    text += f"; {counted['unsettled']:,} not settled when it ended" if counted["unsettled"] else ""
    text += "" if settled else "; the ledger does not add up"
    yield Check(
        "deliveries",
        "Every delivery is accounted for",
        text,
        "exact",
        settled and (came, lost) == (in_time, counted["lost"]),
        fatal=True,
    )


def _unread(run: Run) -> Iterator[Check]:
    """A server says much that is no delivery; but if nothing at all is one, then it was sought in the wrong place."""
    account = run.swarm
    if account.unread and not (run.deliveries.get("received") or account.slow):
        text = f"of {account.unread:,} messages none was read: {account.example}"
        mend = "name the fields as the server does (--adapter)"
        yield Check("unread", "What came was read", text, "not all in vain", ok=False, fatal=True, remedy=mend)


def _unplaced(run: Run) -> Iterator[Check]:
    """Numbers that begin again before somebody who stayed, or two numberings of one stream: losses are not seen."""
    if unplaced := run.swarm.unplaced:
        text = f"{unplaced:,} deliveries bore numbers from before the first heard, or such that begin again: "
        text += "what was lost of those, nobody knows"
        mend = "tell numberings apart by their channels (--adapter)"
        yield Check("numbers", "Every number had its place", text, "all", ok=False, fatal=True, remedy=mend)


def _lost(run: Run) -> Iterator[Check]:
    lost = [event["text"] for event in run.events if event["kind"] in ("lost", "member error")]
    if lost:
        yield Check("lost", "Every process lived", lost[0], "none lost", ok=False, fatal=True)


def _user_code(run: Run) -> Iterator[Check]:
    raised = sum(i.count for n, s in run.intervals.items() if is_raised(n) for i in s.values())
    if raised:
        started = run.header.accounting.get("started", 0) or run.header.accounting.get("requests_begun", 0)
        text = f"user code raised {raised:,} times, see events.jsonl"
        yield Check(
            "user code", "The scenario's own code ran", text, "1 % of tasks", raised <= started / 100, fatal=True
        )


def _clamped(run: Run) -> Iterator[Check]:
    histograms = [h for by_second in run.intervals.values() for i in by_second.values() for _, h in i.histograms()]
    negative, beyond = sum(h.underflow for h in histograms), sum(h.overflow for h in histograms)
    if negative:
        yield Check("clock", "Time never ran backwards", f"{negative:,} negative times", "none", ok=False, fatal=True)
    if beyond:
        yield Check("range", "Times fit the histogram", f"{beyond:,} over 60 s, counted as 60 s", "none", ok=True)


def _floor(run: Run, objectives: Sequence[Objective]) -> Iterator[Check]:
    """C1: what the harness itself takes, by the calibration that speaks for this run, beside the tightest limit."""
    p95, p99 = run.header.floor_ms(95), run.header.floor_ms(99)
    if p95 is None or p99 is None:
        return
    limit_ms = min((o.limit_ns for o in objectives if o.limit_ns), default=DEFAULT_LIMIT_NS) / 1e6
    cited = run.header.calibration
    hours = (run.header.started_wall_s - cited["made_wall_s"]) / 3600
    broken = "".join(f"; {each}" for each in cited["broken"])
    yield Check(
        "floor",
        "The harness adds little of its own",
        f"p95 {p95:.2g} ms, p99 {p99:.2g} ms from a server that does nothing; {cited['headroom']:.1f} times "
        f"{cited['rate_per_s']:g}/s driven, {hours:.0f} h before{broken}",
        f"10 and 20 % of {limit_ms:g} ms",
        p95 <= FLOOR_P95_SHARE * limit_ms and p99 <= FLOOR_P99_SHARE * limit_ms and not broken,
        remedy="calibrate again on a quieter machine: loadtests doctor",
    )


def _length(run: Run) -> Check:
    seconds = len(run.header.steady_seconds())
    return Check(
        "length", "The steady state was long enough", f"{seconds} s", "at least 30 s, better 60", seconds >= 30
    )


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2f} %"
