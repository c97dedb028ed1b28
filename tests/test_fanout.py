"""The fan-out of a message, put together from the shares of the processes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.books import EVERY_CHANNEL, Books
from loadtests.fanout import PATIENCE_S, FanOut, FanOuts
from loadtests.interval import merge
from loadtests.ledger import Ledger, Message, Settled
from loadtests.member import Broadcast
from loadtests.series import FIRST, LAST, MEDIAN

MS, S = 1_000_000, 1_000_000_000


def share(sequence, reached, lost, *arrived_ms, intended_s=1, stream="p"):
    """Return one process's share of a message that was due at a second and left a millisecond later."""
    due = intended_s * S
    return FanOut(stream, sequence, due, due + MS, reached, lost, *(due + ms * MS for ms in arrived_ms))


def fan_outs(shards, *batches, limits=(), finish=False):
    """Add batches of shares, and return the series' totals and the curve."""
    fanouts = FanOuts(0, lambda series: limits, shards)
    for batch in batches:
        fanouts.add([list(row) for row in batch], 0)
    if finish:
        fanouts.finish()
    intervals, curve = fanouts.take()
    return {
        name: merge((i for i in intervals if i.series == name), series=name) for name in (FIRST, MEDIAN, LAST)
    }, curve


def ms(interval):
    """Return the response times, whole milliseconds, of an interval of one sample."""
    return round(interval.response.max_us / 1000)


def test_one_process():
    """A message is recorded by first, middle and last, from its intended start; and on the curve by how many it had."""
    found, curve = fan_outs(1, [share(0, 3, 0, 2, 5, 40)], limits=(39 * MS,))
    assert [ms(found[name]) for name in (FIRST, MEDIAN, LAST)] == [2, 5, 40]
    assert [found[name].bad[39 * MS] for name in (FIRST, MEDIAN, LAST)] == [
        (0, 0),
        (0, 0),
        (1, 0),  # it had left a millisecond late
    ]
    assert curve == [
        {"second": 1, "subscribers": 3, "messages": 1, "first_us": 2000, "median_us": 5000, "last_us": 40_000}
    ]


def test_two_processes():
    """The earliest, the median, the latest; nothing is recorded until both have told."""
    one, other = share(0, 3, 0, 2, 5, 40), share(0, 2, 0, 1, 1, 30)  # 1, 2, 5, 30 and 40 ms
    found, curve = fan_outs(2, [one], [share(1, 1, 0, 1, 1, 1)])
    assert (found[LAST].count, curve) == (0, [])
    found, curve = fan_outs(2, [one], [other])
    assert [ms(found[name]) for name in (FIRST, MEDIAN, LAST)] == [1, 5, 40]
    assert (curve[0]["subscribers"], curve[0]["last_us"]) == (5, 40_000)
    assert one + other == other + one


def settled(arrived, lost):
    """Return one process's share of a message that was due at 0, lost by so many, as its ledger settles it."""
    ledger = Ledger(0, S)
    for one in range(len(arrived) + lost):
        ledger.subscribed(one, "c", -S)
    ledger.published("p", "c", 0, [Message(0, 0)])
    for one, at in enumerate(sorted(arrived)):
        ledger.received(one, "p", 0, at * MS)
    (row,) = ledger.settle(2**62)
    return FanOut.of(row)


@pytest.mark.parametrize(
    ("lost", "median_ms"),
    [
        (0, 5),  # of ten: the lower of the fifth and the sixth
        (1, 6),  # of eleven the sixth
        (9, 10),  # of nineteen the tenth
        (10, 10),  # of twenty the lower of the tenth and one that never came
        (11, None),
    ],
)
def test_the_median_of_all(lost, median_ms):
    """One that ten subscribers had after 1, 2, ..., 10 ms and others never: these are later than any."""
    found, _ = fan_outs(1, [settled(range(1, 11), lost)])
    assert found[MEDIAN].lost == (median_ms is None)
    assert (ms(found[MEDIAN]) if median_ms else None) == median_ms


parts = st.lists(st.tuples(st.lists(st.integers(1, 20), max_size=6), st.integers(0, 4)), min_size=1, max_size=4)


