"""From a Run to a verdict: every objective against the run's evidence, and the harness against itself.

The bracketing rule: service time <= what a user felt <= response time from the intended start. So an objective PASSes
only if the upper reading passes, FAILs only if the lower one fails, and where the two disagree the generator's own slip
is what decides: INVALID if that slip is material, INCONCLUSIVE otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from loadtests.health import check_run
from loadtests.objective import Objective, Scope, parse_objective
from loadtests.ruling import rule
from loadtests.run import Run
from loadtests.sentence import run_sentence
from loadtests.series import DELIVER
from loadtests.settling import unsettled
from loadtests.verdict import Check, RunVerdict, Status, Verdict

__all__ = ["judge"]


def judge(run: Run, extra: Sequence[Objective] = ()) -> RunVerdict:
    """Judge a run on its own objectives, and on ``extra`` ones."""
    objectives = [
        *(parse_objective(o["text"], series=o["series"], scope=_scope(o["scope"])) for o in run.header.objectives),
        *extra,
    ]
    if run.deliveries.get("foreign") and not any(objective.metric == "foreign" for objective in objectives):
        objectives.append(parse_objective("foreign == 0", series=DELIVER))  # corruption fails a run unasked
    ruled = unsettled(run, (verdict for objective in objectives for verdict in rule(run, objective)))
    verdicts = tuple(_of_a_stopped_run(run, verdict) for verdict in ruled)
    checks = tuple(check_run(run, objectives))
    if any(check.name == "cpu" and not check.ok for check in checks):
        verdicts = tuple(_cannot_blame_target(verdict) for verdict in verdicts)
    if verdicts and {verdict.status for verdict in verdicts} <= {Status.PASS, Status.FAIL}:
        checks = tuple(_without_consequence(check) for check in checks)
    verdict = RunVerdict(_status(run, verdicts, checks), "", verdicts, checks, run.header.partial)
    return replace(verdict, sentence=run_sentence(run, verdict))


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
    return Status.PASS if found == {Status.PASS} and run.header.state == "complete" else Status.INCONCLUSIVE


def _without_consequence(check: Check) -> Check:
    """Requests that left late are no reservation where both readings of every objective come out alike."""
    if check.name != "lateness" or check.ok:
        return check
    return replace(check, ok=True, value=f"{check.value}; timed from either moment every verdict is the same")


def _of_a_stopped_run(run: Run, verdict: Verdict) -> Verdict:
    """What ended a run that was certainly failing FAILs; nothing PASSes at an end that was not planned."""
    stop = run.header.stopped
    if stop and (verdict.objective, verdict.series) == (stop["objective"], stop["series"]):
        share = f"{stop['bad']:,} of {stop['n']:,} were bad, timed from when they left"
        first = verdict.reason.split("; ")[0]
        reason = f"{first}; {share}; stopped early after {stop['after_s']} s: certainly failing"
        return replace(verdict, status=Status.FAIL, reason=reason)
    if stop and verdict.status is Status.PASS:
        reason = f"{verdict.reason}; the run was stopped before its end, so this did not pass"
        return replace(verdict, status=Status.INCONCLUSIVE, reason=reason)
    return verdict


def _cannot_blame_target(verdict: Verdict) -> Verdict:
    """Times measured by a starved generator are too long by an unknown amount: a PASS stands, a FAIL does not."""
    if verdict.status is not Status.FAIL:
        return verdict
    reason = f"{verdict.reason}; but the generator had no CPU left, so part of that is its own"
    return replace(verdict, status=Status.INVALID, reason=reason)
