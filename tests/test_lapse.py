"""Which seconds the generator spoilt, from rows with known contents."""

import pytest

from loadtests.lapse import REMEDIES, lapses, processors_percent
from loadtests.sample import Outcome
from tests.runs import remember_run, stream

L_NS = 200_000_000


def vitals_row(at_s, source="worker-1", **more):
    """A row of a process that had nothing to complain of, in the second before ``at_s``."""
    usual = {
        "probes": 100,
        "late_probes": 0,
        "loop_worst_ms": 0.4,
        "loop_worst_at_s": at_s - 0.5,
        "collector_ms": 0.0,
        "collector_worst_ms": 0.0,
        "clock_offset_ms": 0.0,
        "cpu_percent": 20.0,
        "cpu_wait_percent": 1.0,
        "descriptors": 40,
        "descriptors_limit": 1000,
    }
    return {"source": source, "at_s": at_s, **usual, **more}


def minute(**at):
    """A minute of rows; ``s23={...}`` says what is different in the row that tells of second 23."""
    return [vitals_row(s + 1.01, **at.get(f"s{s}", {})) for s in range(60)]


def _seconds(run, limit_ns=L_NS):
    return {(lapse.check, lapse.who): sorted(lapse.seconds) for lapse in lapses(run, limit_ns)}


def test_a_healthy_generator_has_none():
    """Nor has one of which nothing is known."""
    assert lapses(remember_run(stream(), vitals=minute()), L_NS) == []
    assert lapses(remember_run(stream()), L_NS) == []


def test_a_loop_that_stood_still():
    """It woke at 23.6 s after 300 ms: requests of second 22 may have waited unread, those of second 23 were late."""
    run = remember_run(stream(), vitals=minute(s23={"loop_worst_ms": 300.0, "loop_worst_at_s": 23.6}))
    assert _seconds(run) == {("loop", "worker-1"): [22, 23]}
    (lapse,) = lapses(run, L_NS)
    assert lapse.told == "the loop of worker-1 stood still in 2 s, for 300 ms at 22 s"
    assert lapse.remedy == REMEDIES["loop"]


@pytest.mark.parametrize(
    ("worst_ms", "late", "share"),
    [(20.0, 2, 0.04), (20.0, 4, 0.08), (99.0, 9, 0.198), (100.0, 9, 1.0), (20.0, 10, 1.0)],
)
def test_how_much_a_loop_spoilt(worst_ms, late, share):
    """Still for x s, by its worst or by all its late looks of 10 ms: 2 x of the requests; from .1 s on all of them."""
    rows = minute(s23={"loop_worst_ms": worst_ms, "late_probes": late, "loop_worst_at_s": 23.6})
    (lapse,) = lapses(remember_run(stream(), vitals=rows), L_NS)
    assert lapse.share == pytest.approx({22: share, 23: share})


def test_a_loop_that_stood_over_several_seconds():
    """Stopped for 2.5 s until 30.2 s: from second 27, less one for what was under way, to 30."""
    run = remember_run(stream(), vitals=minute(s30={"loop_worst_ms": 2500.0, "loop_worst_at_s": 30.2}))
    assert _seconds(run) == {("loop", "worker-1"): [26, 27, 28, 29, 30]}


@pytest.mark.parametrize(
    ("worst_ms", "limit_ms", "lapsed"), [(10.0, 200, False), (10.1, 200, True), (2.0, 10, False), (2.1, 10, True)]
)
def test_what_bears_on_a_limit(worst_ms, limit_ms, lapsed):
    """More than 5 % of the limit does; 2 ms are physics."""
    run = remember_run(stream(), vitals=minute(s23={"loop_worst_ms": worst_ms, "loop_worst_at_s": 23.6}))
    assert bool(lapses(run, limit_ms * 1_000_000)) is lapsed


def test_the_orchestrator_sends_nothing():
    """Its own loop may stand still."""
    rows = [vitals_row(s + 1.0, "orchestrator", loop_worst_ms=500.0, loop_worst_at_s=s + 0.5) for s in range(60)]
    assert lapses(remember_run(stream(), vitals=rows), L_NS) == []


def test_outside_the_steady_state():
    """A lapse after the end is none."""
    rows = [*minute(), vitals_row(63.0, loop_worst_ms=900.0, loop_worst_at_s=62.9, cpu_percent=100.0)]
    assert lapses(remember_run(stream(), vitals=rows), L_NS) == []


def test_a_processor_without_room():
    """On a core and in line for one together above 90 %."""
    busy = {"cpu_percent": 60.0, "cpu_wait_percent": 31.0}
    run = remember_run(stream(), vitals=minute(s5=busy, s6={"cpu_percent": 60.0, "cpu_wait_percent": 30.0}, s7=busy))
    assert _seconds(run) == {("cpu", "worker-1"): [5, 7]}
    assert lapses(run, L_NS)[0].told == "worker-1 wanted over 90 % of a core in 2 s, 91 % at 5 s"


def test_processors_of_a_system_that_does_not_tell():
    """Then it is what the orchestrator saw the busiest process use."""
    rows = [{"at_s": s + 0.01, "generator_cpu_percent": 30.0, "swarm_cpu_percent": 95.0} for s in range(60)]
    run = remember_run(stream(), resources=rows)
    assert set(processors_percent(run)) == {"a Locust process", "a swarm process"}
    assert _seconds(run) == {("cpu", "a swarm process"): list(range(60))}


def test_a_pool_too_small():
    """20 requests a second: one that waited is over .1 % of them."""
    run = remember_run(stream(), vitals=minute(s9={"pool_waits": 1}))
    assert _seconds(run) == {("pool", "the client"): [9]}


def test_a_pool_hardly_too_small():
    """One of 1,000 is .1 %, not over it."""
    run = remember_run(stream(per_s=1000), vitals=minute(s9={"pool_waits": 1}))
    assert lapses(run, L_NS) == []


def test_a_machine_that_is_not_ours():
    """More than 10 % of a second's time went elsewhere; a quota stops at once."""
    rows = [
        {"at_s": s + 1.01, "steal_percent": 11.0 if s == 4 else 10.0, "throttled": float(s == 8)} for s in range(60)
    ]
    assert _seconds(remember_run(stream(), resources=rows)) == {
        ("steal", "the host"): [4],
        ("throttle", "the container"): [8],
    }


def test_no_port_left():
    """Requests that this machine itself could not make."""
    samples = stream(odd_every=240, odd={"outcome": Outcome.ERROR})  # one every 12 s, in seconds 11, 23, 35, 47, 59
    run = remember_run(samples)
    assert lapses(run, L_NS) == []
    for interval in run.intervals["GET /a"].values():
        if interval.errors:
            interval.errors["no free port"] = interval.errors.pop("http 503")
    assert _seconds(run) == {("means", "this machine"): [11, 23, 35, 47, 59]}
