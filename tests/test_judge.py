"""From a run directory to a verdict: which fault outweighs which, and that nothing but the directory decides."""

import json
import shutil
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.header import PhaseSpan
from loadtests.health import check_run
from loadtests.judge import judge
from loadtests.objective import parse_objective
from loadtests.run import Run
from loadtests.sample import Outcome
from loadtests.summary import summarise
from loadtests.verdict import RunVerdict, Status
from tests.runs import parsed, remember_run, sample, stream, write_run

P95 = "p95 < 200ms"
GOOD, SLOW, OPEN = stream(), stream(service_ms=300), stream(odd_every=20, odd={"service_ms": 300})
LATE = stream(odd_every=5, odd={"late_ms": 300})
CUT = {"state": "partial", "partial": "interrupted at 60 s"}
BUSY = {"resources": [{"at_s": float(t), "generator_cpu_percent": 99.0} for t in range(60)]}
LOST = {"events": [("lost", "worker-1 was lost")]}
TWELVE_DROPPED_AT_ONCE = [*stream(20, 59), *stream(20, 1, first_s=59, odd_every=1, odd={"outcome": Outcome.DROPPED})]
SLOW_AND_DROPPED = [s._replace(ended_ns=s.ended_ns + 300_000_000 * (s.outcome == 0)) for s in TWELVE_DROPPED_AT_ONCE]

