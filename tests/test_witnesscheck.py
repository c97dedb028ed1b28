"""The witness beside the load: boundaries by the binomial law, false alarms and power by simulated runs."""

from math import comb

import numpy as np
import pytest
from scipy.stats import gamma

from loadtests.histogram import Histogram
from loadtests.interval import Interval
from loadtests.judge import judge
from loadtests.run import Run
from loadtests.sample import Outcome
from loadtests.verdict import Status
from loadtests.witnessaccount import WitnessAccount
from loadtests.witnesscheck import LEAST_PROBES, compare
from tests.runs import HEADER, remember_run, stream, write_run

MS_US, LIMIT_NS = 1000.0, 200_000_000
ALLOWED_US = 10_000
"""5 % of 200 ms."""


def rows(times_ms, *, series="GET /a", failed=None, seconds=60):
    """The witness's times spread over the seconds."""
    made = [{"second": s, "series": series, "us": [], "by_kernel": 0} for s in range(seconds)]
    for k, time_ms in enumerate(times_ms):
        made[k % seconds]["us"].append(round(time_ms * MS_US))
        made[k % seconds]["by_kernel"] += 1
    if failed:
        made[0]["failed"] = failed
    return made


def slow_load(**more):
    """20 requests a second for a minute, every tenth of which takes 250 ms: p95 is 250 ms."""
    return stream(odd_every=10, odd={"service_ms": 250.0}, service_ms=20.0, **more)


def witness_check(verdict):
    """The check, which there is once at most."""
    found = [check for check in verdict.checks if check.name == "witness"]
    return found[0] if found else None


def simulated(load_us, witness_us, seconds=60):
    """A run of drawn times, each spread over the seconds as it was drawn."""
    run = Run.__new__(Run)
    run.header = HEADER
    parts = np.array_split(np.asarray(load_us, dtype=np.int64), seconds)
    run.intervals = {
        "GET /a": {s: Interval("GET /a", s, len(p), len(p), service=Histogram.of(p)) for s, p in enumerate(parts)}
    }
    whole = np.array_split(np.asarray(witness_us, dtype=np.int64), seconds)
    made = [{"second": s, "series": "GET /a", "us": p.tolist(), "by_kernel": 0} for s, p in enumerate(whole)]
    run.witness = WitnessAccount.from_rows(made)
    return run


def queueing(load_us, witness_us, limit_ns=LIMIT_NS):
    """Whether the client is found to be queueing."""
    return compare(simulated(load_us, witness_us), limit_ns, ["GET /a"]).is_queueing


def binomial(k, n, p=0.05):
    """P(Bin(n, p) <= k), term by term."""
    return sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))


@pytest.mark.parametrize(
    ("n", "longer", "expected"),
    [
        (300, 6, True),  # 0.7 %
        (300, 7, False),  # 1.6 %
        (LEAST_PROBES, 0, True),  # 0.95^90 = 0.99 %
        (LEAST_PROBES - 1, 0, False),  # 0.95^89 = 1.04 %
    ],
)
def test_boundary(n, longer, expected):
    """So few of the witness's requests near the load's p95 have a chance of 1 % at most, by the sum of its terms."""
    assert (binomial(longer, n) <= 0.01) is expected
    load = [20_000] * 1080 + [250_000] * 120
    assert queueing(load, [249_000] * longer + [20_000] * (n - longer)) is expected


@pytest.mark.parametrize(("shift_us", "expected"), [(ALLOWED_US + 1000, True), (ALLOWED_US - 1000, False)])
def test_what_is_allowed(shift_us, expected):
    """A load whose every time is longer by a little more than 5 % of the limit is found, by a little less is not."""
    witness = [100_000] * 300
    assert queueing([time_us + shift_us for time_us in witness * 8], witness) is expected


@pytest.mark.parametrize(("shift_us", "expected"), [(1900, False), (2100, True)])
def test_a_limit_below_what_a_client_can_tell(shift_us, expected):
    """5 % of 10 ms are 0.5 ms; reading and stamping may take 2."""
    witness = [5_000] * 300
    found = queueing([time_us + shift_us for time_us in witness * 8], witness, limit_ns=10_000_000)
    assert found is expected


def test_mix_of_series_is_no_matter():
    """A slow series in 9 % of the load and 3 % of the witness is no queue: each is held against its own p95."""
    run = simulated([20_000] * 2400, [20_000] * 290)
    run.intervals["GET /slow"] = {
        s: Interval("GET /slow", s, 4, 4, service=Histogram.of([900_000] * 4)) for s in range(60)
    }
    times = dict(run.witness.times_us) | {"GET /slow": dict.fromkeys(range(0, 60, 6), (900000.0,))}
    run.witness = WitnessAccount(times, {}, 0, range(60))
    found = compare(run, LIMIT_NS, ["GET /a", "GET /slow"])
    assert (found.load_us, found.witness_us) == (pytest.approx(900_000, rel=0.01), 20_000)
    assert not found.is_queueing


