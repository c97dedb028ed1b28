"""The ledger: exact counts of what was lost, repeated, swapped, early and late, and memory that does not grow."""

import random
import tracemalloc
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.books import Books
from loadtests.ledger import LOG_NS, MEMORY_NS, Ledger, Message
from loadtests.subscriptions import Subscriptions
from tests.oracles.slow_ledger import SlowLedger

S = 1_000_000_000
MS = 1_000_000
GUARD, DRAIN = 2 * S, 5 * S


def message(at_ns):
    """Return a message sent a millisecond after it was due."""
    return Message(at_ns - MS, at_ns)


def published(ledger, n, stream="p", channel="c", first=0, start_ns=0, every_ns=10 * MS):
    """Publish n messages and return their sending times."""
    sent = [start_ns + k * every_ns for k in range(n)]
    ledger.published(stream, channel, first, map(message, sent))
    return sent


def settle(ledger, now_ns):
    """Settle up to a moment, and return what was lost, as (subscriber, stream, sequence)."""
    return [(who, each.stream, each.sequence) for each in ledger.settle(now_ns) for who in each.lost]


def assert_identities(counts):
    """Whatever happened, everything is accounted for once."""
    assert counts.expected == counts.delivered + counts.lost
    in_time = counts.delivered + counts.outside + counts.recovered + counts.unsettled
    assert counts.received == in_time + counts.duplicated + counts.late + counts.foreign
    assert counts.recovered <= counts.away


def settled(ledger):
    """Settle everything, and return what was lost since the last settlement."""
    before = ledger.counts.lost
    lost = settle(ledger, 2**62)
    assert_identities(ledger.counted())
    assert not ledger.counts.unsettled
    assert len(lost) == ledger.counts.lost - before
    return lost


@pytest.mark.parametrize("seed", [1, 2])
def test_scripted_server(seed):
    """Every 100th message dropped, every 50th doubled, and pairs swapped: exact for each subscriber."""
    n, subscribers = 1000, range(5)
    ledger = Ledger(GUARD, DRAIN)
    for subscriber in subscribers:
        ledger.subscribed(subscriber, "c", -GUARD)
    published(ledger, n)
    draw = random.Random(seed)
    arriving = []
    for subscriber in subscribers:
        order = list(range(n))
        for k in range(10 + subscriber, n - 1, 20):  # 10 and 11, 30 and 31, ...; of others 11 and 12, ...
            order[k], order[k + 1] = order[k + 1], order[k]
        kept = [k for k in order if k % 100 != 7 + subscriber]
        arriving.append([(subscriber, k) for k in kept for _ in range(2 if k % 50 == 3 else 1)])
    while any(arriving):
        line = draw.choice([one for one in arriving if one])
        subscriber, k = line.pop(0)
        ledger.received(subscriber, "p", k)
    lost = settled(ledger)
    for subscriber in subscribers:
        mine = [sequence for who, _, sequence in lost if who == subscriber]
        assert mine == list(range(7 + subscriber, n, 100))
    assert {stream for _, stream, _ in lost} == {"p"}
    counts = ledger.counts
    assert (counts.expected, counts.lost, counts.delivered) == (5 * n, 5 * 10, 5 * (n - 10))
    assert counts.duplicated == 5 * 20  # 3, 53, 103, ...
    assert counts.received == counts.delivered + counts.duplicated
    # Pairs begin at 10 + i, 30 + i, ...: fifty of them, none of which touches a dropped number (7 + i mod 100).
    assert (counts.reordered, counts.displacement) == (5 * 50, 1)
    assert (counts.late, counts.outside, counts.foreign) == (0, 0, 0)


def coming_and_going(seed, guard_ns):
    """Run a lossless server whose subscribers come and go, and return the ledger.

    The server begins and ends to send up to 0.9 s before the client knows; a message takes up to 0.9 s each way; what
    comes after the connection ended is not received.
    """
    draw = random.Random(seed)

    def delay():
        return draw.randrange(900 * MS)

    ledger = Ledger(guard_ns, DRAIN)
    events, windows = [], []
    for subscriber in range(10):
        at = draw.randrange(20 * S)
        while at < 60 * S:
            begins, acknowledged = at, at + delay()
            ended = acknowledged + draw.randrange(15 * S)
            windows.append((subscriber, begins, ended - delay(), ended))
            events.append((acknowledged, lambda s=subscriber, t=acknowledged: ledger.subscribed(s, "c", t)))
            events.append((ended, lambda s=subscriber, t=ended: ledger.unsubscribed(s, t)))
            at = ended + draw.randrange(5 * S)
    for k in range(600):
        sent = k * 100 * MS
        events.append((sent, lambda k=k, t=sent: ledger.published("p", "c", k, [message(t)])))
        at_server = sent + delay()
        for subscriber, begins, ends, closed in windows:
            arrives = at_server + delay()
            if begins <= at_server < ends and arrives < closed:
                events.append((arrives, lambda s=subscriber, k=k: ledger.received(s, "p", k)))
    for second in range(75):
        events.append((second * S, lambda t=second * S: list(ledger.settle(t))))
    for _, happen in sorted(events, key=lambda event: event[0]):
        happen()
    settled(ledger)
    return ledger.counts


