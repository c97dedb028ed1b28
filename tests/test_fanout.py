"""The fan-out of a message, put together from the shares of the processes."""

from loadtests.fanout import FanOut, FanOuts
from loadtests.interval import merge
from loadtests.ledger import Message, Settled
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
        fanouts.add([list(row) for row in batch])
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
    """The earliest, the larger median, the latest; nothing is recorded until both have told."""
    one, other = share(0, 3, 0, 2, 5, 40), share(0, 2, 0, 1, 9, 30)
    found, curve = fan_outs(2, [one], [share(1, 1, 0, 1, 1, 1)])
    assert (found[LAST].count, curve) == (0, [])
    found, curve = fan_outs(2, [one], [other])
    assert [ms(found[name]) for name in (FIRST, MEDIAN, LAST)] == [1, 9, 40]
    assert (curve[0]["subscribers"], curve[0]["last_us"]) == (5, 40_000)
    assert one + other == other + one


def test_a_process_that_never_told():
    """Its part is missing, but what others know is recorded in the end."""
    found, _ = fan_outs(2, [share(0, 3, 0, 2, 5, 40)], finish=True)
    assert (found[LAST].ok, ms(found[LAST])) == (1, 40)


def test_lost():
    """Where one subscriber lost it, its fan-out was never complete; where most did, nor was its half."""
    found, curve = fan_outs(1, [share(0, 3, 1, 2, 5, 40), share(1, 1, 2, 2, 2, 2), share(2, 0, 2)])
    assert [(found[name].ok, found[name].lost) for name in (FIRST, MEDIAN, LAST)] == [(2, 1), (1, 2), (0, 3)]
    assert curve == []
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
    row = FanOut.of(Settled("news", 3, Message(1, 2), [7, 8], 4, (5, 6, 9)), shift=1000)
    assert row == FanOut("news", 1003, 1, 2, 4, 2, 5, 6, 9)
    assert FanOut.of(Settled("news", 3, Message(1, 2), [7], 0, None)) == FanOut("news", 3, 1, 2, 0, 1)
