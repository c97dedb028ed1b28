"""Early stop: its errors at the budget, its power, and what a stopped run is judged to be."""

import math
from dataclasses import asdict

import numpy as np
import pytest
from scipy.integrate import quad

from loadtests import earlystop
from loadtests.earlystop import EarlyStop, Stop, log_evidence
from loadtests.ending import Ending
from loadtests.gate import clopper_pearson
from loadtests.header import PhaseSpan
from loadtests.interval import Interval
from loadtests.judge import judge
from loadtests.objective import parse_objective
from loadtests.sample import Outcome
from tests.oracles.streams import mm1_limit_s, mm1_run
from tests.runs import HEADER, MS, remember_run, stream

BUDGET = 0.05
TEN_MINUTES = (PhaseSpan("steady", "steady", 0, 600),)


def _stopped_s(counts, bad):
    """When a run with these counts a second is stopped; None if it is not."""
    early = EarlyStop((PhaseSpan("steady", "steady", 0, len(counts)),), [parse_objective("errors < 5%")])
    rows = zip(counts.tolist(), bad.tolist(), strict=True)
    early.add(Interval("GET /a", t, n, n - b, errors={"x": b}) for t, (n, b) in enumerate(rows))
    found = (early.look(at_s) for at_s in range(len(counts) + 5))
    return next((stop.after_s for stop in found if stop), None)


def _independent(rng, factor, seconds=600):
    counts = rng.poisson(120, seconds)
    return counts, rng.binomial(counts, factor * BUDGET)


def _queue(rng, factor, seconds=600):
    run = mm1_run(rng, 120 / 0.7, 0.7, seconds)
    return run.counts, run.bad(mm1_limit_s(120 / 0.7, 0.7, factor * BUDGET))


def test_evidence_is_the_mixture():
    """Ln M is the likelihood ratio averaged over the prior, by numerical integration."""
    a, b, bad, n = 0.5, 9.5, 9, 60
    beta = math.gamma(a) * math.gamma(b) / math.gamma(a + b)
    top, _ = quad(lambda p: p ** (a + bad - 1) * (1 - p) ** (b + n - bad - 1) / beta, 0, 1)
    assert log_evidence(bad, n, BUDGET) == pytest.approx(math.log(top / (BUDGET**bad * (1 - BUDGET) ** (n - bad))))
    assert log_evidence(0, 10_000, BUDGET) == 0.0  # certainly within the budget is no evidence of a failure


@pytest.mark.slow
@pytest.mark.parametrize("service", [_independent, _queue])
def test_at_the_budget(service):
    """300 runs at the exact budget, seventeen looks each: at most 5 % are stopped."""
    rng = np.random.default_rng(7)
    assert sum(_stopped_s(*service(rng, 1)) is not None for _ in range(300)) <= 15


@pytest.mark.slow
def test_fixed_test_at_each_look(monkeypatch):
    """Mutation: a test for one look, asked at every look, stops far too many."""

    def fixed(bad, n, budget):
        return math.inf if clopper_pearson(bad, n, 0.05)[0] > budget else 0.0

    monkeypatch.setattr(earlystop, "log_evidence", fixed)
    rng = np.random.default_rng(7)
    assert sum(_stopped_s(*_queue(rng, 1)) is not None for _ in range(300)) > 15


@pytest.mark.parametrize("service", [_independent, _queue])
def test_power(service):
    """At 1.6 times the budget half of the runs are stopped by 150 s."""
    rng = np.random.default_rng(8)
    assert np.median([_stopped_s(*service(rng, 1.6)) or 9999 for _ in range(40)]) <= 150


def test_looks():
    """Not before 120 s are over and told of, and then every 30 s."""
    early = EarlyStop(TEN_MINUTES, [parse_objective("errors < 5%")])
    early.add(Interval("GET /a", t, 10, 0, errors={"x": 10}) for t in range(200))
    assert [early.look(at_s) is not None for at_s in (60, 121, 122, 123, 151, 152)] == [
        *(False, False, True),
        *(False, False, True),
    ]


def test_lower_reading():
    """What never started, and what is late by response time alone, is left out."""
    early = EarlyStop(TEN_MINUTES, [parse_objective("p95 < 200ms")])
    limit = 200 * MS
    early.add(Interval("GET /a", t, 20, 10, unsent=10, bad={limit: (20, 0)}) for t in range(150))
    assert early.look(130) is None


def test_series_by_series():
    """With scope each, the broken series alone ends the run and is named."""
    early = EarlyStop(TEN_MINUTES, [parse_objective("errors < 5%", scope="each")])
    early.add(Interval("GET /a", t, 20, 20) for t in range(150))
    early.add(Interval("GET /b", t, 20, 0, timeouts=20) for t in range(150))
    assert early.look(130).series == "GET /b"


def _stopped_run(**changes):
    stop = asdict(Stop(120, "errors < 5%", "GET /a", 2400, 240, 1.0, 30.0))
    samples = stream(seconds=122, odd_every=10, odd={"outcome": Outcome.ERROR})
    span = (PhaseSpan("steady", "steady", 0, 122),)
    usual = {"state": "stopped", "stopped": stop, "phases": span, "planned": 99_999}
    return remember_run(samples, ["errors < 5%", "p80 < 1s"], **(usual | changes))


def test_verdict_of_a_stopped_run():
    """It FAILs with that reason, nothing in it PASSes, and arrivals that were not yet due are no loss."""
    verdict = judge(_stopped_run())
    assert verdict.status.value == "FAIL"
    assert [one.status.value for one in verdict.verdicts] == ["FAIL", "INCONCLUSIVE"]
    assert "stopped early after 120 s: certainly failing" in verdict.verdicts[0].reason
    assert "stopped early after 120 s" in verdict.sentence
    assert next(check for check in verdict.checks if check.name == "accounting").ok


def test_starved_generator_does_not_blame_the_target():
    """A stop by a generator without CPU is INVALID."""
    rows = [{"at_s": float(t), "generator_cpu_percent": 99.0} for t in range(122)]
    run = _stopped_run()
    run.resources = rows
    assert judge(run).status.value == "INVALID"


def test_header_of_an_early_end():
    """A stop ends the phases where the run did; a cut is partial and says whose fault it was."""
    stop = Stop(120, "errors < 5%", "GET /a", 1, 1, 1.0, 9.0)
    stopped = Ending(30.5, "stopped early", stop=stop).of(HEADER)
    assert (stopped.state, stopped.partial, stopped.phases[-1].end_s) == ("stopped", None, 30.5)
    assert stopped.stopped == asdict(stop)
    cut = Ending(30.5, "the target ended", "target").of(HEADER)
    assert (cut.state, cut.partial, cut.fault) == ("partial", "the target ended at 30 s", "target")