def test_coming_and_going_loses_nothing():
    """On a server that loses nothing, subscribers that come and go at random have lost nothing, in fifty runs."""
    runs = [coming_and_going(seed, GUARD) for seed in range(50)]
    assert [counts.lost for counts in runs] == [0] * 50
    assert all(counts.delivered > 500 and counts.outside > 100 for counts in runs)
    assert all((counts.late, counts.duplicated, counts.foreign) == (0, 0, 0) for counts in runs)


def test_the_guard_is_needed():
    """Without the guard, the same server would be accused of losing what was sent while somebody came or went."""
    assert all(coming_and_going(seed, 0).lost > 0 for seed in range(5))


@pytest.mark.parametrize(
    ("sent_ns", "expected"),
    [
        (12 * S - 1, 0),  # the guard after the acknowledgement
        (12 * S, 1),
        (18 * S, 1),
        (18 * S + 1, 0),  # and the one before the end
        (30 * S, 0),
    ],
)
def test_window(sent_ns, expected):
    """A subscription from 10 s to 20 s with a guard of 2 s is due what is sent from 12 s to 18 s."""
    ledger = Ledger(GUARD, DRAIN)
    ledger.subscribed(1, "c", 10 * S)
    ledger.unsubscribed(1, 20 * S)
    ledger.published("p", "c", 0, [message(sent_ns)])
    settled(ledger)
    assert (ledger.counts.expected, ledger.counts.lost) == (expected, expected)


def test_subscribed_again():
    """A subscriber that comes back has a second window; in between nothing is due."""
    ledger = Ledger(GUARD, DRAIN)
    ledger.subscribed(1, "c", 0)
    ledger.unsubscribed(1, 10 * S)
    ledger.subscribed(1, "c", 20 * S)
    published(ledger, 30, every_ns=S)
    assert [sequence for _, _, sequence in settled(ledger)] == [*range(2, 9), *range(22, 30)]


def test_told_out_of_order():
    """Who came last is asked though one that came before is told of after it."""
    ledger = Ledger(GUARD, DRAIN)
    ledger.subscribed(1, "c", 100 * S)
    ledger.subscribed(2, "c", 90 * S)
    ledger.published("p", "c", 0, [message(101 * S)])
    for subscriber in (1, 2):
        ledger.received(subscriber, "p", 0, 101 * S)
    settled(ledger)
    assert (ledger.counts.delivered, ledger.counts.outside) == (1, 1)


def test_channels_and_streams():
    """Only a channel's subscribers are due its messages, from each of its publishers by number."""
    ledger = Ledger(0, DRAIN)
    ledger.subscribed(1, "a", -S)
    ledger.subscribed(2, "a", -S)
    ledger.subscribed(2, "b", -S)
    for stream, channel in (("p a", "a"), ("q a", "a"), ("p b", "b")):
        published(ledger, 3, stream, channel)
    lost = {(who, stream) for who, stream, _ in settled(ledger)}
    assert lost == {(1, "p a"), (1, "q a"), (2, "p a"), (2, "q a"), (2, "p b")}
    assert ledger.counts.expected == 15


def test_settled_after_the_drain():
    """A delivery has the whole drain to come; then it is lost, and stays so when it comes late."""
    ledger = Ledger(GUARD, DRAIN)
    ledger.subscribed(1, "c", -GUARD)
    published(ledger, 2, every_ns=S)
    assert settle(ledger, DRAIN - 1) == []
    assert settle(ledger, DRAIN) == [(1, "p", 0)]
    assert not ledger.received(1, "p", 0)  # the sample that says so is written already
    assert not ledger.received(1, "p", 0)
    assert ledger.received(1, "p", 1)
    settled(ledger)
    counts = ledger.counts
    assert (counts.expected, counts.lost, counts.delivered, counts.late, counts.duplicated) == (2, 1, 1, 1, 1)


