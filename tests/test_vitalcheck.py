"""Each check of the generator's vitals fires on the fault that it is there for, and is quiet otherwise."""

import pytest

from loadtests.judge import judge
from loadtests.sample import Outcome
from loadtests.verdict import Status
from loadtests.vitalcheck import check_vitals
from tests.runs import accounting, remember_run, stream
from tests.test_lapse import L_NS, minute, vitals_row

QUIET = {
    "cpu": "busiest process, worker-1, at 21 % of a core (p95)",
    "loop": "0 % of worker-1's time over 5 ms late",
    "collector": "at most 0 ms at once, 0 ms a second",
    "descriptors": "worker-1 had 4 % of its descriptors open",
    "clock step": "drift 0.0 ppm",
    "network": "the target is on this machine",
}


def _checks(limit_ns=L_NS, **more):
    return {check.name: check for check in check_vitals(remember_run(stream(), **more), limit_ns)}


def test_a_healthy_generator():
    """Everything is told, nothing is wrong."""
    found = _checks(vitals=minute())
    assert {name: check.value for name, check in found.items()} == QUIET
    assert all(check.ok for check in found.values())


def test_nothing_known():
    """A run of which no vitals are on record (an older one) only tells where the target was."""
    assert list(_checks()) == ["network"]
    assert not _checks(target="http://192.0.2.1:80")
    assert list(_checks(target="http://localhost:8000")) == ["network"]


@pytest.mark.parametrize(("late", "ok"), [(60, True), (61, False)])
def test_probes_late(late, ok):
    """1 % of 6,000 looks are 60."""
    assert _checks(vitals=minute(s5={"late_probes": late}))["loop"].ok is ok


def test_the_worst_process_counts():
    """One late process is not made up for by others that are on time; when it stood still is told."""
    still = {"late_probes": 61, "loop_worst_ms": 300.0, "loop_worst_at_s": 5.5}
    rows = [*minute(s5=still), *(vitals_row(s + 1.01, f"worker-{n}") for n in range(2, 9) for s in range(60))]
    check = _checks(vitals=rows)["loop"]
    assert not check.ok
    assert check.value == (
        "1 % of worker-1's time over 5 ms late; the loop of worker-1 stood still in 2 s, for 300 ms at 4 s"
    )


@pytest.mark.parametrize(("busy", "ok"), [(3, True), (4, False)])
def test_cpu(busy, ok):
    """Above 90 % in more than 5 % of 60 s, of one process of two; the check says which, when and for how long."""
    rows = [*minute(), *(vitals_row(s + 1.01, "swarm-1", cpu_percent=93.0 if s < busy else 5.0) for s in range(60))]
    check = _checks(vitals=rows)["cpu"]
    assert check.ok is ok
    assert not ok or check.value == "busiest process, worker-1, at 21 % of a core (p95)"
    assert ok or check.value == "busiest process, swarm-1, at 94 % of a core (p95), over 90 % in 4 of 60 s"
    assert check.remedy.startswith("share the load among more processes")


def test_waiting_busily_is_room():
    """Of a core that is used up, what went into waiting for the next arrival was there for anything else."""
    rows = minute(**{f"s{s}": {"cpu_percent": 99.0, "spin_percent": 60.0} for s in range(60)})
    assert _checks(vitals=rows)["cpu"].ok
    short = minute(**{f"s{s}": {"cpu_percent": 99.0, "spin_percent": 5.0} for s in range(60)})
    assert not _checks(vitals=short)["cpu"].ok


def test_the_collector_only_tells():
    """Beyond 2 % of the limit it is long, and that is all."""
    check = _checks(vitals=minute(s5={"collector_ms": 60.0, "collector_worst_ms": 30.0}))["collector"]
    assert check.ok
    assert check.value == "at most 30 ms at once, 1 ms a second, long beside the limit: users' code makes much garbage"


@pytest.mark.parametrize(("open_ones", "ok"), [(700, True), (701, False)])
def test_descriptors(open_ones, ok):
    """70 % of the limit of 1,000."""
    assert _checks(vitals=minute(s5={"descriptors": open_ones}))["descriptors"].ok is ok


def _offsets(of_second):
    return [vitals_row(float(s + 1), clock_offset_ms=of_second(s)) for s in range(60)]


CLOCKS = {
    "left alone": (lambda s: 0.0, True),
    "set by 1 ms": (lambda s: 1.0 * (s >= 30), True),
    "set by 1.1 ms": (lambda s: 1.1 * (s >= 30), False),
    "set back by a second": (lambda s: -1000.0 * (s >= 30), False),
    "set and set back": (lambda s: 5.0 * (s == 30), False),
    "drifts by 50 ppm": (lambda s: 0.05 * s, True),
    "drifts by 51 ppm": (lambda s: 0.051 * s, False),
}


