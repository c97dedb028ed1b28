"""From a Run to a verdict: every objective against the run's evidence, and the harness against itself.

The bracketing rule: service time <= what a user felt <= response time from the intended start. So an objective PASSes
only if the upper reading passes, FAILs only if the lower one fails, and where the two disagree the generator's own slip
is what decides: INVALID if that slip is material, INCONCLUSIVE otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from loadtests.clockcheck import check_clocks, clocked
from loadtests.health import check_run
from loadtests.objective import Objective, Scope, parse_objective
from loadtests.ruling import rule
from loadtests.run import Run
from loadtests.sentence import run_sentence
from loadtests.series import DELIVER
from loadtests.settling import unsettled
from loadtests.steadystate import steady_state
from loadtests.verdict import Check, RunVerdict, Status, Verdict
from loadtests.vitalcheck import UNFIT
from loadtests.witnesscheck import witness_checks, witnessed

__all__ = ["judge"]

_STARVED = ("cpu", "steal")
"""Checks that tell of a generator too slow for its own load, which in a closed model is then less than it was to be."""
_NO_RESERVATION = {
    "lateness": "timed from either moment every verdict is the same",
    "loop": "every verdict stands without it",
    "pool": "every verdict stands without it",
    "steal": "every verdict stands without it",
}


def judge(run: Run, extra: Sequence[Objective] = ()) -> RunVerdict:
    """Judge a run on its own objectives, and on ``extra`` ones."""
    objectives = [
        *(parse_objective(o["text"], series=o["series"], scope=_scope(o["scope"])) for o in run.header.objectives),
        *extra,
    ]
    if run.deliveries.get("foreign") and not any(objective.metric == "foreign" for objective in objectives):
        objectives.append(parse_objective("foreign == 0", series=DELIVER))  # corruption fails a run unasked
    verdicts = tuple(_of_a_stopped_run(run, verdict) for verdict in unsettled(run, _ruled(run, objectives)))
    checks = (*check_run(run, objectives), *check_clocks(run), *witness_checks(run, objectives))
    if verdicts and {verdict.status for verdict in verdicts} <= {Status.PASS, Status.FAIL}:
        checks = tuple(map(_without_consequence, checks))
    state = steady_state(run)
    verdict = RunVerdict(
        _status(run, verdicts, checks),
        "",
        verdicts,
        checks,
        run.header.partial,
        settled_s=state.settled_s if state and not state.drift else None,
    )
    return replace(verdict, sentence=run_sentence(run, verdict))


def _ruled(run: Run, objectives: Sequence[Objective]) -> Iterator[Verdict]:
    for objective in objectives:
        yield from (clocked(run, objective, witnessed(run, objective, verdict)) for verdict in rule(run, objective))


def _scope(text: str) -> Scope:
    return "each" if text == "each" else "pool"


def _status(run: Run, verdicts: Sequence[Verdict], checks: Sequence[Check]) -> Status:
    """The worst of the objectives, unless the harness itself is at fault."""
    broken = [check for check in checks if not check.ok]
    found = {verdict.status for verdict in verdicts}
    if any(check.fatal for check in broken) or run.header.fault == "generator":
        return Status.INVALID
    if Status.FAIL in found or run.header.fault == "target":
        return Status.FAIL
    if Status.INVALID in found or any(check.name == "plan" for check in broken):
        return Status.INVALID
    passed = found == {Status.PASS} and run.header.state == "complete"
    doubts = _STARVED if run.header.model == "closed" else ()
    if found and any(check.name in (doubts if passed else UNFIT) for check in broken):
        return Status.INVALID
    return Status.PASS if passed else Status.INCONCLUSIVE


def _without_consequence(check: Check) -> Check:
    """What makes no PASS, and no FAIL that stands without it, is no reservation."""
    if check.ok or check.name not in _NO_RESERVATION:
        return check
    return replace(check, ok=True, value=f"{check.value}; {_NO_RESERVATION[check.name]}")


def _of_a_stopped_run(run: Run, verdict: Verdict) -> Verdict:
    """What ended a run that was certainly failing FAILs, unless it is INVALID; nothing PASSes at an unplanned end."""
    stop = run.header.stopped
    if not stop or verdict.status is Status.INVALID:
        return verdict
    if (verdict.objective, verdict.series) == (stop["objective"], stop["series"]):
        share = f"{stop['bad']:,} of {stop['n']:,} were bad, timed from when they left"
        first = verdict.reason.split("; ")[0]
        reason = f"{first}; {share}; stopped early after {stop['after_s']} s: certainly failing"
        return replace(verdict, status=Status.FAIL, reason=reason)
    if verdict.status is Status.PASS:
        reason = f"{verdict.reason}; the run was stopped before its end, so this did not pass"
        return replace(verdict, status=Status.INCONCLUSIVE, reason=reason)
    return verdict