def test_received_before_its_log():
    """A delivery may come before the log of a publisher in another process does, which says to whom it was due."""
    ledger = Ledger(GUARD, DRAIN)
    for subscriber in (1, 2, 3):
        ledger.subscribed(subscriber, "c", -GUARD)
    assert ledger.received(3, "p", 0)
    assert ledger.received(2, "p", 0)
    assert not ledger.received(2, "p", 0)
    assert ledger.received(3, "p", 1)
    published(ledger, 2)
    assert not ledger.received(3, "p", 1)
    assert settled(ledger) == [(1, "p", 0), (1, "p", 1), (2, "p", 1)]
    assert (ledger.counts.delivered, ledger.counts.duplicated, ledger.counts.foreign) == (3, 2, 0)


def test_log_later_than_the_drain():
    """A log that comes later than the drain settles its messages all the same."""
    ledger = Ledger(GUARD, DRAIN)
    ledger.subscribed(1, "c", -GUARD)
    ledger.received(1, "p", 1)
    assert list(ledger.settle(DRAIN + LOG_NS)) == []
    published(ledger, 2)
    assert settle(ledger, DRAIN + LOG_NS) == [(1, "p", 0)]
    settled(ledger)
    assert (ledger.counts.delivered, ledger.counts.foreign) == (1, 0)


@pytest.mark.parametrize("subscribe", [True, False])
def test_outside(subscribe):
    """What comes to a subscriber that is not due it is outside, also when its subscription was never acknowledged."""
    ledger = Ledger(GUARD, DRAIN)
    if subscribe:
        ledger.subscribed(1, "c", -GUARD + 1)
    published(ledger, 1)
    assert ledger.received(1, "p", 0)
    settled(ledger)
    assert (ledger.counts.outside, ledger.counts.foreign, ledger.counts.expected) == (1, 0, 0)


@pytest.mark.parametrize("sent_ns", [8 * S, 11 * S, 19 * S, 22 * S])
def test_not_due_and_late(sent_ns):
    """What was not due, being sent while somebody came or went, and comes after the drain is late, and no copy."""
    ledger = Ledger(GUARD, DRAIN)
    ledger.subscribed(1, "c", 10 * S)
    ledger.unsubscribed(1, 20 * S)
    ledger.published("p", "c", 0, [message(sent_ns)])
    assert settle(ledger, 30 * S) == []
    assert not ledger.received(1, "p", 0)
    assert not ledger.received(1, "p", 0)
    settled(ledger)
    assert (ledger.counts.late, ledger.counts.duplicated, ledger.counts.outside, ledger.counts.lost) == (1, 1, 0, 0)


@pytest.mark.parametrize(("stream", "sequence"), [("p", 5), ("p", -1), ("nobody's", 0)])
def test_foreign(stream, sequence):
    """A number that was never published is foreign, once for all its copies."""
    ledger = Ledger(GUARD, DRAIN)
    ledger.subscribed(1, "c", -GUARD)
    published(ledger, 2)
    for number in (0, 1):
        ledger.received(1, "p", number)
    assert ledger.received(1, stream, sequence)
    assert not ledger.received(1, stream, sequence)
    settled(ledger)
    assert (ledger.counts.foreign, ledger.counts.duplicated, ledger.counts.delivered) == (1, 1, 2)


def test_foreign_in_a_soak():
    """What nobody published is counted once no log can tell of it any more, and forgotten: a number, or a stream."""
    ledger = Ledger(GUARD, DRAIN)
    for subscriber in (1, 2):
        ledger.subscribed(subscriber, "c", -GUARD)
    kept_s = (DRAIN + LOG_NS) // S + 1
    for second in range(300):
        now = second * S
        ledger.received(1, "p", 10**9 + second, now)
        ledger.received(2, "p", 10**9 + second, now)
        ledger.received(1, f"nobody's {second}", 0, now)
        published(ledger, 1, first=second, start_ns=now)
        for subscriber in (1, 2):
            ledger.received(subscriber, "p", second, now)
        assert settle(ledger, now) == []
        assert ledger.counts.foreign == 3 * max(0, second - kept_s + 1)
        assert len(ledger._streams["p"].unsettled) <= kept_s + DRAIN // S
        assert len(ledger._streams) <= 1 + kept_s
    settled(ledger)
    assert (ledger.counts.foreign, ledger.counts.delivered, ledger.counts.lost) == (3 * 300, 2 * 300, 0)