@given(parts)
def test_the_median_of_several_processes(shares):
    """It is never said to be earlier than it was, nor later than the latest of theirs; where none is, it is lost."""
    whole, *more = (settled(arrived, lost) for arrived, lost in shares)
    for one in more:
        whole += one
    arrived, lost = sorted(at for times, _ in shares for at in times), sum(lost for _, lost in shares)
    found, _ = fan_outs(1, [whole])
    half = (len(arrived) + lost + 1) // 2
    assert found[MEDIAN].count == (half > 0)
    assert found[MEDIAN].lost == (half > len(arrived))
    assert (whole.reached, whole.lost) == (len(arrived), lost)
    if 0 < half <= len(arrived):
        assert whole.median_ns >= arrived[half - 1] * MS
        each = [settled(times, lost) for times, lost in shares if times or lost]
        if all(one.reached >= one.lost for one in each):
            assert whole.median_ns <= max(one.median_ns for one in each)


def test_a_process_that_never_told():
    """Its part is missing, but what others know is recorded in the end."""
    found, _ = fan_outs(2, [share(0, 3, 0, 2, 5, 40)], finish=True)
    assert (found[LAST].ok, ms(found[LAST])) == (1, 40)


def test_nobody_of_another_process():
    """Where one of two processes has nobody on a channel, a message is recorded once the other has had time to tell."""
    fanouts, recorded = FanOuts(0, lambda series: (), 2), []
    for second in range(100):
        fanouts.add([share(100 * second + k, 3, 0, 2, 5, 40, intended_s=second) for k in range(100)], second)
        fanouts.add([], second)
        recorded.append(sum(interval.count for interval in fanouts.take()[0] if interval.series == LAST))
        assert len(fanouts._partial) <= 100 * (PATIENCE_S + 1)
    assert recorded == [0] * 10 + [100] * 90
    fanouts.finish()
    assert sum(interval.count for interval in fanouts.take()[0] if interval.series == LAST) == 1000


def test_a_share_that_comes_late():
    """It is told of, and its message not recorded once more; an empty one has nothing to tell."""
    fanouts = FanOuts(0, lambda series: (), 2)
    fanouts.add([share(k, 3, 0, 2, 5, 40) for k in (4, 5)], 0)
    fanouts.add([share(4, 3, 0, 1, 1, 1), share(6, 3, 0, 2, 5, 40)], 9)
    fanouts.add([], 10)
    fanouts.add([share(k, 2, 0, 2, 5, 50) for k in (5, 6, 7)], 11)  # 5 is late
    fanouts.add([share(5, 0, 0), share(0, 1, 0, 1, 1, 1, stream="q")], 12)
    assert fanouts.late == 1
    fanouts.finish()
    found = merge((one for one in fanouts.take()[0] if one.series == LAST), series=LAST)
    assert found.count == 5


def test_lost():
    """Where one subscriber lost it, its fan-out was never complete; where most did, nor was its half."""
    found, curve = fan_outs(1, [share(0, 3, 1, 2, 5, 40), share(1, 1, 2, 2, 2, 2), share(2, 0, 2)])
    assert [(found[name].ok, found[name].lost) for name in (FIRST, MEDIAN, LAST)] == [(2, 1), (1, 2), (0, 3)]
    assert curve == [  # of 4, of 3 and of 2 subscribers: those to whom it came, and those to whom it did not
        {"second": 1, "subscribers": 4, "incomplete": 1, "lost": 1},
        {"second": 1, "subscribers": 3, "incomplete": 1, "lost": 2},
        {"second": 1, "subscribers": 2, "incomplete": 1, "lost": 2},
    ]
    found, curve = fan_outs(1, [share(0, 3, 1, 2, 5, 40), share(1, 4, 0, 1, 2, 3), share(2, 2, 2, 1, 1, 1)])
    (row,) = curve
    assert row == {
        "second": 1,
        "subscribers": 4,
        "messages": 1,
        "first_us": 1000,
        "median_us": 2000,
        "last_us": 3000,
    } | {
        "incomplete": 2,
        "lost": 3,
    }
    found, _ = fan_outs(2, [share(0, 0, 1)], [share(0, 4, 0, 1, 1, 1)])
    assert [(found[name].ok, found[name].lost) for name in (FIRST, MEDIAN, LAST)] == [(1, 0), (1, 0), (0, 1)]


def test_nobody_there():
    """A message without subscribers has no fan-out."""
    found, curve = fan_outs(1, [share(0, 0, 0)])
    assert (found[FIRST].count, curve) == (0, [])


