"""The self-checks: each fires on the fault that it is there for, and is quiet otherwise."""

import json
import shutil

import pytest

from loadtests.header import PhaseSpan
from loadtests.health import check_run
from loadtests.judge import judge
from loadtests.run import Run
from loadtests.sample import Outcome
from loadtests.swarmaccount import SwarmAccount
from loadtests.verdict import Status
from tests.runs import accounting, parsed, remember_run, sample, stream, write_run

P95 = "p95 < 200ms"
DROPPED = {"outcome": Outcome.DROPPED}


def _checks(run, lines=()):
    return {check.name: check for check in check_run(run, parsed(lines))}


def _dropped(samples, *which):
    return [s._replace(outcome=Outcome.DROPPED) if k in which else s for k, s in enumerate(samples)]


# 1,200 requests in 60 s, 200 in each 10 s: 99 % are 1,188, and 95 % of a block are 190.
PLANS = {
    "all sent": (stream(), True),
    "12 dropped, two a block: 99 %": (_dropped(stream(), *range(0, 1200, 100)), True),
    "13 dropped: 98.9 %": (_dropped(stream(), 1, *range(0, 1200, 100)), False),
    "10 of one block dropped: 95 % of it": (_dropped(stream(), *range(400, 410)), True),
    "11 of one block dropped: 94.5 % of it": (_dropped(stream(), *range(400, 411)), False),
    "a second of the first block left in the second: 90 %": (
        [*stream(20, 9), *stream(20, 1, first_s=9, late_ms=1000), *stream(20, 50, first_s=10)],
        False,
    ),
    "unsent at the end: 97.5 % of the last block": (
        [*stream(20, 59), *stream(20, 1, first_s=59, odd_every=4, odd={"outcome": Outcome.UNSENT})],
        True,
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_plan(name):
    """The plan is kept with 99 % sent overall and 95 % in every 10 s block."""
    samples, kept = PLANS[name]
    assert _checks(remember_run(samples))["plan"].ok is kept


def test_plan_is_written_out():
    """What was sent is said in percent, overall and of the worst block, and what never was."""
    text = _checks(remember_run(_dropped(stream(), *range(400, 411))))["plan"].value
    assert text == "99.08 % sent, worst 10 s 94.50 %, 11 never sent"


def test_nothing_planned():
    """Neither a closed model nor a swarm that only listens has a plan to keep."""
    assert "plan" not in _checks(remember_run(stream(), model="closed"))
    assert "plan" not in _checks(remember_run(stream(series="ws deliver")))


def test_lateness():
    """Lateness is told at p99 and at most, against the tightest limit of all objectives."""
    run = remember_run(stream(late_ms=1.5))
    check = _checks(run, ["p95 < 1s", "p99 < 20ms", "errors < 1%"])["lateness"]
    assert (check.ok, check.value) == (False, "late by 1.5 ms at p99, 1.5 ms at most")  # 5 % of 20 ms is 1 ms
    assert check.limit == "p99 2 ms, at most 1 ms; beyond it both readings must agree"
    assert _checks(run, ["p95 < 1s"])["lateness"].ok


EVERYTHING = [
    *stream(2, 30, series="GET /a"),
    *stream(1, 30, series="POST /a", service_ms=1700),  # ends in a second of its own
    *(sample(t, series="GET /a", outcome=o) for t, o in enumerate(Outcome) if o is not Outcome.LOST),
    *stream(3, 30, series="ws deliver", late_ms=1200),
    sample(7, series="ws deliver", outcome=Outcome.LOST),
    sample(9, series="ws publish"),
]
LEDGER = {"expected": 91, "delivered": 90, "lost": 1, "received": 93, "duplicated": 2, "late": 1}
HALF_MINUTE = (PhaseSpan("steady", "steady", 0, 30),)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run with every outcome on HTTP and in the swarm, all of it on disk."""
    directory = tmp_path_factory.mktemp("runs") / "whole"
    write_run(directory, EVERYTHING, [P95], deliveries=LEDGER, batches=3, phases=HALF_MINUTE)
    return directory


def _lines(directory, name):
    return (directory / name).read_text().splitlines(keepends=True)


def test_a_whole_run_is_accounted_for(whole):
    """A run that lost nothing satisfies every identity, however many batches it came in."""
    checks = _checks(Run(whole), [P95])
    assert (checks["accounting"].ok, checks["deliveries"].ok) == (True, True)
    left = 60 + 30 + 3 + 91 + 1  # the streams, and one each of OK, ERROR and TIMEOUT, LOST, and a publication
    ended, ok = left - 1, left - 3
    times, moments = left + 2 * ended, left + ok
    assert checks["accounting"].value == (
        f"95 of 95 arrivals, 93 of 93 requests, 1 of 1 publishes, 2 of 2 unsent, {times} of {times} times, "
        f"{moments} of {moments} starts and ends"
    )
    assert checks["deliveries"].value == "90 of 90 received and 1 of 1 lost ones found again"


@pytest.mark.parametrize("name", ["counts.jsonl", "intervals.hlog"])
def test_any_lost_record_is_noticed(name, whole, tmp_path):
    """A run that any one line of counts or histograms is missing from is INVALID, whatever its objectives say."""
    lines = _lines(whole, name)
    assert judge(Run(whole)).status is not Status.INVALID
    for k in range(4, len(lines), len(lines) // 20):
        if lines[k].startswith(("#", '"')):
            continue  # the log's comments and legend
        directory = shutil.copytree(whole, tmp_path / f"without-{k}")
        (directory / name).write_text("".join(lines[:k] + lines[k + 1 :]))
        verdict = judge(Run(directory))
        assert verdict.status is Status.INVALID, lines[k]
        assert "accounted for" in verdict.sentence


def test_a_lost_interval_is_noticed(whole, tmp_path):
    """So is one that both its counts and its histograms are missing from."""
    directory = shutil.copytree(whole, tmp_path / "run")
    counts = [
        x for x in _lines(whole, "counts.jsonl") if (json.loads(x)["series"], json.loads(x)["second"]) != ("GET /a", 4)
    ]
    start = f",{1_700_000_004:.3f},"
    log = [x for x in _lines(whole, "intervals.hlog") if not (x.startswith("Tag=GET%20/a|") and start in x)]
    (directory / "counts.jsonl").write_text("".join(counts))
    (directory / "intervals.hlog").write_text("".join(log))
    assert judge(Run(directory)).status is Status.INVALID


@pytest.mark.parametrize(
    ("changes", "exact"),
    [
        ({}, True),
        ({"requests_begun": 1}, False),  # one began and was never recorded
        ({"requests_begun": 1, "requests_in_flight": 1}, True),  # it had not ended yet
        ({"dropped": 1}, False),  # an arrival was dropped and not recorded
        ({"started": -1}, False),  # an arrival that was due neither started nor was dropped
        ({"started": -1, "unsent": 1}, False),
    ],
)
def test_accounting(changes, exact):
    """What was counted at the source is in the record, to the last request."""
    counted = accounting(stream())
    run = remember_run(stream(), accounting={name: n + changes.get(name, 0) for name, n in counted.items()})
    check = _checks(run)["accounting"]
    assert (check.ok, check.fatal) == (exact, True)


def test_accounting_knows_the_plan_of_its_own():
    """A generator process whose whole account is missing is noticed: the plan says how many were due."""
    check = _checks(remember_run(stream(), planned=2400))["accounting"]
    assert not check.ok
    assert check.value.startswith("1,200 of 2,400 arrivals")


def test_accounting_of_a_run_cut_short():
    """In a run that was cut short what was not due yet is not missing, and what was due must be there."""
    cut = {"state": "partial", "partial": "interrupted at 60 s", "planned": 9999}
    assert _checks(remember_run(stream(), **cut))["accounting"].ok
    counted = accounting(stream()) | {"offered": 1201}
    assert not _checks(remember_run(stream(), accounting=counted, **cut))["accounting"].ok


def test_no_account_at_all():
    """A complete run whose generator left no account is not trusted; one that was killed never had the chance."""
    check = _checks(remember_run(stream(), accounting={}))["accounting"]
    assert (check.ok, check.fatal) == (False, True)
    assert "accounting" not in _checks(remember_run(stream(), accounting={}, state="running"))


@pytest.mark.parametrize(
    "lost", [{"lost": 2}, {"received": 92}, {"duplicated": 1}, {"late": 0}, {"expected": 92}, {"outside": 1}]
)
def test_deliveries(lost):
    """The swarm's ledger and the record of its deliveries agree, or the run is INVALID."""
    ledger = LEDGER | lost
    run = remember_run(EVERYTHING, [P95], deliveries=ledger, phases=HALF_MINUTE)
    assert not _checks(run)["deliveries"].ok
    assert judge(run).status is Status.INVALID
    assert "deliveries" not in _checks(remember_run(EVERYTHING, deliveries=ledger, state="running"))


@pytest.mark.parametrize(
    ("state", "found", "ok"),
    [
        ("interrupted", {"delivered": 80, "expected": 81, "unsettled": 10}, True),
        ("interrupted", {"delivered": 80, "expected": 81, "unsettled": 9}, False),
        ("interrupted", {"delivered": 80, "expected": 81, "unsettled": 0}, False),
        ("interrupted", {"delivered": 80, "expected": 81}, True),  # of before they were counted
        ("complete", {"delivered": 80, "expected": 81, "unsettled": 10}, False),  # all is settled at the end
        ("complete", {"unsettled": 0}, True),
    ],
)
def test_deliveries_of_a_stopped_run(state, found, ok):
    """What came of messages that were not settled when it ended is counted, and the rest adds up to the delivery."""
    run = remember_run(EVERYTHING, [P95], deliveries=LEDGER | found, phases=HALF_MINUTE, state=state)
    check = _checks(run)["deliveries"]
    assert check.ok is ok
    assert ("not settled when it ended" in check.value) is bool(found.get("unsettled"))


def test_deliveries_that_nobody_can_place():
    """Numbers that begin again before somebody who stayed connected: that nothing was lost, nobody knows."""
    run = remember_run(EVERYTHING, [P95], deliveries=LEDGER, phases=HALF_MINUTE)
    assert "numbers" not in _checks(run)
    run.swarm = SwarmAccount.together([SwarmAccount(unplaced=n).to_json() for n in (1, 2)])
    check = _checks(run)["numbers"]
    assert (check.ok, check.fatal) == (False, True)
    assert check.value.startswith("3 deliveries bore numbers from before the first heard, or such that begin again")
    assert judge(run).sentence.endswith(check.remedy)


@pytest.mark.parametrize(("ledger", "told"), [({}, True), ({"received": 0}, True), (LEDGER, False)])
def test_nothing_was_read(ledger, told):
    """A field by another name than the server's: a run of which no message was read says which, and is INVALID."""
    run = remember_run(EVERYTHING, [P95], deliveries=ledger, phases=HALF_MINUTE)
    run.swarm = SwarmAccount.together([SwarmAccount(unread=2, example="no number in 'x'").to_json() for _ in range(2)])
    checks = _checks(run)
    assert ("unread" in checks) is told
    if told:
        assert (checks["unread"].ok, checks["unread"].fatal) == (False, True)
        assert checks["unread"].value == "of 4 messages none was read: no number in 'x'"


@pytest.mark.parametrize("kind", ["lost", "member error"])
def test_a_lost_process(kind):
    """A process that was lost makes the run INVALID even where objectives fail."""
    run = remember_run(stream(service_ms=300), [P95], events=[(kind, "worker-1 (pid 12) was lost (signal 9)")])
    verdict = judge(run)
    assert (verdict.status, verdict.verdicts[0].status) == (Status.INVALID, Status.FAIL)
    assert "worker-1 (pid 12) was lost (signal 9)" in verdict.sentence


def _busy(seconds, **more):
    return [{"at_s": t + 0.9, "generator_cpu_percent": 95.0 if t < seconds else 60.0, **more} for t in range(60)]


@pytest.mark.parametrize(
    ("resources", "ok"),
    [
        (_busy(0), True),
        (_busy(3), True),  # 3 of 60 s are 5 %
        (_busy(4), False),
        (_busy(0, swarm_cpu_percent=91.0), False),  # the swarm's process counts as well
        (_busy(0, swarm_cpu_percent=90.0), True),
        (_busy(0, target_cpu_percent=100.0), True),  # the target may sweat
        ([{"at_s": 61.0 + t, "generator_cpu_percent": 99.0} for t in range(9)] + _busy(0), True),  # in the cool-down
    ],
)
def test_generator_cpu(resources, ok):
    """The generator had room unless its busiest process was over 90 % of a core in over 5 % of the steady seconds."""
    assert _checks(remember_run(stream(), resources=resources))["cpu"].ok is ok


def test_generator_cpu_was_not_read():
    """Where no reading was made, nothing is claimed."""
    assert "cpu" not in _checks(remember_run(stream()))


@pytest.mark.parametrize(("raised", "ok"), [(12, True), (13, False)])
def test_user_code(raised, ok):
    """The scenario's own code may raise in 1 % of the tasks; beyond that the run is INVALID, whatever else failed."""
    tasks = [sample(t, series="task Buyer", outcome=Outcome.ERROR, service_ms=0) for t in range(raised)]
    run = remember_run([*stream(service_ms=300), *tasks], [P95])
    check = _checks(run)["user code"]
    assert (check.ok, check.fatal) == (ok, True)
    assert judge(run).status is (Status.FAIL if ok else Status.INVALID)


def test_user_code_that_works():
    """Where nothing was raised, nothing is said of it."""
    assert "user code" not in _checks(remember_run(stream()))


@pytest.mark.parametrize("series", ["GET /a", "ws deliver"])
def test_negative_times(series, tmp_path):
    """A time below zero, in any series, means that clocks disagree: the run is INVALID, on disk as in memory."""
    odd = [*stream(), *stream(series=series, seconds=1, first_s=3, service_ms=-0.1)]
    ledger = {"received": 20} if series == "ws deliver" else None
    for run in (
        remember_run(odd, [P95], deliveries=ledger),
        write_run(tmp_path / "run", odd, [P95], deliveries=ledger),
    ):
        checks = _checks(run)
        assert (checks["clock"].ok, checks["clock"].value) == (False, "40 negative times")  # response and service
        assert judge(run).status is Status.INVALID


def test_times_beyond_the_histogram():
    """A time over a minute is counted as a minute, and the reader is told; it is nobody's fault."""
    check = _checks(remember_run([*stream(), sample(3, service_ms=61_000)]))["range"]
    assert (check.ok, check.value) == (True, "2 over 60 s, counted as 60 s")


@pytest.mark.parametrize(("seconds", "ok"), [(29, False), (30, True)])
def test_length(seconds, ok):
    """Under 30 s of steady state nothing is decided."""
    phases = (PhaseSpan("steady", "steady", 0, seconds + 0.9),)
    assert _checks(remember_run(stream(), phases=phases))["length"].ok is ok


def test_a_run_without_anything():
    """A run that recorded nothing at all is checked without a fall."""
    assert _checks(remember_run([], phases=()))["length"].value == "0 s"


def test_a_publish_that_is_missing():
    """Publishes due and publishes recorded or in flight agree, or the run is INVALID."""
    samples = [*stream(), *stream(series="ws publish")]
    planned = {"publishes_planned": 1200}
    for missing, in_flight, ok in ((0, 0, True), (1, 0, False), (1, 1, True)):
        account = accounting(samples[: len(samples) - missing]) | planned | {"publishes_in_flight": in_flight}
        run = remember_run(samples[: len(samples) - missing], [P95], accounting=account)
        assert _checks(run)["accounting"].ok is ok


def test_what_came_due_while_we_had_its_member_away():
    """It is no publish that is missing, and it is told."""
    samples = [*stream(), *stream(series="ws publish")]
    for away, ok in ((3, True), (2, False), (4, False)):
        account = accounting(samples[:-3]) | {"publishes_planned": 1200, "publishes_away": away}
        check = _checks(remember_run(samples[:-3], [P95], accounting=account))["accounting"]
        assert check.ok is ok
        assert f"; {away} of the publishes came due" in check.value


CITED = {
    "id": "a",
    "made_wall_s": 1_700_000_000.0 - 7200,
    "rate_per_s": 100.0,
    "floor_ms": {"50": 0.5, "95": 1.5, "99": 2.5, "100": 9.0},
    "headroom": 4.77,
    "broken": [],
}


@pytest.mark.parametrize(
    ("limit", "changes", "ok"),
    [
        ("15ms", {}, True),  # a tenth of it is 1.5 ms, a fifth 3
        ("14ms", {}, False),
        ("15ms", {"floor_ms": {"95": 1.5, "99": 3.1}}, False),
        ("200ms", {"broken": ["The machine drives more than is planned? No: 1.2 times"]}, False),
    ],
)
def test_floor(limit, changes, ok):
    """What the harness itself takes stands beside the limit, with all that its calibration found."""
    run = remember_run(stream(), [f"p95 < {limit}"], calibration={**CITED, **changes})
    (check,) = (one for one in check_run(run, parsed([f"p95 < {limit}"])) if one.name == "floor")
    assert check.ok is ok
    assert "4.8 times 100/s driven, 2 h before" in check.value
    assert all(each in check.value for each in changes.get("broken", ()))


def test_no_floor():
    """Nothing is said where no calibration speaks for the run."""
    assert "floor" not in {check.name for check in check_run(remember_run(stream()), parsed(["p95 < 9ms"]))}


@pytest.mark.parametrize(("percentile", "ms"), [(50, 0.5), (90, 1.5), (99, 2.5), (99.9, 9.0)])
def test_floor_at_a_percentile(percentile, ms):
    """Or at the next above it that is known, which is no less."""
    assert remember_run(stream(), calibration=CITED).header.floor_ms(percentile) == ms