def test_foreign_to_slow_readers():
    """What nobody published is counted also where those who got it are slow on purpose."""
    books = Books(0, lambda _: (), GUARD, DRAIN, shared=False)
    books.slow.received(1, "p", 5)
    books.settle(2**62)
    assert books.slow.counts.after_all() == {"expected": 0, "delivered": 0, "lost": 0, "foreign": 1}


def test_after_all():
    """Of slow readers only what was due and came late makes good a loss; what was not due to them does not."""
    ledger = Ledger(GUARD, DRAIN)
    ledger.subscribed(1, "c", 0)
    ledger.unsubscribed(1, 20 * S)
    published(ledger, 20, every_ns=S)  # those of 2 s to 18 s are due
    settle(ledger, 60 * S)
    for number in (0, 1, 5, 19):
        ledger.received(1, "p", number)
    settled(ledger)
    assert (ledger.counts.lost, ledger.counts.late, ledger.counts.belated) == (17, 4, 1)
    assert ledger.counts.after_all() == {"expected": 17, "delivered": 1, "lost": 16, "foreign": 0}


@pytest.mark.parametrize(
    ("order", "reordered", "displacement"),
    [
        ([0, 1, 2, 3], 0, 0),
        ([1, 0, 3, 2], 2, 1),
        ([3, 0, 1, 2], 3, 3),  # each that comes after a higher one (RFC 4737)
        ([0, 0, 1, 1], 0, 0),  # a copy is no reordering
        ([1, 0, 0], 1, 1),
        ([2, 1, 3, 0], 2, 3),
    ],
)
def test_reordered(order, reordered, displacement):
    """A first delivery with a lower number than one before it is reordered; how far, by the highest before it."""
    ledger = Ledger(GUARD, DRAIN)
    published(ledger, 4)
    for number in order:
        ledger.received(1, "p", number)
    assert (ledger.counts.reordered, ledger.counts.displacement) == (reordered, displacement)


@pytest.mark.parametrize(
    ("order", "reordered", "displacement"),
    [
        ([0, 1, 900_000, 2, 3], 0, 0),  # garbled: what follows below it came in order
        ([0, 2, 900_000, 1, 3], 1, 1),  # and is held against what came before
        ([50_000, 49_999, 50_001], 1, 1),  # the first may be any
        ([0, 4000, 4001, 1], 1, 4000),  # the numbers go on there
        ([0, 3000, 1], 1, 2999),
    ],
)
def test_a_number_far_ahead(order, reordered, displacement):
    """One alone decides nothing of the order of the others."""
    ledger = Ledger(GUARD, DRAIN)
    for number in order:
        ledger.received(1, "p", number)
    assert (ledger.counts.reordered, ledger.counts.displacement) == (reordered, displacement)


def test_gap_in_a_log():
    """A log that leaves a number out would make losses out of nothing, and is refused."""
    ledger = Ledger(GUARD, DRAIN)
    published(ledger, 3)
    for first in (2, 4):
        with pytest.raises(ValueError, match=rf"the log of p goes on at {first}, not at 3"):
            published(ledger, 1, first=first)
    list(ledger.settle(2**62))
    published(ledger, 1, first=3)


def test_drain_shorter_than_the_guard():
    """Whether a message was due is not known before its guard has passed."""
    with pytest.raises(ValueError, match="before its subscribers' windows are known"):
        Ledger(2, 1)


def test_away():
    """What was published while a connection was lost is no loss; what the server kept of it is recovered, once."""
    ledger = Ledger(GUARD, DRAIN)
    for subscriber in (1, 2):
        ledger.subscribed(subscriber, "c", -GUARD)
    ledger.unsubscribed(1, 10 * S, away=True)
    published(ledger, 60, every_ns=S)  # at 0, 1, ..., 59 s
    for number in range(60):
        ledger.received(2, "p", number)
        if number < 10:
            ledger.received(1, "p", number)
    settle(ledger, 18 * S)  # up to the one of 13 s, while it is still away
    ledger.subscribed(1, "c", 20 * S)
    for number in (11, 15, 15):  # of 10 to 19
        assert ledger.received(1, "p", number, live=False, sent_ns=number * S) == (
            number == 11 or ledger.counts.duplicated == 0
        )
    for number in range(20, 60):
        ledger.received(1, "p", number)
    assert settled(ledger) == []
    counts = ledger.counts
    assert (counts.away, counts.recovered, counts.duplicated, counts.late) == (10, 2, 1, 0)
    # Sent within the guard of its going (9) and coming (20, 21): not due to it. 8 is: the guard ends with it.
    assert counts.expected == 60 + 9 + 38
    assert counts.outside == 3
    assert counts.reordered == 0  # what was kept for it comes after what is live, and overtakes nothing


