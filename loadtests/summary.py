"""``summary.json``: the figures of the steady state, for machines.

::

    {"verdict", "sentence", "exit_code", "partial", "name", "run_id", "target", "model", "steady_s", "planned",
     "accounting": {COUNT: n},
     "stopped": {as in run.json},
     "settled": {"from_s", "until_s", "signal", "drift", "course"},
     "series": {NAME: {"count", "ok", "errors", "timeouts", "error_kinds": {KIND: n}, "dropped", "unsent", "lost",
                       "throughput_per_s", "response_ms": TIMES, "service_ms": TIMES, "lateness_ms": TIMES,
                       "failed_response_ms": TIMES}},
     "deliveries": {COUNT: n},
     "swarm": {"closes": {WHY: n}, "fairness", "connected": {"wanted_s", "down_s"},
               "subscribers": AFFECTED, "streams": AFFECTED},
     "contract": {NAME: {"checked", "checked_unloaded", "breaches": [{"kind", "broken", "broken_unloaded", "when"}]}},
     "objectives": [as in verdict.json],
     "locust_says": {PROCESS: {NAME: Locust's own figures}}}

with AFFECTED ``{"n", "worst": [FAULTS], "lost", "late", "duplicated", "reordered", "foreign"}``, with the deliveries of
how many something went wrong, the worst few of them, and how many had each kind of fault; FAULTS ``{"of", "lost",
"due", "late", "duplicated", "reordered", "displacement", "foreign"}``, how many deliveries of one had each, and the
largest displacement; and
TIMES ``{"p50", "p90", "p95", "p99", "p99.9", "max"}`` in milliseconds, null where there is nothing to measure.
``stopped`` is there when the run was ended because it was certainly failing, ``settled`` where a steady state was
looked for: from which second of the run on, by which signal, ``drift`` (the factor, null without one) and the course of
p50. ``throughput_per_s`` is of the settled seconds.
``deliveries`` and ``swarm`` are there with a swarm, ``locust_says`` with Locust users, ``contract`` (over the whole
run) where answers were checked; ``when`` is as in :class:`~loadtests.breach.Breach`. ``errors`` are those of every
kind, time-outs among them; ``ok`` and ``errors``, ``dropped``, ``unsent`` and ``lost`` add up to ``count``. Response
and service times are of requests that ended well; those of failed ones stand beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtests.breach import breaches, checked
from loadtests.faults import Affected
from loadtests.histogram import Histogram
from loadtests.run import Run
from loadtests.series import CONNECTED, TALLIES
from loadtests.steadystate import settled_seconds, steady_state
from loadtests.verdict import RunVerdict

__all__ = ["PERCENTILES", "summarise"]

PERCENTILES = (50, 90, 95, 99, 99.9)


def summarise(run: Run, verdict: RunVerdict, locust: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The steady state in figures; ``locust`` are Locust's own, for comparison only."""
    seconds, settled = len(run.header.steady_seconds()), settled_seconds(run)
    series = {}
    for name in run.intervals:
        total = run.steady(name)
        if name in TALLIES or not (total.count or total.completed):
            continue
        completed = sum(run.intervals[name][s].completed for s in settled if s in run.intervals[name])
        series[name] = {
            "count": total.count,
            "ok": total.ok,
            "errors": total.error_count + total.timeouts,
            "timeouts": total.timeouts,
            "error_kinds": total.errors,
            "dropped": total.dropped,
            "unsent": total.unsent,
            "lost": total.lost,
            "throughput_per_s": round(completed / len(settled), 3) if settled else None,
            "response_ms": _milliseconds(total.response),
            "service_ms": _milliseconds(total.service),
            "lateness_ms": _milliseconds(total.lateness),
            "failed_response_ms": _milliseconds(total.failed_response),
        }
    header = run.header
    return {
        "verdict": verdict.status.value,
        "sentence": verdict.sentence,
        "exit_code": int(verdict.status.exit_code),
        "partial": header.partial,
        "name": header.name,
        "run_id": header.run_id,
        "target": header.target,
        "model": header.model,
        "steady_s": seconds,
        "planned": header.planned,
        "accounting": dict(header.accounting),
        **({"stopped": dict(header.stopped)} if header.stopped else {}),
        **({"settled": settling} if (settling := _settled(run)) else {}),
        "series": series,
        **({"deliveries": run.deliveries, "swarm": _swarm(run)} if run.deliveries else {}),
        **({"contract": contract} if (contract := _contract(run)) else {}),
        "objectives": [v.to_json() for v in verdict.verdicts],
        **({"locust_says": dict(locust)} if locust else {}),
    }


def _swarm(run: Run) -> dict[str, Any]:
    account, connected = run.swarm, run.steady(CONNECTED)
    times = {"wanted_s": connected.count, "down_s": connected.failed}
    affected = {"subscribers": _affected(account.subscribers), "streams": _affected(account.streams)}
    return {"closes": dict(account.closes), "fairness": account.fairness.index, "connected": times, **affected}


def _affected(found: Affected) -> dict[str, Any]:
    told = [one._asdict() for one in found.worst]
    return found._asdict() | {"worst": [{"of": faults.pop("name"), **faults} for faults in told]}


def _settled(run: Run) -> dict[str, Any] | None:
    state = steady_state(run)
    return (
        None
        if state is None
        else {
            "from_s": state.settled_s,
            "until_s": state.end_s,
            "signal": state.signal,
            "drift": state.drift.factor if state.drift else None,
            "course": state.course.shape.value,
        }
    )


def _contract(run: Run) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {
        name: {"checked": n, "checked_unloaded": tried, "breaches": []} for name, (n, tried) in checked(run).items()
    }
    for one in breaches(run):
        row = {"kind": one.kind, "broken": one.count, "broken_unloaded": one.unloaded, "when": one.when}
        found[one.series]["breaches"].append(row)
    return found


def _milliseconds(histogram: Histogram) -> dict[str, float | None]:
    row = {f"p{p:g}": histogram.percentile_us(p) for p in PERCENTILES}
    row["max"] = float(histogram.max_us) if histogram.index.size else None
    return {name: None if us is None else us / 1000 for name, us in row.items()}
