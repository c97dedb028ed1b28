"""What the generator was short of, by its own readings of each second, and what to do about it."""

from __future__ import annotations

from loadtests.health import DEFAULT_LIMIT_NS
from loadtests.lapse import BUSY_PERCENT, lapses
from loadtests.run import Run
from loadtests.vitalcheck import BUSY_SHARE

__all__ = ["remedy"]

_UNREAD = "lower the rate, allow more users (--users), or share the load among more processes (--processes)"


def remedy(run: Run) -> str:
    """What to do about requests that left late, or never, by the most telling of the run's readings."""
    steady = set(run.header.steady_seconds())
    rows = [row for row in run.resources if int(row["at_s"]) in steady]
    if not rows:
        return _UNREAD

    def often(name: str, above: float) -> bool:
        return sum(row.get(name, 0.0) > above for row in rows) >= BUSY_SHARE * len(rows)

    long = [lapse for lapse in lapses(run, DEFAULT_LIMIT_NS) if len(lapse.seconds) >= BUSY_SHARE * len(steady)]

    def lapsed(*checks: str) -> str | None:
        return next((f"{lapse.told}; {lapse.remedy}" for lapse in long if lapse.check in checks), None)

    planned = run.header.users
    gone = sum(row.get("users", planned) < planned for row in rows)
    if run.header.model == "open" and gone >= BUSY_SHARE * len(rows):
        left = min(int(row.get("users", planned)) for row in rows)
        return f"only {left:,} of {planned:,} users were left; mend the user class that stops its users"
    if told := lapsed("pool", "means"):
        return told
    if run.header.accounting.get("dropped", 0):
        return "the target keeps too many requests under way; lower the rate, or raise --users and load.in_flight_cap"
    if told := lapsed("cpu", "throttle", "steal"):
        return told
    if often("waiting", 0):
        return "no user was idle when requests were due; allow more (--users), or lower the rate"
    if told := lapsed("loop"):
        return told
    if often("machine_cpu_percent", BUSY_PERCENT):
        return "all of this machine's processors were busy; give the generator a machine of its own, or lower the rate"
    return "it was short of nothing itself, so this machine kept it waiting; run again with nothing else going on"