@pytest.mark.parametrize("gone_s", [1, 3, 6, 9, 30])
@pytest.mark.parametrize("away", [False, True])
def test_what_was_kept_beside_a_subscription(gone_s, away):
    """Sent .1 s before it went, or to nobody of its: not due, whether it is kept for longer than the drain or not."""
    ledger, sent = Ledger(2 * S, 5 * S), [int(at * S) for at in (9.9, 10.4, 10.5)]
    for subscriber in (1, 2):
        ledger.subscribed(subscriber, "c", S)
    ledger.published("p", "c", 0, [message(at) for at in sent])
    for number in range(3):
        ledger.received(2, "p", number, sent[number])
    ledger.unsubscribed(1, 10 * S, away=away)
    settle(ledger, (10 + gone_s) * S)
    ledger.subscribed(1, "c", (10 + gone_s) * S)
    assert [ledger.received(1, "p", k, live=False, sent_ns=sent[k]) for k in (0, 1, 2, 2)] == [True] * 3 + [False]
    settled(ledger)
    counts = ledger.counts
    assert (counts.late, counts.lost, counts.duplicated) == (0, 0, 1)
    assert (counts.recovered, counts.outside) == ((2, 1) if away else (0, 3))


@pytest.mark.parametrize("back_s", [11, 14, 20, 25, 40])
@pytest.mark.parametrize("replays", [1, 2])
@pytest.mark.parametrize("others", [0, 3])
def test_away_for_long(back_s, replays, others):
    """However long it was away, all that the server kept for it is recovered; only what comes once more is a copy.

    The server sends each message at once to whoever is there, all that was missed upon the return, and maybe once more
    20 s later.
    """
    ledger, slow = Ledger(GUARD, DRAIN), SlowLedger(GUARD, DRAIN)
    for second in range(70):
        now, here = second * S, not 10 <= second < back_s
        for book in (ledger, slow):
            if second == 0:
                for subscriber in range(others + 1):
                    book.subscribed(subscriber, "c", -GUARD)
            if second == 10:
                book.unsubscribed(0, now, away=True)
            if second == back_s:
                book.subscribed(0, "c", now)
            if second in (back_s, back_s + 20)[:replays]:
                for number in range(10, back_s):
                    book.received(0, "p", number, now, live=False, sent_ns=number * S)
            book.published("p", "c", second, [message(now)])
            for subscriber in range(0 if here else 1, others + 1):
                book.received(subscriber, "p", second, now)
            list(book.settle(now))
    settled(ledger)
    missed = back_s - 10
    counts = ledger.counts
    assert (counts.away, counts.recovered, counts.duplicated) == (missed, missed, missed * (replays - 1))
    assert (counts.lost, counts.late, counts.reordered) == (0, 0, 0)
    # Not due to it are those of 9 s, less than the guard before it went, and of the two seconds after it came back.
    assert counts.outside == 3
    assert counts.expected == (others + 1) * 70 - missed - 3
    slow.settle(2**62)
    assert counts == slow.counts()


