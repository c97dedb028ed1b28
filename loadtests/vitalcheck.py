"""The self-checks of the generator's own processes and machine: whether anything of ours stood in the clock's way."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from loadtests.allowance import is_loopback
from loadtests.lapse import BUSY_PERCENT, NO_MEANS, REMEDIES, Lapse, lapses, processors_percent
from loadtests.run import Run
from loadtests.series import is_request, is_stray
from loadtests.verdict import Check

__all__ = ["BUSY_SHARE", "UNFIT", "check_vitals"]

UNFIT = ("cpu", "loop", "pool", "steal")
"""Checks that tell of a generator not fit to measure: where nothing was decided, that is what to mend first."""
LATE_SHARE = 0.01
CLOCK_STEP_MS, CLOCK_DRIFT_PPM = 1.0, 50.0
MOST_PORTS_PERCENT = MOST_DESCRIPTORS_PERCENT = 70.0
BUSY_SHARE = 0.05
COLLECTOR_SHARE = 0.02
MEAN_STEAL_PERCENT = 2.0
LITTLE_SHARE, LITTLE_US = 0.02, 1000.0


def check_vitals(run: Run, limit_ns: int) -> Iterator[Check]:
    """Every check that the processes' own readings allow, against the tightest latency limit."""
    found = lapses(run, limit_ns)
    steady = set(run.header.steady_seconds())
    rows = [  # a row tells of the second before it
        row for row in run.vitals if row["source"] != "orchestrator" and math.floor(row["at_s"]) - 1 in steady
    ]
    yield from _processors(run)
    if any(row["probes"] for row in rows):
        yield _loop(rows, [lapse for lapse in found if lapse.check == "loop"])
        yield _collector(rows, limit_ns)
        yield from _descriptors(rows)
    yield from _clock(run)
    yield from _pool(found)
    yield from _machine(run, [lapse for lapse in found if lapse.check in ("steal", "throttle")])
    yield from _means(run)
    yield from _little(run)
    yield from _network(run)


def _processors(run: Run) -> Iterator[Check]:
    """G4: every process's core had room."""
    steady = run.header.steady_seconds()
    by_process = {
        who: [by_second[second] for second in steady if second in by_second]
        for who, by_second in processors_percent(run).items()
    }
    p95 = {who: float(np.percentile(percents, 95)) for who, percents in by_process.items() if percents}
    if p95:
        who = max(p95, key=lambda name: p95[name])
        busy = sum(percent > BUSY_PERCENT for percent in by_process[who])
        text = f"busiest process, {who}, at {p95[who]:.0f} % of a core (p95)"
        if busy:
            text += f", over 90 % in {busy} of {len(by_process[who])} s"
        room = busy <= BUSY_SHARE * len(by_process[who])
        yield Check("cpu", "The generator had room", text, "over 90 % in 5 % of the time", room, remedy=REMEDIES["cpu"])


def _loop(rows: list[dict[str, Any]], stood: list[Lapse]) -> Check:
    """G2: every process's probe wakes on time."""
    looks, late = Counter[str](), Counter[str]()
    for row in rows:
        looks[row["source"]] += int(row["probes"])
        late[row["source"]] += int(row["late_probes"])
    share, who = max((late[source] / n, source) for source, n in looks.items() if n)
    value = "; ".join([f"{100 * share:.2g} % of {who}'s time over 5 ms late", *(lapse.told for lapse in stood[:1])])
    on_time = share <= LATE_SHARE
    return Check("loop", "The event loops kept time", value, "at most 1 %", on_time, remedy=REMEDIES["loop"])


def _collector(rows: list[dict[str, float]], limit_ns: int) -> Check:
    """G5: the garbage collector's pauses, for information."""
    worst = max(row["collector_worst_ms"] for row in rows)
    total = sum(row["collector_ms"] for row in rows) / len(rows)
    text = f"at most {worst:.2g} ms at once, {total:.2g} ms a second"
    if worst * 1e6 > COLLECTOR_SHARE * limit_ns:
        text += ", long beside the limit: users' code makes much garbage"
    return Check("collector", "The garbage collector was brief", text, "2 % of the limit; told only", ok=True)


def _descriptors(rows: list[dict[str, float]]) -> Iterator[Check]:
    """G9: open files against their limit."""
    shares = [
        (100 * row["descriptors"] / row["descriptors_limit"], row["source"]) for row in rows if "descriptors" in row
    ]
    if shares:
        share, who = max(shares)
        yield Check(
            "descriptors",
            "There were files to spare",
            f"{who} had {share:.0f} % of its descriptors open",
            "70 %",
            share <= MOST_DESCRIPTORS_PERCENT,
            remedy="raise the limit (ulimit -n) before the run",
        )


