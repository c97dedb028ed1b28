"""The known truths: formulas against slow oracles, servers against their arithmetic, and what is called wrong."""

from __future__ import annotations

import asyncio
import json
import random
from bisect import bisect_right
from dataclasses import replace
from itertools import count
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from benchmarks.truth import __main__ as command
from benchmarks.truth import closedloop, delays, fanout, overload, queue, shares, stall
from benchmarks.truth.record import Record
from benchmarks.truth.servers.answer import Answerer
from benchmarks.truth.servers.answer import Record as Told
from benchmarks.truth.servers.delay import delays as delay_server
from benchmarks.truth.servers.relay import Relay
from benchmarks.truth.servers.share import share
from benchmarks.truth.servers.single import service_s, single_server
from benchmarks.truth.table import BEGIN, END, as_text, written
from benchmarks.truth.truth import WARM_UP_S, Figure, Row, rows
from loadtests.nullserver import is_bad


def rank(values: list[float], p: float) -> float:
    """The value of rank ``ceil(p n)``."""
    return sorted(values)[ceil(p * len(values)) - 1]


def row(reported: float | None = 10.0, verdict: str = "PASS", **figure: float) -> Row:
    """A row whose truth is 10, allowed to be off by -1 to +2."""
    told = Figure("p95 ms", ("p95",), **({"truth": 10.0, "below": 1.0, "above": 2.0} | figure))  # type: ignore[arg-type]
    return Row("a truth", told, reported, verdict, "PASS", {})


@pytest.mark.parametrize(
    ("reported", "verdict", "holds"),
    [
        (10.0, "PASS", True),
        (9.0, "PASS", True),
        (8.9, "PASS", False),
        (12.0, "PASS", True),
        (12.1, "PASS", False),
        (None, "PASS", False),
        (10.0, "FAIL", False),
        (10.0, "None", False),
    ],
)
def test_row_is_wrong_beyond_its_tolerance_or_with_another_verdict(
    reported: float | None, verdict: str, holds: bool
) -> None:
    """Both ends of the tolerance belong to it; what was not reported is never right."""
    assert row(reported, verdict).holds is holds
    assert ("WRONG" in as_text([row(reported, verdict)])) is not holds


def test_stall_quantile_is_that_of_a_crowd() -> None:
    """Somebody comes every millisecond of 5 s, and waits for what is left of a stall of 1 s at its begin."""
    waits = [max(0.0, 1000.0 - ms) for ms in range(5000)]
    for p in (0.9, 0.95, 0.99, 0.999):
        assert stall.quantile_ms(p) == pytest.approx(rank(waits, p), abs=1)
        assert stall.quantile_ms(p) == pytest.approx(1000 - (1 - p) * 5000, abs=1e-6)


def test_a_tool_that_is_blind_to_the_stall_would_be_wrong() -> None:
    """With 20 users, 2 % are sent into a stall: send-based times have a p95 of about nothing, far from the truth."""
    blind = {
        "verdict": "INVALID",
        "series": {"GET /": {"response_ms": {"p90": 1, "p95": 1, "p99": 1000, "p99.9": 1000}}},
    }
    told = rows(stall.STALL_FEW, Record(seconds=60.0), blind, {"Locust": {"p90": 3.0}})
    assert [one.holds for one in told] == [False, False, False, True]
    assert told[0].peers == {"Locust": 3.0}


def test_queue_quantile_is_that_of_lindleys_recursion() -> None:
    """One by one: ``wait_n+1 = max(0, wait_n + service_n - gap_n)``; the share beyond the quantile is 1 - p."""
    draw = random.Random(5)
    wait, times = 0.0, []
    for _ in range(400_000):
        service = draw.expovariate(queue.SERVICE_PER_S)
        times.append(1000 * (wait + service))
        wait = max(0.0, wait + service - draw.expovariate(queue.ARRIVALS_PER_S))
    times.sort()
    for p in (0.5, 0.9, 0.95, 0.99):
        assert bisect_right(times, queue.quantile_ms(p)) / len(times) == pytest.approx(p, abs=0.05 * (1 - p) + 0.002)


def test_queue_sampling_error_shrinks_with_the_root_of_the_time() -> None:
    """Four times as long is half the error; and dependence makes it wider than that of independent requests."""
    minute, four = queue.sampling_ms(0.95, 60, 200), queue.sampling_ms(0.95, 240, 200)
    assert minute / four == pytest.approx(2, rel=0.25)
    density_per_ms = 0.05 * (queue.SERVICE_PER_S - queue.ARRIVALS_PER_S) / 1000
    independent = 3 * (0.05 * 0.95 / (60 * queue.ARRIVALS_PER_S)) ** 0.5 / density_per_ms
    assert 2 * independent < minute < 6 * independent


