"""The verdict in one sentence that a director can repeat."""

from __future__ import annotations

import math
from collections.abc import Iterator

from loadtests.breach import breaches
from loadtests.countrule import HAPPENED, LEDGER
from loadtests.interval import merge
from loadtests.mishap import Mishap, mishaps
from loadtests.objective import Kind, Objective, parse_objective
from loadtests.remedy import remedy
from loadtests.run import Run
from loadtests.series import CONNECTED, DELIVER, DUPLICATED, LATE, REORDERED, is_stray, is_swarm
from loadtests.verdict import RunVerdict, Status, Verdict
from loadtests.vitalcheck import UNFIT

__all__ = ["run_sentence"]

_MOST_UNASKED = 3
"""How many things that were not asked about a sentence has room for."""

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
    amounts = ((header.users, header.users, "user"), (_live(run), header.connections, "live connection"))
    who = [f"{_of(n, most)} {what}{'' if most == 1 else 's'}" for n, most, what in amounts if most]
    return f"{' and '.join(who) or 'no load'} for {_span(len(header.steady_seconds()))}"


def _of(n: int, most: int) -> str:
    return f"{n:,}" if n == most else f"{n:,} of {most:,}"


def _live(run: Run) -> int:
    """How many of the planned connections were up in the steady state, on average, to the nearest whole one.

    Connections up = connection-seconds up / seconds = (wanted / seconds) (1 - down / wanted), from ``ws connected``.
    Handshakes would not tell: who is refused tries again, and who comes back counts once more. A process counts about
    once a second, so its first and last second are a little long or short: of what is wanted 1 % less is all.
    """
    most, seconds = run.header.connections, run.header.steady_seconds()
    if not seconds or CONNECTED not in run.intervals:
        return most
    kept = run.intervals[CONNECTED]
    total = merge((kept[second] for second in seconds if second in kept), series=CONNECTED)
    wanted = total.count / len(seconds)
    wanted = most if wanted > 0.99 * most else wanted
    return round(wanted * total.ok / total.count) if total.count else 0


def _span(seconds: int) -> str:
    return (
        f"{seconds} s" if seconds < 120 else f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"
    )


def _passed(run: Run, verdict: RunVerdict) -> str:
    closest = max(verdict.verdicts, key=_nearness)
    held, unasked = "every objective held", list(_unasked(run, verdict))
    if _nearness(closest) > 0:
        held += f"; the closest is {_what(closest)} at {100 * _nearness(closest):.0f} % of its limit"
    elif not unasked:
        held += ", and nothing bad was seen" + (" in the steady state" if any(mishaps(run)) else "")
    more = f" and {len(unasked) - _MOST_UNASKED} more" if len(unasked) > _MOST_UNASKED else ""
    return f"{held}; not asked about: {', '.join(unasked[:_MOST_UNASKED])}{more}" if unasked else held


def _unasked(run: Run, verdict: RunVerdict) -> Iterator[str]:
    """What went wrong in the run and is no objective's, in words: ends, failures, deliveries, broken contracts."""
    asked = [parse_objective(one.objective, series=one.series) for one in verdict.verdicts]
    yield from (str(mishap) for mishap in mishaps(run) if not any(_asks_of(objective, mishap) for objective in asked))
    known = {word for objective in asked for word in _ledger_words(objective)}
    for word in (word for word in LEDGER if word in run.deliveries and word not in known):
        if n := run.deliveries[word]:
            yield f"{n:,} {HAPPENED[word]}"
    broken = sum(breach.count + breach.unloaded for breach in breaches(run))
    if broken and not any(objective.metric == "contract" for objective in asked):
        yield f"{broken:,} {HAPPENED['contract']}"


def _asks_of(objective: Objective, mishap: Mishap) -> bool:
    if not (objective.matches(mishap.series) or (is_stray(mishap.series) and not is_swarm(objective.series))):
        return False
    if mishap.kind in ("dropped", "unsent"):  # a count of errors leaves these out
        return objective.kind in (Kind.LATENCY, Kind.SHARE) or objective.metric == "dropped"
    return objective.kind is Kind.LATENCY or objective.metric == "errors"


def _ledger_words(objective: Objective) -> Iterator[str]:
    """What the ledger counts that an objective judges."""
    yield objective.metric
    yield {DUPLICATED: "duplicated", REORDERED: "reordered", LATE: "late"}.get(objective.series, "")
    if objective.kind is Kind.DISPLACEMENT:
        yield "reordered"
    if objective.kind is Kind.LATENCY and objective.matches(DELIVER):
        yield "lost"


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
        finding, *doubts = closest.reason.split("; ")
        return f"{_series(closest)}: {', '.join([finding, *doubts[-1:]])}; {closest.remedy}"
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