# What the run did, what befell it, and how it comes out.
OUTCOMES = {
    "every objective held": (GOOD, {}, "PASS"),
    "one failed": (SLOW, {}, "FAIL"),
    "one undecided": (OPEN, {}, "INCONCLUSIVE"),
    "one decided by late sends": (LATE, {}, "INVALID"),
    "held, but it was cut short": (GOOD, CUT, "INCONCLUSIVE"),
    "failed before it was cut short": (SLOW, CUT, "FAIL"),
    "undecided when it was cut short": (OPEN, CUT, "INCONCLUSIVE"),
    "held as far as it goes, but never closed": (GOOD, {"state": "running", "accounting": {}}, "INCONCLUSIVE"),
    "the target died": (GOOD, CUT | {"fault": "target"}, "FAIL"),
    "the target died, with no objective decided": (OPEN, CUT | {"fault": "target"}, "FAIL"),
    "the generator died": (GOOD, CUT | {"fault": "generator"}, "INVALID"),
    "the generator died while the objective failed": (SLOW, CUT | {"fault": "generator"}, "INVALID"),
    "a process was lost": (GOOD, LOST, "INVALID"),
    "a process was lost while the objective failed": (SLOW, LOST, "INVALID"),
    "a process was lost as the target died": (SLOW, LOST | CUT | {"fault": "target"}, "INVALID"),
    "held by a starved generator: late times only flatter the target less": (GOOD, BUSY, "PASS"),
    "failed by a starved generator": (SLOW, BUSY, "INVALID"),
    "undecided by a starved generator": (OPEN, BUSY, "INVALID"),
    "the plan was not kept, and what was sent held": (TWELVE_DROPPED_AT_ONCE, {}, "INVALID"),
    "the plan was not kept, and what was sent failed": (SLOW_AND_DROPPED, {}, "FAIL"),
    "the plan was not kept, and the target died": (TWELVE_DROPPED_AT_ONCE, CUT | {"fault": "target"}, "FAIL"),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcome(name):
    """The worst of the objectives, unless the harness itself is at fault."""
    samples, befell, status = OUTCOMES[name]
    verdict = judge(remember_run(samples, [P95], **befell))
    assert verdict.status.value == status
    assert verdict.sentence.startswith(f"{status}: ")


def test_the_plan_of_these_runs():
    """The runs above that do not keep their plan have 20 of 1 200 arrivals dropped, all in one second."""
    check = next(check for check in check_run(remember_run(TWELVE_DROPPED_AT_ONCE), ()) if check.name == "plan")
    assert (check.ok, check.value) == (False, "98.33 % sent, worst 10 s 90.00 %, 20 never sent")


ORDER = ["PASS", "INCONCLUSIVE", "INVALID", "FAIL"]


@settings(max_examples=30)
@given(kinds=st.lists(st.sampled_from([GOOD, SLOW, OPEN, LATE]), min_size=1, max_size=3))
def test_the_worst_objective_decides(kinds):
    """Of several objectives FAIL outweighs INVALID, that INCONCLUSIVE, and that PASS."""
    samples = [s._replace(series=f"GET /{k}") for k, kind in enumerate(kinds) for s in kind]
    verdict = judge(remember_run(samples, [(P95, "*", "each")]))
    assert verdict.status.value == max((v.status.value for v in verdict.verdicts), key=ORDER.index)
    assert len(verdict.verdicts) == len(kinds)


@settings(max_examples=30)
@given(
    kind=st.sampled_from([GOOD, SLOW, OPEN, LATE, []]),
    befell=st.sampled_from([{}, CUT, LOST, BUSY, CUT | {"fault": "target"}, {"state": "running"}]),
)
def test_without_an_objective_nothing_passes(kind, befell):
    """A run that was asked nothing has nothing to pass, whatever befell it."""
    assert judge(remember_run(kind, **befell)).status is not Status.PASS


@settings(max_examples=40)
@given(
    kind=st.sampled_from([GOOD, SLOW, OPEN, LATE]),
    seconds=st.integers(0, 60),
    reason=st.sampled_from(["interrupted at 9 s", "the target could not be reached for 5 s", ""]),
    fault=st.sampled_from(["", "target", "generator"]),
    state=st.sampled_from(["partial", "running"]),
)
def test_a_run_that_did_not_end_never_passes(kind, seconds, reason, fault, state):
    """However much of it there is, whoever ended it."""
    phases = (PhaseSpan("steady", "steady", 0, seconds),)
    run = remember_run(kind, [P95, "errors < 50%"], phases=phases, state=state, partial=reason or None, fault=fault)
    assert judge(run).status is not Status.PASS


def test_a_starved_generator_says_why():
    """A FAIL that a starved generator may have caused itself says so."""
    (verdict,) = judge(remember_run(SLOW, [P95], **BUSY)).verdicts
    assert verdict.reason.endswith(
        "; but without the 60 s in which the generator itself lapsed it does not fail: a Locust process wanted over "
        "90 % of a core in 60 s, 99 % at 0 s"
    )
    assert verdict.remedy.startswith("share the load among more processes (--processes)")


def test_extra_objectives():
    """More may be asked of a run than it was made for; its own objectives stay."""
    run = remember_run(stream(service_ms=90), [P95])
    extra = [parse_objective(line) for line in ("p95 < 50ms", "p95 < 100ms")]
    assert [v.status.value for v in judge(run, extra).verdicts] == ["PASS", "FAIL", "PASS"]
    assert judge(run, extra).status is Status.FAIL


LINES = [
    (P95, "GET *", "each"),
    ("p99.9 < 1s", "*", "pool"),
    ("errors < 0.1%", "*", "pool"),
    ("errors == 0", "ws connect", "pool"),
    ("lost == 0", "ws deliver", "pool"),
    ("lost < 1%", "ws deliver", "pool"),
    ("throughput > 10/s", "GET *", "pool"),
    ("p95 < 1ms", "PUT *", "each"),
]
EVERYTHING = [
    *stream(odd_every=7, odd={"outcome": Outcome.TIMEOUT, "service_ms": 10_000}),
    *stream(5, series="GET /b", odd_every=3, odd={"late_ms": 2.5}),
    *stream(5, series="ws deliver", odd_every=50, odd={"outcome": Outcome.LOST}),
    *(sample(t, series="GET /a", outcome=o) for t, o in enumerate(Outcome) if o is not Outcome.LOST),
    sample(30, series="arrival Buyer", outcome=Outcome.UNSENT),
]
LEDGER = {"expected": 300, "delivered": 294, "lost": 6, "received": 294, "duplicated": 0}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A run with a bit of everything."""
    made = tmp_path_factory.mktemp("runs") / "run"
    write_run(made, EVERYTHING, LINES, deliveries=LEDGER, **BUSY)
    return made


def test_judging_twice(directory):
    """The verdict is a function of the directory: read again, it is the same, and judging leaves no trace."""
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    once = Run(directory)
    assert judge(once) == judge(once) == judge(Run(directory))
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before


def test_judging_elsewhere(directory, tmp_path):
    """A copy of the directory in another place, with its lines in another order, is judged the same."""
    copy = shutil.copytree(directory, tmp_path / "elsewhere")
    for name in ("counts.jsonl", "intervals.hlog"):
        lines = (copy / name).read_text().splitlines(keepends=True)
        (copy / name).write_text("".join(reversed(lines)))
    assert judge(Run(copy)) == judge(Run(directory))


def test_strict_json(directory):
    """Verdict and summary are strict JSON, and the verdict comes back as it was."""
    run = Run(directory)
    verdict = judge(run)
    text = json.dumps(verdict.to_json(), allow_nan=False)
    assert RunVerdict.from_json(json.loads(text)) == verdict
    json.dumps(summarise(run, verdict), allow_nan=False)


@settings(max_examples=40)
@given(
    samples=st.lists(
        st.builds(
            sample,
            st.floats(-2, 62),
            series=st.sampled_from(["GET /a", "ws deliver", "arrival B", "task B", "GET /b"]),
            service_ms=st.floats(0, 100_000),
            late_ms=st.floats(0, 400),
            outcome=st.sampled_from(Outcome),
        ),
        max_size=20,
    ),
    seconds=st.integers(0, 60),
    lines=st.lists(st.sampled_from(LINES), unique=True, max_size=4),
)
def test_any_run_can_be_judged(samples, seconds, lines):
    """Whatever was recorded, there is a verdict in strict JSON with one sentence."""
    phases = (PhaseSpan("steady", "steady", 0, seconds),)
    run = remember_run(samples, lines, phases=phases)
    verdict = judge(run)
    assert RunVerdict.from_json(json.loads(json.dumps(verdict.to_json(), allow_nan=False))) == verdict
    json.dumps(summarise(run, verdict), allow_nan=False)
    assert verdict.sentence.startswith(f"{verdict.status.value}: ")


def test_scope_is_read_from_the_header():
    """``each`` and ``pool`` are those of the run's own header."""
    run = remember_run([*GOOD, *stream(series="GET /b")], [(P95, "*", "each"), (P95, "*", "pool")])
    assert [v.series for v in judge(run).verdicts] == ["GET /a", "GET /b", "*"]


def test_verdict_keeps_the_reason_of_a_partial_run():
    """Why the run ended early is part of the verdict."""
    run = remember_run(GOOD, [P95])
    assert judge(run).partial is None
    run.header = replace(run.header, **CUT)
    assert judge(run).partial == "interrupted at 60 s"
    assert parsed([P95]) == [parse_objective(P95)]


@pytest.mark.parametrize(
    ("service_ms", "status", "harmless"),
    [
        (10, Status.PASS, True),  # 40 ms late and 10 ms served: 50 ms or 10 ms, both under 200 ms
        (300, Status.FAIL, True),  # 340 ms or 300 ms: both over
        (180, Status.INVALID, False),  # 220 ms or 180 ms: the lateness decides
    ],
)
def test_lateness_counts_where_it_decides(service_ms, status, harmless):
    """Late sends are a reservation only where the two readings come out differently."""
    verdict = judge(remember_run(stream(late_ms=40, service_ms=service_ms), [P95]))
    (check,) = [check for check in verdict.checks if check.name == "lateness"]
    assert verdict.status is status
    assert check.ok is harmless
    assert ("every verdict is the same" in check.value) is harmless


def test_a_foreign_delivery_fails_a_run_unasked():
    """A delivery that bears our mark and that nobody sent is corruption, whatever the objectives are."""
    samples = stream(series="ws deliver")
    whole = {"expected": 1199, "delivered": 1199, "received": 1200}
    verdict = judge(remember_run(samples, [P95], deliveries=whole | {"foreign": 1}))
    assert verdict.status is Status.FAIL
    assert "nobody sent" in verdict.sentence
    verdict = judge(remember_run(samples, [P95], deliveries=whole | {"outside": 1}))
    assert verdict.status is Status.PASS