def test_curve_adds_up():
    """Messages of one second to as many subscribers share a row; others have their own."""
    rows = [share(k, 2, 0, 1, 1, 3) for k in range(4)] + [
        share(4, 3, 0, 1, 2, 4),
        share(5, 2, 0, 1, 1, 1, intended_s=2),
    ]
    _, curve = fan_outs(1, rows)
    assert [(row["second"], row["subscribers"], row["messages"], row["last_us"]) for row in curve] == [
        (1, 2, 4, 12_000),
        (1, 3, 1, 4000),
        (2, 2, 1, 1000),
    ]


def test_of_what_was_settled():
    """A share is what the ledger settled; numbers that differ between processes are made the same."""
    row = FanOut.of(Settled("news", 3, Message(1, 2), [7, 8], 4, (5, 6, 9), 11, 12), shift=1000)
    assert row == FanOut("news", 1003, 1, 2, 4, 2, 5, 6, 9, late=0, duplicated=11, reordered=12)
    assert FanOut.of(Settled("news", 3, Message(1, 2), [7], 0, None)) == FanOut("news", 3, 1, 2, 0, 1)


def test_lost_between_two_of_the_same_millisecond():
    """One that nobody had is lost to its last subscriber, also where its neighbours bear the same time."""
    books = Books(0, lambda _: (), S, 2 * S, shared=False)
    for one in range(3):
        books.ledger.subscribed(one, EVERY_CHANNEL, -S)

    def hear(number, sent_ns, hearers=3):
        for one in range(hearers):
            stream, sequence, *_ = books.hear(Broadcast("news", number, sent_ns), 6 * S, by_channel=False)
            books.ledger.received(one, stream, sequence, 6 * S)

    hear(7, None)  # nobody knows how long it took
    hear(8, 5 * S)
    hear(10, 5 * S, hearers=2)
    hear(12, 5 * S + MS)
    books.settle(20 * S)
    assert [(one.sequence, one.reached, one.lost, one.untimed) for one in books.settlement.take()["fanned"]] == [
        (7, 3, 0, True),
        (8, 3, 0, False),
        (9, 0, 3, False),
        (10, 2, 1, False),
        (11, 0, 3, False),
        (12, 3, 0, False),
    ]


def test_untimed():
    """Of messages without a time, whoever tells so, it is counted what became of them, and nothing else."""
    untimed = FanOut("p", 1, S, S, 2, 0, untimed=True)
    put_together = FanOuts(0, lambda series: (), 2)
    put_together.add([untimed, untimed._replace(sequence=2, lost=1)], 0)
    put_together.add([share(1, 3, 0, 1, 2, 3), untimed._replace(sequence=2, duplicated=4)], 0)
    intervals, (row,) = put_together.take()
    assert intervals == []
    assert row == {"second": 1, "subscribers": 5, "untimed": 1, "incomplete": 1, "lost": 1, "duplicated": 4}


def test_faults_by_fan_out():
    """What is wrong with deliveries stands by how many their message was due to over all processes."""
    put_together = FanOuts(0, lambda series: (), 2)
    put_together.add([(*share(0, 2, 1, 1, 1, 3)[:9], 0, 4, 1)], 0)
    put_together.add_afterwards([("p", 0, 1, 2)])  # before the other process has told of it
    put_together.add([(*share(0, 3, 0, 1, 2, 4)[:9], 0, 5, 0)], 0)
    _, (first,) = put_together.take()
    assert first == {"second": 1, "subscribers": 6, "incomplete": 1, "lost": 1} | {
        "late": 1,
        "duplicated": 4 + 2 + 5,
        "reordered": 1,
    }
    put_together.add_afterwards([("p", 0, 3, 0), ("p", 7, 1, 1)])  # of the other one nobody knows
    assert put_together.take() == ([], [{"second": 1, "subscribers": 6, "late": 3, "duplicated": 0}])


def test_remembered_for_some_time(monkeypatch):
    """Of how many messages their size is kept is bounded."""
    monkeypatch.setattr("loadtests.fanout.REMEMBERED", 2)
    put_together = FanOuts(0, lambda series: (), 1)
    put_together.add([share(k, 2, 0, 1, 1, 3) for k in range(3)], 0)
    put_together.take()
    put_together.add_afterwards([("p", 0, 1, 0), ("p", 1, 1, 0), ("p", 2, 1, 0)])
    _, (row,) = put_together.take()
    assert row["late"] == 2