def test_missed_by_the_second_of_sending():
    """Each is told of once: as it comes, or when it will not any more, by the second in which it was sent."""
    ledger = Ledger(GUARD, DRAIN)
    for subscriber in (1, 2, 3):
        ledger.subscribed(subscriber, "c", -GUARD)
    for subscriber in (1, 2):
        ledger.unsubscribed(subscriber, 10 * S, away=True)
    published(ledger, 40, every_ns=S // 2)  # two a second
    for number in range(40):
        ledger.received(3, "p", number)
    assert settle(ledger, 16 * S) == [(who, "p", number) for number in range(17) for who in (1, 2)]  # till 8 s
    assert list(ledger.missed.take()) == []  # those of 10 s and later may still be sent
    ledger.subscribed(1, "c", 16 * S)
    for number in (20, 21, 31):  # of 10, 10.5 and 15.5 s; the last is not settled yet
        assert ledger.received(1, "p", number, live=False, sent_ns=number * S // 2)
    settle(ledger, 17 * S)
    assert list(ledger.missed.take()) == [(10, 2, 0)]
    settle(ledger, 25 * S)
    assert list(ledger.missed.take()) == [(15, 1, 0)]
    ledger.received(1, "p", 20, live=False, sent_ns=10 * S)
    settle(ledger, 2**62)
    missed = {second: (came, never) for second, came, never in ledger.missed.take()}
    # Of both 10 to 15 s, two each; of 2, which stays away, two a second until the end at 19.5 s.
    assert missed == {
        10: (0, 2),
        **dict.fromkeys(range(11, 15), (0, 4)),
        15: (0, 3),
        **dict.fromkeys(range(16, 20), (0, 2)),
    }
    assert list(ledger.missed.take()) == []
    assert (ledger.counts.away, ledger.counts.recovered) == (12 + 20, 3)


def test_away_for_good():
    """Who never comes back is away from everything, and it takes no memory for each message and subscriber."""
    ledger = Ledger(GUARD, DRAIN)
    for subscriber in range(1000):
        ledger.subscribed(subscriber, "c", -GUARD)
        ledger.unsubscribed(subscriber, 0, away=True)
    published(ledger, 100, every_ns=S)
    tracemalloc.start()
    try:
        assert settle(ledger, 200 * S) == []
        assert tracemalloc.get_traced_memory()[0] < 100 * 1000  # a byte for each
    finally:
        tracemalloc.stop()
    assert ledger.counts.away == 100 * 1000


@pytest.mark.parametrize("away", [True, False])
def test_comes_back_for_hours(away):
    """Of one that comes and goes no more is remembered than what messages can still ask for."""
    ledger = Ledger(GUARD, DRAIN)
    for second in range(0, 3 * 3600, 10):
        ledger.subscribed(1, "c", second * S)
        ledger.unsubscribed(1, (second + 5) * S, away=away)
    assert len(ledger._channels["c"]._windows[0]) <= (MEMORY_NS + DRAIN) // (10 * S) + 2


@pytest.mark.parametrize(
    ("until_ns", "away", "expected", "lost"),
    [
        (0, 0, 1, 1),  # known: 5 s before the connection was lost
        (12 * S, 0, 1, 1),  # at the latest a guard before it
        (13 * S, 0, 0, 0),  # at the latest within the guard: not due
        (14 * S, 1, 0, 0),  # maybe after it was lost
        (30 * S, 1, 0, 0),
    ],
)
def test_nobody_knows_when(until_ns, away, expected, lost):
    """A message that was sent some time in between is due to those who were subscribed all that time."""
    ledger = Ledger(GUARD, DRAIN)
    ledger.subscribed(1, "c", 0)
    ledger.published("p", "c", 0, [Message(9 * S, 9 * S, until_ns)])
    ledger.unsubscribed(1, 14 * S, away=True)
    ledger.subscribed(1, "c", 15 * S)
    if until_ns:
        assert settle(ledger, until_ns + DRAIN - 1) == []
    assert len(settle(ledger, max(until_ns, 9 * S) + DRAIN)) == lost
    assert (ledger.counts.away, ledger.counts.expected) == (away, expected)


def test_left_for_good():
    """One that leaves as planned is away from nothing."""
    ledger = Ledger(GUARD, DRAIN)
    ledger.subscribed(1, "c", -GUARD)
    ledger.unsubscribed(1, 10 * S)
    published(ledger, 30, every_ns=S)
    for number in range(10):
        ledger.received(1, "p", number)
    settled(ledger)
    assert (ledger.counts.away, ledger.counts.lost, ledger.counts.outside) == (0, 0, 1)


def test_fan_out():
    """Of each message: how many live subscribers it reached, and when the first, the middle and the last had it."""
    ledger = Ledger(GUARD, DRAIN)
    for subscriber in range(4):
        ledger.subscribed(subscriber, "c", -GUARD)
    published(ledger, 3, every_ns=S)
    for subscriber, at_ns in ((2, 5), (0, 7), (3, 8), (1, 30), (1, 31)):  # the second copy is none of it
        ledger.received(subscriber, "p", 0, at_ns)
    ledger.received(3, "p", 1, 9)
    ledger.received(0, "p", 1, 50, live=False)
    whole, alone, nobody = ledger.settle(2**62)
    assert (whole.reached, whole.arrived_ns, whole.lost) == (4, (5, 7, 30), [])
    assert (alone.reached, alone.arrived_ns, alone.lost) == (1, (9, 9, 9), [1, 2])
    assert (nobody.reached, nobody.arrived_ns, nobody.message) == (0, None, message(2 * S))


def test_places_do_not_matter():
    """The quick way and the long one count alike, whoever else is known to the ledger."""
    ledger = Ledger(GUARD, DRAIN)
    for subscriber, channel in ((7, "d"), (1, "c"), (9, "d"), (2, "c")):
        ledger.subscribed(subscriber, channel, -GUARD)
    published(ledger, 4)
    for number in range(4):
        ledger.received(1, "p", number)
        if number != 2:
            ledger.received(2, "p", number)
    ledger.received(9, "p", 3)
    assert settled(ledger) == [(2, "p", 2)]
    assert (ledger.counts.expected, ledger.counts.outside) == (8, 1)


@pytest.mark.parametrize(
    ("before", "after", "displacement"),
    [((0, 5), (3,), 2), ((0, 1), (3,), 0), ((0, 9000), (9001, 100), 8901), ((0, 9000), (1, 100), 0)],
)
def test_order_from_before_the_log(before, after, displacement):
    """What came before its publisher's log has its place in the order, though the log says on which channel it was.

    Subscriber 7 is the second there, and the first that heard. A number far ahead counts once the numbers go on.
    """
    ledger = Ledger(GUARD, DRAIN)
    for subscriber in (8, 7):
        ledger.subscribed(subscriber, "c", -GUARD)
    for number in before:
        ledger.received(7, "p", number)
    ledger.received(8, "p", 0)
    published(ledger, 10_000, every_ns=1)
    for number in after:
        ledger.received(7, "p", number)
    ledger.received(8, "p", 1)
    assert (ledger.counts.reordered, ledger.counts.displacement) == (displacement > 0, displacement)


happenings = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(0, 1), st.integers(0, 3 * S), st.sampled_from([0, 0, S])),
        st.tuples(st.just("receive"), st.integers(0, 3), st.integers(0, 2), st.integers(-1, 12), st.booleans()),
        st.tuples(st.just("subscribe"), st.integers(0, 2), st.integers(0, 1)),
        st.tuples(st.just("unsubscribe"), st.integers(0, 2), st.booleans()),
        st.tuples(st.just("settle")),
        st.tuples(st.just("pass"), st.integers(0, 7 * S)),
        st.tuples(st.just("pass"), st.integers(0, 2 * LOG_NS)),
    ),
    max_size=80,
)


