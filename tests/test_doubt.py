"""A FAIL that the generator may have made itself is none; one that stands without it is."""

import pytest

from loadtests.judge import judge
from loadtests.sample import Outcome
from loadtests.verdict import Status
from tests.runs import remember_run, sample, stream
from tests.test_lapse import minute, vitals_row

P95 = "p95 < 200ms"
STILL = {"loop_worst_ms": 300.0}


def _stalls(*seconds):
    """A loop that stood still in those seconds, waking at their half."""
    return minute(**{f"s{s}": STILL | {"loop_worst_at_s": s + 0.5} for s in seconds})


def _slow_in(*seconds, slow_ms=300):
    return [
        one
        for s in range(60)
        for one in stream(20, 1, first_s=s, service_ms=slow_ms if {s, s + 1} & {*seconds} else 10)
    ]


def test_a_fail_made_by_the_generator_is_invalid():
    """Half of all seconds slow, all of them while or just before the loop stood still: nothing is left to fail."""
    stalled = range(1, 60, 4)
    run = remember_run(_slow_in(*stalled), [P95], vitals=_stalls(*stalled))
    verdict = judge(run)
    assert verdict.status is Status.INVALID
    assert verdict.verdicts[0].reason.endswith(
        "; but without the 30 s in which the generator itself lapsed it does not fail: the loop of worker-1 stood "
        "still in 30 s, for 300 ms at 0 s"
    )
    assert "; look for users' or members' code that computes or blocks" in verdict.sentence


def test_the_same_times_without_a_lapse_fail():
    """It is the lapses that make the difference."""
    stalled = range(1, 60, 4)
    assert judge(remember_run(_slow_in(*stalled), [P95], vitals=minute())).status is Status.FAIL


def test_a_fail_that_stands_without_them_stays():
    """The target is slow throughout; that the generator stalled twice is no excuse for it."""
    run = remember_run(stream(service_ms=300), [P95], vitals=_stalls(10, 20))
    assert judge(run).status is Status.FAIL


@pytest.mark.parametrize(("slow_of_100", "status"), [(13, "FAIL"), (6, "INVALID")])
def test_short_stalls_spoil_few(slow_of_100, status):
    """20 ms of every second keep 4 of 100 requests from the judgement: with 13 slow ones 9 remain, with 6 two do."""
    samples = [
        one
        for s in range(60)
        for k, one in enumerate(stream(100, 1, first_s=s))
        for one in [one._replace(ended_ns=one.ended_ns + 300_000_000 * (k < slow_of_100))]
    ]
    rows = minute(**{f"s{s}": {"loop_worst_ms": 20.0, "loop_worst_at_s": s + 0.5, "late_probes": 2} for s in range(60)})
    assert judge(remember_run(samples, [P95], vitals=minute())).status is Status.FAIL
    assert judge(remember_run(samples, [P95], vitals=rows)).status.value == status


def test_a_limit_below_what_any_loop_keeps():
    """Every answer takes 10 ms where 1 us is allowed: that a loop was late by 3 ms once a second explains nothing."""
    rows = minute(**{f"s{s}": {"loop_worst_ms": 3.0, "loop_worst_at_s": s + 0.5} for s in range(60)})
    assert judge(remember_run(stream(), ["p95 < 1us"], vitals=rows)).status is Status.FAIL


def test_stalls_make_no_errors():
    """10 % of the answers are errors; a loop that stood still for 300 ms again and again made none of them."""
    run = remember_run(
        stream(odd_every=10, odd={"outcome": Outcome.ERROR}), ["errors < 1%"], vitals=_stalls(*range(1, 60, 2))
    )
    assert judge(run).status is Status.FAIL


def test_stalls_make_time_outs():
    """With a time-out of 1 s, 300 ms are no small part of it."""
    samples = stream(odd_every=10, odd={"outcome": Outcome.TIMEOUT, "service_ms": 1000})
    run = remember_run(samples, ["errors < 1%"], vitals=_stalls(*range(1, 60, 2)), timeout_s=1.0)
    assert judge(run).status is Status.INVALID


def test_a_pass_stands():
    """Standing still makes times longer, never shorter; and the check is no reservation then."""
    late = minute(s10={"late_probes": 90})
    verdict = judge(remember_run(stream(), [P95], vitals=late))
    assert verdict.status is Status.PASS
    (loop,) = (check for check in verdict.checks if check.name == "loop")
    assert loop.ok
    assert loop.value.endswith("; every verdict stands without it")


@pytest.mark.parametrize(("line", "status"), [("errors < 1%", "INVALID"), ("errors == 0", "INVALID")])
def test_errors_of_the_generators_own(line, status):
    """Requests that found no port say nothing of the target, whichever objective counts them."""
    run = remember_run(stream(odd_every=10, odd={"outcome": Outcome.ERROR}), [line])
    for interval in run.intervals["GET /a"].values():
        interval.errors["no free port"] = interval.errors.pop("http 503", 0)
    assert judge(run).status.value == status


def test_errors_of_the_target_fail():
    """The same errors, from the target."""
    run = remember_run(stream(odd_every=10, odd={"outcome": Outcome.ERROR}), ["errors < 1%"], vitals=minute())
    assert judge(run).status is Status.FAIL


def test_lost_throughput_of_the_generators_own():
    """In the seconds in which a process had no processor nothing was completed; without them there was enough."""
    idle = range(0, 60, 3)
    samples = [one for s in range(60) if s not in idle for one in stream(20, 1, first_s=s)]
    starved = minute(**{f"s{s}": {"cpu_wait_percent": 90.0} for s in idle})
    line = "throughput > 19/s"
    assert judge(remember_run(samples, [line], vitals=minute())).status is Status.FAIL
    assert judge(remember_run(samples, [line], vitals=starved)).status is Status.INVALID


@pytest.mark.parametrize(("busy", "status"), [(3, "PASS"), (4, "INVALID")])
def test_a_closed_model_on_a_starved_generator(busy, status):
    """It sends when answered, so a starved one sends less than it would have, and no plan tells: over 5 % of 60 s."""
    rows = minute(**{f"s{s}": {"cpu_percent": 95.0} for s in range(busy)})
    run = remember_run(stream(), [P95], vitals=rows, model="closed", planned=None, accounting=_closed())
    verdict = judge(run)
    assert verdict.status.value == status
    assert ("the generator was not fit to measure (busiest process, worker-1," in verdict.sentence) is (busy == 4)


def _closed():
    return {"requests_begun": 1200, "requests_in_flight": 0, "planned": 0, "offered": 0}


def test_only_lapsed_seconds():
    """A generator that lapsed throughout leaves nothing to judge a target by."""
    rows = [vitals_row(s + 1.01, cpu_percent=99.0) for s in range(60)]
    assert judge(remember_run([sample(0.5), *stream(service_ms=300)], [P95], vitals=rows)).status is Status.INVALID