def test_noise_alone():
    """Load and witness in one M/M/1 queue at 90 %: an alarm in at most 1 of 100 runs, though its times hang together.

    The witness's requests are a twentieth of those in the queue, drawn at random, so both see the same times; the limit
    is so small that hardly anything but noise is allowed for: 2 ms, of a p95 near 270.
    """
    alarms = 0
    for seed in range(400):
        random = np.random.default_rng(seed)
        gaps, services = random.exponential(10_000, 6300), random.exponential(9_000, 6300)
        steps = np.cumsum(np.concatenate([[0.0], services[:-1] - gaps[1:]]))
        times_us = steps - np.minimum.accumulate(steps) + services  # Lindley's recursion
        is_witness = random.random(6300) < 1 / 21
        alarms += queueing(times_us[~is_witness], times_us[is_witness], limit_ns=1_000_000)
    assert alarms <= 10  # P(Bin(400, 1 %) > 10) = 0.3 %


def test_power():
    """A client that adds 10 % of the limit is found as often as the binomial law says, nearly always.

    Of gamma-distributed times 0.8 % are more than 10 ms above their p95; of 300 that is 6 or fewer with 98.8 %, and the
    bound on the load's own p95 costs some of it. A client that adds nothing is never found.
    """
    law = gamma(9, scale=3_000)
    beyond = float(law.sf(law.ppf(0.95) + ALLOWED_US))
    assert binomial(6, 300, beyond) > 0.98
    found = [0, 0]
    for seed in range(200):
        random = np.random.default_rng(seed)
        load, witness = random.gamma(9, 3_000, 6000), random.gamma(9, 3_000, 300)
        found[0] += queueing(load, witness)
        found[1] += queueing(load + 2 * ALLOWED_US, witness)
    assert found[0] == 0
    assert found[1] >= 188


def test_fail_becomes_invalid():
    """A FAIL of the load that an idle client does not see says nothing of the target; told with what to do."""
    verdict = judge(remember_run(slow_load(), ["p95 < 200ms"], witness=rows([20] * 300)))
    assert verdict.status is Status.INVALID
    assert verdict.verdicts[0].status is Status.INVALID
    assert "the client itself was queueing: p95 of the load 250 ms, of the witness 20 ms" in verdict.verdicts[0].reason
    assert "--processes" in verdict.sentence
    check = witness_check(verdict)
    assert not check.ok
    assert not check.fatal
    assert check.limit == "the load's p95 at most 10 ms above the witness's"


def test_fail_stands_without_a_witness_or_with_one_that_agrees():
    """The same load FAILs by itself, and where the witness sees the same times."""
    assert judge(remember_run(slow_load(), ["p95 < 200ms"])).status is Status.FAIL
    agrees = rows(([20] * 9 + [250]) * 30)
    verdict = judge(remember_run(slow_load(), ["p95 < 200ms"], witness=agrees))
    assert (verdict.status, witness_check(verdict).ok) == (Status.FAIL, True)


def test_fail_stands_where_the_witness_alone_fails():
    """The client adds 50 ms to a target that is too slow for anybody: that is the target's doing all the same."""
    too_slow = rows(([20] * 8 + [210, 210]) * 30)
    load = stream(odd_every=5, odd={"service_ms": 260.0}, service_ms=70.0)
    verdict = judge(remember_run(load, ["p95 < 200ms"], witness=too_slow))
    assert (verdict.status, witness_check(verdict).ok) == (Status.FAIL, False)


def test_pass_stands():
    """Waiting in the client makes times longer, never shorter: what passed has passed."""
    run = remember_run(stream(service_ms=100.0), ["p95 < 200ms"], witness=rows([20] * 300))
    verdict = judge(run)
    assert (verdict.status, witness_check(verdict).ok) == (Status.PASS, False)


def test_other_kinds_are_not_concerned():
    """Errors are no matter of time: their FAIL stands."""
    run = remember_run(slow_load(), ["errors < 1%", "p95 < 200ms"], witness=rows([20] * 300))
    assert [v.status for v in judge(run).verdicts] == [Status.PASS, Status.INVALID]


def test_series_without_a_witness():
    """A POST has no witness of its own: it is one client, so the GETs speak for it."""
    posts = slow_load(series="POST /a")
    run = remember_run(stream(service_ms=100.0) + posts, [("p95 < 200ms", "POST /a", "each")], witness=rows([20] * 300))
    assert judge(run).verdicts[0].status is Status.INVALID


def test_what_the_client_adds_elsewhere_explains_no_more_than_that():
    """80 ms that it adds to the GETs make no POST of 5 s: that FAIL is the target's."""
    posts = stream(series="POST /a", service_ms=5000.0)
    run = remember_run(stream(service_ms=100.0) + posts, [("p95 < 200ms", "POST /a", "each")], witness=rows([20] * 300))
    assert judge(run).verdicts[0].status is Status.FAIL


def test_errors_are_no_queues_doing():
    """7 % of the answers are errors where 5 % may be bad: that the client adds 80 ms besides is no excuse."""
    load = stream(odd_every=14, odd={"outcome": Outcome.ERROR}, service_ms=100.0)
    assert judge(remember_run(load, ["p95 < 200ms"], witness=rows([20] * 300))).verdicts[0].status is not Status.INVALID
    assert judge(remember_run(load, ["p98 < 200ms"], witness=rows([20] * 300))).verdicts[0].status is Status.FAIL