@given(happenings)
@settings(max_examples=200)
def test_identities(events):
    """Whatever comes, in whatever order, the identities hold, and all counts are those of the slow ledger."""
    ledger, slow, now = Ledger(GUARD, DRAIN), SlowLedger(GUARD, DRAIN), 100 * S
    sent = [[], []]
    for what, *of in events:
        assert_identities(ledger.counted())
        match what, of:
            case "pass", [ns]:
                now = min(now + ns, 100 * S + MEMORY_NS)
            case "settle", []:
                for book in (ledger, slow):
                    list(book.settle(now))
            case "publish", [stream, ago, unsure]:
                at = max(now - ago, *(sent[stream][-1:] or [0]), 0)
                for book in (ledger, slow):
                    log = [Message(at, at, min(at + unsure, now) if unsure else 0)]
                    book.published(f"p{stream}", f"c{stream}", len(sent[stream]), log)
                sent[stream].append(at)
            case "receive", [subscriber, stream, sequence, live]:
                log = sent[stream] if stream < len(sent) else []
                left_ns = log[sequence] if 0 <= sequence < len(log) else now
                for book in (ledger, slow):
                    book.received(subscriber, f"p{stream}", sequence, now, live=live, sent_ns=left_ns)
            case "subscribe", [subscriber, channel]:
                for book in (ledger, slow):
                    book.subscribed(subscriber, f"c{channel}", now)
            case "unsubscribe", [subscriber, away]:
                for book in (ledger, slow):
                    book.unsubscribed(subscriber, now, away=away)
    settled(ledger)
    slow.settle(2**62)
    assert ledger.counted() == slow.counts()
    assert ledger.faults.affected(99).worst == slow.faulty()
    assert ledger.faults.take_streams() == {one.name: list(one[3:]) for one in slow.faulty_streams() if any(one[3:])}
    missed = list(ledger.missed.take())
    recovered, away = ledger.counts.recovered, ledger.counts.away
    assert (sum(second.came for second in missed), sum(map(sum, (second[1:] for second in missed)))) == (
        recovered,
        away,
    )