def _clock(run: Run) -> Iterator[Check]:
    """G10: the wall clock neither stepped nor drifted against the monotonic one, from which all times are taken."""
    steps: list[tuple[float, str, float]] = []
    drifts = [0.0]
    for source in {row["source"] for row in run.vitals}:
        rows = [row for row in run.vitals if row["source"] == source]
        offset = np.array([row["clock_offset_ms"] for row in rows])
        at_s = np.array([row["at_s"] for row in rows])
        if len(rows) > 1:
            by_ms = np.abs(np.diff(offset)) - np.diff(at_s) * CLOCK_DRIFT_PPM / 1000
            k = int(by_ms.argmax())
            steps.append((float(by_ms[k]), source, float(at_s[k + 1])))
            if at_s[-1] - at_s[0] >= 30:
                drifts.append(float(abs(offset[-1] - offset[0]) / (at_s[-1] - at_s[0]) * 1000))
    if steps:
        step_ms, source, at_s_ = max(steps)
        stepped = step_ms > CLOCK_STEP_MS
        text = f"drift {max(drifts):.1f} ppm" + (
            f"; it was set by {step_ms:.3g} ms at {at_s_:.0f} s" if stepped else ""
        )
        yield Check(
            "clock step",
            "The clock was left alone",
            text,
            "50 ppm, no step over 1 ms",
            not stepped and max(drifts) <= CLOCK_DRIFT_PPM,
            fatal=True,
            remedy="let nothing set the clock during a run (let NTP slew it), then make it again",
        )


def _pool(found: list[Lapse]) -> Iterator[Check]:
    """G7: no request queues for a connection of the client's own pool."""
    for lapse in found:
        if lapse.check == "pool":
            title = "No request waited in the client"
            yield Check("pool", title, lapse.told, "0.1 % of the requests", ok=False, remedy=lapse.remedy)


def _machine(run: Run, found: list[Lapse]) -> Iterator[Check]:
    """G6: the machine's time was ours."""
    steady = set(run.header.steady_seconds())
    steal = [
        row["steal_percent"]
        for row in run.resources
        if "steal_percent" in row and math.floor(row["at_s"]) - 1 in steady
    ]
    if steal or found:
        mean = float(np.mean(steal)) if steal else 0.0
        text = "; ".join([f"{mean:.2g} % of its time went to others", *(lapse.told for lapse in found[:1])])
        yield Check(
            "steal",
            "The machine was ours",
            text,
            "2 % stolen, no CPU quota reached",
            mean <= MEAN_STEAL_PERCENT and not any(lapse.check == "throttle" for lapse in found),
            remedy=(found[0].remedy if found else REMEDIES["steal"]),
        )


def _means(run: Run) -> Iterator[Check]:
    """G8, G9: ports and descriptors never ran out, and retransmissions as far as the machine tells."""
    failed = sum(
        interval.errors.get(kind, 0)
        for by_second in run.intervals.values()
        for interval in by_second.values()
        for kind in NO_MEANS
    )
    ports = max((row.get("ports_percent", 0.0) for row in run.resources), default=0.0)
    if failed or ports:
        lost = {n: sum(row.get(n, 0.0) for row in run.resources) for n in ("retransmits", "listen_overflows")}
        text = f"{ports:.0f} % of the ports in use" + (
            f", {failed:,} requests found none, or no descriptor" if failed else ""
        )
        text += "".join(
            f"; {count:,.0f} {name.replace('_', ' ')} on this machine" for name, count in lost.items() if count
        )
        yield Check(
            "means",
            "There were ports to spare",
            text,
            "70 %, none failed",
            not failed and ports <= MOST_PORTS_PERCENT,
            fatal=bool(failed),
            remedy=REMEDIES["means"],
        )


def _little(run: Run) -> Iterator[Check]:
    """G11: the time that requests were under way is the time that was recorded (L = lambda W)."""
    under_way_us = run.header.accounting.get("in_flight_us")
    requests = [i for name, by in run.intervals.items() if is_request(name) or is_stray(name) for i in by.values()]
    recorded = [histogram for i in requests for histogram in (i.service, i.failed_service)]
    n = sum(histogram.total for histogram in recorded)
    if under_way_us is None or not n:
        return
    recorded_us = sum((histogram.mean_us() or 0.0) * histogram.total for histogram in recorded)
    allowed_us = max(LITTLE_SHARE * under_way_us, LITTLE_US * n)
    yield Check(
        "little",
        "Time under way is time recorded",
        f"{under_way_us / 1e6:,.1f} s under way, {recorded_us / 1e6:,.1f} s recorded (L = λ·W)",
        "within 2 %, or 1 ms a request",
        abs(under_way_us - recorded_us) <= allowed_us,
        remedy="times are missing or were counted twice: make the run again, and report it should it happen twice",
    )


def _network(run: Run) -> Iterator[Check]:
    """G14: loopback is no network."""
    if is_loopback(urlsplit(run.header.target).hostname or ""):
        yield Check("network", "No network in these times", "the target is on this machine", "told only", ok=True)