@pytest.mark.parametrize("name", CLOCKS)
def test_the_clock(name):
    """A step above 1 ms, or a drift above 50 ppm (50 us a second)."""
    of_second, ok = CLOCKS[name]
    check = _checks(vitals=_offsets(of_second))["clock step"]
    assert (check.ok, check.fatal) == (ok, True)


def test_a_clock_that_was_set_is_told():
    """By how much, and when: between the rows of 30 and 31 s, less the 50 ppm that it may drift in a second."""
    check = _checks(vitals=_offsets(lambda s: 40.0 * (s >= 30)))["clock step"]
    assert check.value.endswith("it was set by 40 ms at 31 s")
    verdict = judge(remember_run(stream(), ["p95 < 200ms"], vitals=_offsets(lambda s: 40.0 * (s >= 30))))
    assert verdict.status is Status.INVALID
    assert verdict.sentence.endswith(
        "it was set by 40 ms at 31 s, so nothing is said of the target: let nothing set the clock during a run (let "
        "NTP slew it), then make it again"
    )


def test_the_pool():
    """Waits are told where there were any."""
    check = _checks(vitals=minute(s9={"pool_waits": 2}))["pool"]
    assert not check.ok
    assert check.value == "requests waited for a connection of the client's own pool in 1 s, 2 of them at 9 s"


@pytest.mark.parametrize(("steal", "ok"), [(2.0, True), (2.1, False)])
def test_steal(steal, ok):
    """2 % of the time of the steady state."""
    rows = [{"at_s": s + 1.01, "steal_percent": steal if s < 60 else 99.0} for s in range(65)]
    assert _checks(resources=rows)["steal"].ok is ok


def test_a_quota_reached():
    """Once is too often."""
    check = _checks(resources=[{"at_s": 9.01, "steal_percent": 0.0, "throttled": 1.0}])["steal"]
    assert not check.ok
    assert check.value == "0 % of its time went to others; the container reached its CPU quota in 1 s, first at 8 s"
    assert check.remedy == "raise the container's CPU quota, or lower the rate"


@pytest.mark.parametrize(("percent", "ok"), [(70.0, True), (70.1, False)])
def test_ports(percent, ok):
    """70 % of the ephemeral ones; what was sent again is told beside it."""
    check = _checks(resources=[{"at_s": 9.01, "ports_percent": percent, "retransmits": 3.0}])["means"]
    assert (check.ok, check.fatal) == (ok, False)
    assert check.value == "70 % of the ports in use; 3 retransmits on this machine"


def test_no_port_left():
    """One request without a port makes the run INVALID."""
    run = remember_run(stream(odd_every=1200, odd={"outcome": Outcome.ERROR}), ["p95 < 200ms"])
    assert judge(run).status is Status.PASS
    run.intervals["GET /a"][59].errors["no free port"] = run.intervals["GET /a"][59].errors.pop("http 503")
    verdict = judge(run)
    assert verdict.status is Status.INVALID
    assert "1 requests found none, or no descriptor" in verdict.sentence


# 1,200 requests of 10 ms are 12 s under way; 1 ms a request is 1.2 s, which is more than 2 % of 12 s.
@pytest.mark.parametrize(("under_way_s", "ok"), [(12.0, True), (13.19, True), (13.3, False), (10.7, False)])
def test_little(under_way_s, ok):
    """What was under way must have been recorded."""
    counted = accounting(stream()) | {"in_flight_us": round(under_way_s * 1e6)}
    check = _checks(accounting=counted)["little"]
    assert check.ok is ok


def test_little_of_failed_requests():
    """A time-out was under way too: 1,190 requests of 10 ms, and 10 of 2 s, are 31.9 s."""
    samples = stream(odd_every=120, odd={"outcome": Outcome.TIMEOUT, "service_ms": 2000})
    for under_way_s, ok in ((31.9, True), (11.9, False)):
        run = remember_run(samples, accounting=accounting(samples) | {"in_flight_us": round(under_way_s * 1e6)})
        (check,) = (check for check in check_vitals(run, L_NS) if check.name == "little")
        assert check.ok is ok


def test_little_of_long_requests():
    """1,200 requests of 2 s are 2,400 s; 2 % of that are 48 s."""
    for under_way_s, ok in ((2448, True), (2460, False)):
        counted = accounting(stream()) | {"in_flight_us": under_way_s * 1_000_000}
        run = remember_run(stream(service_ms=2000), accounting=counted)
        (check,) = (check for check in check_vitals(run, L_NS) if check.name == "little")
        assert check.ok is ok
