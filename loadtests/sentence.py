"""The verdict in one sentence that a director can repeat."""

from __future__ import annotations

import math

from loadtests.remedy import remedy
from loadtests.run import Run
from loadtests.verdict import RunVerdict, Status, Verdict
from loadtests.vitalcheck import UNFIT

__all__ = ["run_sentence"]

_AGAIN = "make the run again, and report it should it happen twice"
_REMEDIES = {
    "accounting": ("not every request is accounted for ({})", _AGAIN),
    "deliveries": ("not every delivery is accounted for ({})", _AGAIN),
    "lost": ("part of the load was lost ({})", "see generator.log, then make the run again"),
    "user code": ("the scenario's own code is broken ({})", "mend it, then make the run again"),
    "clock": ("clocks disagree ({})", "keep all of the load on one machine"),
}
"""What a broken self-check that nothing else can mend means, and what to do about it."""


def run_sentence(run: Run, verdict: RunVerdict) -> str:
    """``PASS: 120 users and 60 live connections for 60 s; every objective held; the closest is ...``."""
    early = f" (the run ended early: {verdict.partial})" if verdict.partial else ""
    if stop := run.header.stopped:
        early = f" (stopped early after {stop['after_s']} s: certainly failing {stop['objective']} of {stop['series']})"
    return f"{verdict.status.value}: {_load(run)}; {_FINDINGS[verdict.status](run, verdict)}{early}"


def _load(run: Run) -> str:
    header = run.header
    amounts = ((header.users, "user"), (header.connections, "live connection"))
    who = [f"{n:,} {what}{'' if n == 1 else 's'}" for n, what in amounts if n]
    return f"{' and '.join(who) or 'no load'} for {_span(len(header.steady_seconds()))}"


def _span(seconds: int) -> str:
    return (
        f"{seconds} s" if seconds < 120 else f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"
    )


def _passed(run: Run, verdict: RunVerdict) -> str:
    closest = max(verdict.verdicts, key=_nearness)
    if _nearness(closest) <= 0:
        return "every objective held, and nothing bad was seen"
    return f"every objective held; the closest is {_what(closest)} at {100 * _nearness(closest):.0f} % of its limit"


def _failed(run: Run, verdict: RunVerdict) -> str:
    failed = _with_status(verdict)
    if not failed:
        return "the target failed"
    worst = max(failed, key=_nearness)
    first = "the worst is " if len(failed) > 1 else ""
    rest = f"; {_share_of(failed, verdict)} failed" if len(verdict.verdicts) > 1 else ""
    return f"{first}{_series(worst)}: {worst.reason.split('; ')[0]}{rest}"


def _invalid(run: Run, verdict: RunVerdict) -> str:
    broken = {check.name: check for check in verdict.checks if not check.ok}
    fatal = [check for check in broken.values() if check.fatal]
    if fatal:
        finding, mend = _REMEDIES.get(fatal[0].name, ("{}", fatal[0].remedy))
        return f"{finding.format(fatal[0].value)}, so nothing is said of the target: {mend}"
    if run.header.fault == "generator":
        return "the generator failed, so nothing is said of the target: see generator.log, then make the run again"
    spoilt = _with_status(verdict)
    if "plan" in broken:
        kept = broken["plan"].value
        return f"the generator did not keep its plan ({kept}), so nothing is said of the target: {remedy(run)}"
    if not spoilt:
        check = next(broken[name] for name in UNFIT if name in broken)
        return f"the generator was not fit to measure ({check.value}), so nothing is said of the target: {check.remedy}"
    closest = max(spoilt, key=_nearness)
    if closest.remedy:
        finding, *_, doubt = closest.reason.split("; ")
        return f"{_series(closest)}: {finding}, {doubt}; {closest.remedy}"
    return f"requests left late by the generator's own fault, which decides {_what(closest)}: {remedy(run)}"


def _undecided(run: Run, verdict: RunVerdict) -> str:
    if not verdict.verdicts:
        return "no objective was asked for, so nothing was judged"
    undecided = _with_status(verdict)
    if not undecided:
        return "every objective held as far as the run went, but it did not go to its end"
    closest = max(undecided, key=_nearness)
    what, why = _what(closest), closest.reason.split("; ")[-1]
    if len(undecided) == 1:
        return f"{what} could not be decided: {why}"
    return f"{_share_of(undecided, verdict)} could not be decided; the closest is {what}: {why}"


_FINDINGS = {
    Status.PASS: _passed,
    Status.FAIL: _failed,
    Status.INVALID: _invalid,
    Status.INCONCLUSIVE: _undecided,
}


def _with_status(verdict: RunVerdict) -> list[Verdict]:
    """The objectives that came out as the whole did."""
    return [one for one in verdict.verdicts if one.status is verdict.status]


def _share_of(some: list[Verdict], verdict: RunVerdict) -> str:
    n = len(verdict.verdicts)
    return "the objective" if n == 1 else f"{len(some)} of {n} objectives"


def _what(verdict: Verdict) -> str:
    metric = verdict.objective.split("<")[0].split(">")[0].split("=")[0].strip()
    return f"{metric} of {_series(verdict)}"


def _series(verdict: Verdict) -> str:
    if verdict.series == "*":
        return "all series together"
    return f"{verdict.series} together" if set(verdict.series) & set("*?") else verdict.series


def _nearness(verdict: Verdict) -> float:
    """How much of the limit is used, 1 being all of it.

    Of a latency its percentile over the limit, and so of a displacement; where that lies beyond the answered requests,
    and of shares, the budget spent. A count has no budget: any at all is beyond it, the more so the larger its share.
    """
    if verdict.kind in ("latency", "gap", "displacement") and verdict.observed is not None:
        return verdict.observed / verdict.limit
    if verdict.kind in ("throughput", "fairness") and verdict.observed is not None:
        return verdict.limit / verdict.observed if verdict.observed else math.inf
    if verdict.kind == "count" and verdict.bad:
        return 1 + (verdict.bad_fraction or 0.0)
    return verdict.budget_spent or 0.0