def test_single_server_serves_in_order_and_one_at_a_time() -> None:
    """Whoever comes while it is busy is due after those before; whoever comes later, after its own service."""
    draw = random.Random(3)
    first, second, third = (draw.expovariate(100) for _ in range(3))
    serve = single_server(service_s(100, 3))
    assert serve(0, 1.0) == (1.0 + first, 200)
    assert serve(1, 1.0)[0] == pytest.approx(1.0 + first + second)
    assert serve(2, 9.0) == (9.0 + third, 200)


def test_overload_is_that_of_a_server_that_falls_behind() -> None:
    """A hundred a second come to a server that does 95; the first of them 40 ms late: who comes when waits how long."""
    serve = single_server(service_s(overload.CAPACITY_PER_S, 0))
    waits = []
    for k in range(65 * overload.ARRIVALS_PER_S):
        due_s = 1000 + k / overload.ARRIVALS_PER_S
        waits.append(1000 * (serve(k, max(due_s, 1000.04))[0] - due_s))
    steady = waits[WARM_UP_S * overload.ARRIVALS_PER_S :]
    found = overload.OVERLOAD_FEW.figures(Record(seconds=60.0, first_ms=40.0))
    for figure, p in zip(found, (0.5, 0.9, 0.95, 0.99), strict=False):
        assert figure.truth == pytest.approx(rank(steady, p), abs=figure.below)
    assert (found[-1].path[-2:], found[-1].truth) == (("service_ms", "p50"), pytest.approx(20 / 95 * 1000))


def test_closed_loop_cannot_be_quicker_than_its_answers() -> None:
    """Ten users whose answers take 100 ms have a hundred a second, and never more."""
    throughput, *_ = closedloop.CLOSED.figures(Record(held_ms=(100.0,) * 5900, seconds=60.0))
    assert (throughput.truth, throughput.above) == (100, 0)
    assert throughput.server == pytest.approx(98.333, abs=1e-3)


def test_delays_have_the_distribution_that_is_claimed() -> None:
    """Any stretch of 3,000 requests has the lognormal's quantiles to within the discrepancy; a fixed delay is fixed."""
    serve = delay_server(delays.MEDIAN_MS, delays.SIGMA)
    for begin in (0, 500, 12_345):
        held = [1000 * serve(number, 0.0)[0] for number in range(begin, begin + 3000)]
        for p in (0.5, 0.9, 0.95, 0.99):
            assert rank(held, p) == pytest.approx(delays.lognormal_ms(p), abs=delays.discrepancy_ms(p, 3000))
    assert {round(delay_server(20.0, 0.0)(number, 1.0)[0], 9) for number in range(100)} == {1.02}
    assert delays.lognormal_ms(0.95) == pytest.approx(50 * 2.718281828 ** (0.5 * 1.644853627))


@pytest.mark.parametrize(("bad", "of"), [(1, 100), (1, 500), (3, 100), (6, 100)])
def test_exact_share(bad: int, of: int) -> None:
    """Of every row of so many, wherever it begins, exactly so many; and never the first or last of a row."""
    found = [is_bad(number, bad, of) for number in range(3 * of)]
    assert {sum(found[begin : begin + of]) for begin in range(2 * of)} == {bad}
    assert not found[0]
    assert not found[of - 1]


def test_share_is_slow_or_failing_and_the_rest_is_spread_below() -> None:
    """The 25th of 50 takes 400 ms and fails; the others take less than 50 ms and do not."""
    told = [share(1, 50, 400, 500, 50)(number, 0.0) for number in range(50)]
    assert told[24] == (0.4, 500)
    assert all(due_s < 0.05 and status == 200 for n, (due_s, status) in enumerate(told) if n != 24)


def test_limits_of_the_shares_follow_from_the_counts() -> None:
    """60 s at 150/s are 9,000 requests: 6 in 100 are 540, 1 in 100 are 90, and neither may be one less."""
    record = Record(held_ms=(1.0,) * 8460 + (400.0,) * 540, failed=90, seconds=60.0)
    (over,) = shares.TAIL_6.figures(record)
    assert (over.truth, over.below, over.server) == (540, 0, 540)
    errors, requests = shares.ERRORS_MANY.figures(record)
    assert (errors.truth, errors.below, errors.above, errors.server) == (90, 0, 0, 90)
    assert (requests.truth, requests.server) == (9000, 9000)
    timeouts, errors = shares.HANGING.figures(replace(record, held_ms=(1.0,) * 8910 + (1500.0,) * 90))
    assert [(one.truth, one.below, one.above, one.server) for one in (timeouts, errors)] == [(90, 0, 0, 90)] * 2


