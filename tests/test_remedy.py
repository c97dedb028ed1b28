"""What to do about late requests, from readings whose cause is known."""

import pytest

from loadtests.remedy import remedy
from tests.runs import remember_run, stream
from tests.test_lapse import minute

CALM = {"users": 20.0, "waiting": 0.0, "generator_cpu_percent": 12.0, "machine_cpu_percent": 40.0}

CAUSES = {
    "users": ({"users": 12.0}, "only 12 of 20 users were left"),
    "cpu": ({"generator_cpu_percent": 91.0}, "a Locust process wanted over 90 % of a core"),
    "waiting": ({"waiting": 1.0}, "no user was idle"),
    "machine": ({"machine_cpu_percent": 97.0}, "all of this machine's processors were busy"),
    "none": ({}, "this machine kept it waiting"),
}


def _readings(seconds, **odd):
    """A minute of readings, odd ones in the last seconds."""
    return [{"at_s": t + 0.3} | CALM | (odd if t >= 60 - seconds else {}) for t in range(60)]


@pytest.mark.parametrize("cause", CAUSES)
def test_cause(cause):
    """A shortage in three seconds of sixty is the cause; in two it is none."""
    odd, said = CAUSES[cause]
    assert said in remedy(remember_run(stream(), resources=_readings(3, **odd)))
    assert "this machine kept it waiting" in remedy(remember_run(stream(), resources=_readings(2, **odd)))


def test_order():
    """Of several the one comes first that brings the others about."""
    everything = {name: value for odd, _ in CAUSES.values() for name, value in odd.items()}
    for cause, (odd, said) in CAUSES.items():
        assert said in remedy(remember_run(stream(), resources=_readings(60, **everything))), cause
        everything = {name: value for name, value in everything.items() if name not in odd}


def test_dropped():
    """Where arrivals were dropped, too much was under way."""
    run = remember_run(stream(), resources=_readings(60, waiting=9.0), accounting={"dropped": 1})
    assert "keeps too many requests under way" in remedy(run)


def test_lapses():
    """A pool too small explains the dropped ones too; a loop that stood still comes after users that were too few."""
    pool = minute(**{f"s{s}": {"pool_waits": 9} for s in range(3)})
    run = remember_run(stream(), resources=_readings(60, waiting=9.0), vitals=pool, accounting={"dropped": 1})
    assert remedy(run).startswith("requests waited for a connection of the client's own pool in 3 s, 9 of them at 0 s")
    still = minute(**{f"s{s}": {"loop_worst_ms": 300.0, "loop_worst_at_s": s + 0.5} for s in (9, 11, 13)})
    assert "no user was idle" in remedy(remember_run(stream(), resources=_readings(60, waiting=9.0), vitals=still))
    told = remedy(remember_run(stream(), resources=_readings(0), vitals=still))
    assert told.startswith("the loop of worker-1 stood still in 6 s, for 300 ms at 8 s; look for users' or members'")


def test_closed_model():
    """In a closed model the population changes by plan."""
    assert "this machine kept it" in remedy(remember_run(stream(), resources=_readings(60, users=5.0), model="closed"))


def test_outside_the_steady_state():
    """What was short in the warm-up is no cause, and without any reading all causes are named."""
    late = [{"at_s": 60.0 + t, "waiting": 1.0} for t in range(9)]
    assert "this machine kept it" in remedy(remember_run(stream(), resources=[*_readings(0), *late]))
    assert remedy(remember_run(stream(), resources=late)).startswith("lower the rate, allow more users")