def test_swarm_is_another_process():
    """What the Locust process adds is not in the swarm's times."""
    run = remember_run(
        slow_load(series="ws deliver") + stream(service_ms=100.0),
        [("p95 < 200ms", "ws deliver", "each")],
        witness=rows([20] * 300),
        deliveries={"expected": 1200, "delivered": 1200, "received": 1200},
    )
    assert judge(run).verdicts[0].status is Status.FAIL


def test_too_few():
    """Under 90 requests it says that it cannot tell, and changes nothing."""
    verdict = judge(remember_run(slow_load(), ["p95 < 200ms"], witness=rows([20] * 89)))
    assert (verdict.status, witness_check(verdict).ok) == (Status.FAIL, True)
    assert "too few to tell" in witness_check(verdict).value


def test_refused():
    """A target that answers the witness with 429 is told of, and makes nothing INVALID."""
    refusing = rows([20] * 300, failed={"status 429": 40})
    verdict = judge(remember_run(slow_load(), ["p95 < 200ms"], witness=refusing))
    assert (verdict.status, witness_check(verdict).ok) == (Status.FAIL, True)
    assert witness_check(verdict).value.startswith("40 of its 340 looks failed, most often: status 429")


def test_a_few_failures_are_no_refusal():
    """Up to a tenth may fail."""
    verdict = judge(remember_run(slow_load(), ["p95 < 200ms"], witness=rows([20] * 300, failed={"status 503": 30})))
    assert verdict.status is Status.INVALID


def test_timed_out_is_slow():
    """A request of the witness that timed out took longer than anything: it speaks for the client, not against it."""
    run = remember_run(slow_load(), ["p95 < 200ms"], witness=rows([20] * 300, failed={"timed out": 30}))
    assert judge(run).status is Status.FAIL
    assert run.witness.failed["GET /a"].total() == 0


def test_only_steady_seconds_count():
    """What the witness saw after its last row, or in no steady second, is compared with nothing."""
    account = rows([20] * 300)
    for row in account:
        row["second"] += 60
    assert "0 times of the steady state" in witness_check(judge(remember_run(slow_load(), witness=account))).value


def test_read_back(tmp_path):
    """Rows of one series and second add up, on disk as in memory; a run without a witness has an empty account."""
    more = [{"second": 0, "series": "GET /a", "us": [7], "by_kernel": 0, "failed": {"status 500": 2, "timed out": 1}}]
    run = write_run(tmp_path / "run", stream(), witness=rows([20] * 60) + more)
    assert run.witness.during("GET /a", [0]) == [20_000.0, 7.0, float("inf")]
    assert (run.witness.by_kernel, run.witness.failed["GET /a"]) == (60, {"status 500": 2})
    assert run.witness.seconds == range(60)
    assert witness_check(judge(write_run(tmp_path / "none", stream()))) is None


DELIVER = "ws deliver"


def deliveries_check(verdict):
    """The check of the swarm, which there is once at most."""
    found = [check for check in verdict.checks if check.name == "witness of deliveries"]
    return found[0] if found else None


@pytest.mark.parametrize(
    ("witness_ms", "n", "status", "queueing"),
    [
        (20, 300, Status.INVALID, True),
        (250, 300, Status.FAIL, False),  # an idle subscriber waits as long
        (20, LEAST_PROBES, Status.INVALID, True),
        (20, LEAST_PROBES - 1, Status.FAIL, False),
    ],
)
def test_deliveries(witness_ms, n, status, queueing):
    """Deliveries that an idle subscriber has sooner were late by the swarm's doing; requests say nothing of them."""
    account = [*rows([witness_ms] * n, series=DELIVER), *rows([20] * 300)]
    run = remember_run(
        [*slow_load(series=DELIVER), *stream()], ["p95 < 200ms", ("p95 < 200ms", DELIVER, "pool")], witness=account
    )
    verdict = judge(run)
    assert verdict.verdicts[1].status is status
    assert deliveries_check(verdict).ok is not queueing
    assert witness_check(verdict).ok
    assert ("--processes" in verdict.verdicts[1].remedy) is queueing


def test_lost_deliveries_are_no_queue():
    """6 % never came: no swarm that reads late makes that."""
    lossy = stream(odd_every=10, odd={"service_ms": 250.0}, series=DELIVER)
    lossy = [s._replace(outcome=Outcome.LOST) if k % 16 == 0 else s for k, s in enumerate(lossy)]
    run = remember_run(lossy, [("p95 < 200ms", DELIVER, "pool")], witness=rows([20] * 300, series=DELIVER))
    assert judge(run).verdicts[0].status is Status.FAIL


def test_a_witness_of_requests_alone_says_nothing_of_deliveries():
    """No socket of it, no check."""
    run = remember_run(
        [*slow_load(series=DELIVER), *stream()], [("p95 < 200ms", DELIVER, "pool")], witness=rows([20] * 300)
    )
    verdict = judge(run)
    assert verdict.verdicts[0].status is Status.FAIL
    assert deliveries_check(verdict) is None