@pytest.mark.parametrize("published", [0, 1, 8, 11, 12, 651, 700, 731])
@pytest.mark.parametrize("faulty", [True, False])
def test_relay_does_what_the_arithmetic_says(published: int, faulty: bool) -> None:
    """One listener's own count of what is missing, comes again, or after a later one (RFC 4737, 3.3)."""
    every = (fanout.LOSE, fanout.DOUBLE, fanout.SWAP) if faulty else (0, 0, 0)
    server = Relay(0.0, *every)
    heard = [int(frame) for n in range(published) for frame in server.fates(n, str(n))]
    seen: set[int] = set()
    found = {"lost": published - len(set(heard)), "duplicated": len(heard) - len(set(heard)), "reordered": 0}
    for n in heard:
        found["reordered"] += n not in seen and n < max(seen, default=-1)
        seen.add(n)
    assert fanout.faults(published, *every) == found
    if not faulty:
        assert set(found.values()) == {0}


def test_record_is_cut_to_the_steady_state() -> None:
    """From its begin to before its end; the percentile has rank ``ceil(p n)``."""
    told = {"requests": [[ns, 1_000_000 * ns, 500 if ns == 3 else 200] for ns in (9, 1, 2, 3, 4, 5)], "published": 7}
    record = Record.between(told, 2, 5)
    assert record.held_ms == (2.0, 3.0, 4.0)
    assert (record.requests, record.failed, record.published, record.seconds) == (3, 1, 7, 3e-9)
    assert Record.between(told, 2, 5, -1).first_ms == 2e-6
    assert record.percentile_ms(50) == 3.0
    assert record.percentile_ms(99) == 4.0
    assert Record.between({"requests": [], "stalls": [[0, 10**9], [5 * 10**9, 6 * 10**9]]}, 1, 10**10).stalls_s == (
        1.0,
    )


class Wire(asyncio.WriteTransport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: Any) -> None:
        """Keep it."""
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        """Never."""
        return False


def test_server_answers_each_request_once_and_tells_of_it() -> None:
    """Heads come in pieces or several at once; what the record is asked for is no request."""

    async def ask() -> tuple[list[bytes], list[int]]:
        wire, asked = Wire(), []

        def service(number: int, came_s: float) -> tuple[float, int]:
            asked.append(number)
            return came_s, 500 if number == 1 else 200

        connection = Answerer(service, Told(), count())
        connection.connection_made(wire)
        for piece in (b"GET / HT", b"TP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r", b"\n", b"GET /record HTTP/1.1\r\n\r\n"):
            connection.data_received(piece)
        return wire.written, asked

    written_, asked = asyncio.run(ask())
    assert asked == [0, 1]
    assert [answer.split()[1] for answer in written_[:2]] == [b"200", b"500"]
    head, _, body = written_[2].partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert [status for *_, status in json.loads(body)["requests"]] == [200, 500]


def test_page_keeps_all_but_its_table() -> None:
    """What stands between the markers is replaced, as often as one likes; a page without them is refused."""
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = written(page, [row()])
    assert once.startswith(f"before\n{BEGIN}\n| truth |")
    assert once.endswith(f"{END}\nafter\n")
    assert "old" not in once
    assert written(once, [row()]) == once
    with pytest.raises(ValueError, match="begin"):
        written("no markers", [row()])


def test_what_is_wrong_is_asked_once_more_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A busy machine is no lie, but twice wrong is wrong."""
    asked: list[list[str]] = []
    right, always, once = (replace(stall.STALL, name=name) for name in ("right", "always wrong", "once wrong"))

    def together(truths: Any, *_: Any) -> list[Row]:
        asked.append([truth.name for truth in truths])
        wrong = {"always wrong"} | ({"once wrong"} if len(truths) > 1 else set())
        return [replace(row(99.0 if truth.name in wrong else 10.0), name=truth.name) for truth in truths]

    monkeypatch.setattr(command, "together", together)
    told = command.measure([[right, always, once]], 30, tmp_path, 0)
    assert asked == [["right", "always wrong", "once wrong"], ["always wrong"], ["once wrong"]]
    assert [(one.name, one.holds) for one in told] == [("right", True), ("always wrong", False), ("once wrong", True)]


@pytest.mark.parametrize(("reported", "code"), [(10.0, 0), (99.0, 1)])
def test_exit_code_says_whether_all_is_right(monkeypatch: pytest.MonkeyPatch, reported: float, code: int) -> None:
    """CI stops at 1."""
    monkeypatch.setattr(command, "measure", lambda *_: [row(reported)])
    monkeypatch.setattr("sys.argv", ["truth", "--short"])
    assert command.main() == code
