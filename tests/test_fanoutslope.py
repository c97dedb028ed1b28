"""A server that serves subscriber i after i milliseconds, from bytes to the curve: exact, for the clock is given."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from loadtests import framereader
from loadtests.books import Books
from loadtests.fanout import FanOuts
from loadtests.framereader import FrameReader
from loadtests.interval import merge
from loadtests.member import Broadcast, Member
from loadtests.reception import Reception
from reports.charts.fanout import reaches, slope_us

MS, S = 1_000_000, 1_000_000_000
GUARD, DRAIN = S, 3 * S
MOST = 20


class Listener(Member):
    """Hears numbers with their stamp."""

    hears_broadcasts = True

    def read(self, frame: str) -> Broadcast:
        """Every frame is one."""
        row = json.loads(frame)
        return Broadcast("news", row["n"], row["t"])


def frame(number: int, sent_ns: int) -> bytes:
    """What the server writes, unmasked as servers do."""
    text = json.dumps({"n": number, "t": sent_ns}).encode()
    return bytes((0x81, len(text))) + text


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch) -> Books:
    """Of twenty subscribers, who come a second after each other; each second a message goes out."""
    clock_ns = [0]
    monkeypatch.setattr(framereader, "time", SimpleNamespace(monotonic_ns=lambda: clock_ns[0]))
    kept = Books(0, lambda series: (), GUARD, DRAIN, shared=False)
    receptions = [
        Reception(kept, kept.ledger, Listener(k, {}, {}, {}), k, "run.", None)  # type: ignore[arg-type]
        for k in range(MOST)
    ]
    readers = [FrameReader(each.received, print, print, 4096) for each in receptions]
    for second in range(4 * MOST):
        if second < MOST:
            receptions[second].begin([""], second * S)
        sent_ns = second * S + S // 2
        kept.waits.turn(sent_ns)
        for number, reader in enumerate(readers[: second + 1], 1):
            clock_ns[0] = sent_ns + number * MS
            reader.data_received(frame(second, sent_ns))
        kept.settle(second * S)
    kept.settle(2**62)
    return kept


def test_each_further_subscriber(books: Books) -> None:
    """The last of n has it after n ms, the first after one; each further one adds exactly a millisecond."""
    fanouts = FanOuts(0, lambda series: (), 1)
    fanouts.add(books.settlement.take()["fanned"], 0)
    intervals, rows = fanouts.take()
    found = reaches(rows)
    assert [one.subscribers for one in found] == list(range(1, MOST + 1))
    assert [one.last_us for one in found] == [1000 * n for n in range(1, MOST + 1)]
    assert [one.median_us for one in found] == [1000 * ((n - 1) // 2 + 1) for n in range(1, MOST + 1)]
    assert {one.first_us for one in found} == {1000}
    assert slope_us(found) == pytest.approx(1000, rel=1e-12)
    last = merge((i for i in intervals if i.series == "ws deliver last"), series="last")
    assert (last.ok, last.response.max_us) == (4 * MOST, 1000 * MOST)


def test_the_deliveries_themselves(books: Books) -> None:
    """Nobody lost anything, and each delivery took what its subscriber's place says, to a bucket's width."""
    counts = books.ledger.counts
    received = sum(range(1, MOST + 1)) + 3 * MOST * MOST
    assert (counts.received, counts.lost, counts.duplicated) == (received, 0, 0)
    deliver = merge((i for i in books.recorder.fold() if i.series == "ws deliver"), series="deliver")
    assert deliver.ok == received
    took = sorted(number for second in range(4 * MOST) for number in range(1, min(second + 1, MOST) + 1))
    for percentile in (10, 50, 95):
        rank = -(-percentile * received // 100)
        assert deliver.response.percentile_us(percentile) == pytest.approx(1000 * took[rank - 1], rel=1e-3)


def test_how_evenly(books: Books) -> None:
    """Means of 1, 2, ..., 20 ms: Jain's index is (sum m)^2 / (n sum m^2), and the order is no noise."""
    means = range(1, MOST + 1)
    index = sum(means) ** 2 / (MOST * sum(m * m for m in means))
    fairness = books.waits.fairness()
    assert fairness.subscribers == MOST
    assert fairness.index == pytest.approx(index, rel=1e-9)
    assert fairness.bounds() == pytest.approx((index, index), rel=1e-9)