def test_who_comes_and_goes_is_asked(monkeypatch):
    """What settling a message takes goes by how many came or went about then, not by how many there are."""
    asked, held_at = Counter(), Subscriptions.held_at
    monkeypatch.setattr(Subscriptions, "held_at", lambda *args: (asked.update([args[1]]), held_at(*args))[1])
    ledger = Ledger(GUARD, DRAIN)
    for one in range(1000):
        ledger.subscribed(one, "c", -100 * S)
    for second in range(60):
        ledger.unsubscribed(second % 5, second * S)
        published(ledger, 1, first=second, start_ns=second * S + 1)
        for one in range(1000):
            if one != second % 5:
                ledger.received(one, "p", second)
        ledger.subscribed(second % 5, "c", second * S + 2)
        settle(ledger, second * S)
    assert asked.keys() == set(range(5))
    assert settled(ledger) == []


def test_a_channel_for_each(monkeypatch):
    """Where each member is alone on its channel, what one costs does not depend on how many there are."""
    ended, n = Counter(), 1000
    end = Subscriptions.end
    monkeypatch.setattr(
        Subscriptions, "end", lambda self, who, *at, **how: (ended.update([who]), end(self, who, *at, **how))
    )
    ledger = Ledger(GUARD, DRAIN)
    tracemalloc.start()
    try:
        for one in range(n):
            ledger.subscribed(one, f"c{one}", -GUARD)
            published(ledger, 5, f"p{one}", f"c{one}")
            for number in range(5):
                ledger.received(one, f"p{one}", number)
        each = tracemalloc.get_traced_memory()[0] / n
    finally:
        tracemalloc.stop()
    assert each < 5000  # a place for each of a thousand in each of five messages would be as much again
    for one in range(n):
        ledger.unsubscribed(one, S)
        ledger.unsubscribed(one, S)  # it has none any more
    assert ended == Counter(range(n))
    assert settled(ledger) == []
    assert ledger.counts.outside == 5 * n


def test_memory():
    """What is settled is forgotten: only losses are remembered."""
    ledger = Ledger(GUARD, DRAIN)
    for subscriber in range(3):
        ledger.subscribed(subscriber, "c", -GUARD)
    sequence = 0

    def second(k, lossy=False):
        nonlocal sequence
        published(ledger, 100, first=sequence, start_ns=k * S)
        for number in range(sequence, sequence + 100):
            for subscriber in range(3):
                if not (lossy and number % 10 == 0):
                    ledger.received(subscriber, "p", number)
        sequence += 100
        return len(settle(ledger, (k + 1) * S))

    tracemalloc.start()
    try:
        for k in range(30):
            second(k)
        before = tracemalloc.get_traced_memory()[0]
        for k in range(30, 60):
            second(k)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 9000  # a byte for each of 9,000 deliveries
    assert sum(second(k, lossy=k < 70) for k in range(60, 90)) == 3 * 100
    assert ledger.counts.lost == 300
    assert sum(len(left.given_up) for left in ledger._streams["p"].missing.values()) == 300
    for k in range(90, 90 + MEMORY_NS // S):
        second(k)
    assert not ledger._streams["p"].missing


@pytest.mark.parametrize(("has_it", "expected", "lost"), [(0, 0, 0), (1, 3, 2)])
def test_perhaps_published(has_it, expected, lost):
    """Its publisher was cut off: nobody is due what none of three has; if one has it, so should the others have."""
    ledger = Ledger(1, 2 * S)
    for subscriber in range(3):
        ledger.subscribed(subscriber, "c", 0)
    ledger.published("p", "c", 0, [message(5 * S), message(6 * S)])
    for subscriber in range(3):
        ledger.received(subscriber, "p", 0, 5 * S)
    for subscriber in range(has_it):
        ledger.received(subscriber, "p", 1, 6 * S)
    ledger.doubt("p", 0)
    ledger.doubt("p", 1)
    ledger.doubt("p", 2)  # never logged
    settle(ledger, 8 * S)
    assert (ledger.counts.expected, ledger.counts.lost) == (3 + expected, lost)
    ledger.doubt("p", 1)  # too late to doubt
    assert not ledger.received(2, "p", 1, 9 * S)
    assert (ledger.counts.late, ledger.counts.duplicated) == (1, 0)
    assert_identities(ledger.counts)
