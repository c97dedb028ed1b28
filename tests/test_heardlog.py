"""What a server published, from what was heard of it."""

from __future__ import annotations

import random

import pytest

from loadtests.errors import LoadtestsError
from loadtests.heardlog import HeardLog
from loadtests.heardlogs import HeardLogs
from loadtests.ledger import Message


def test_gaps_were_published_too() -> None:
    """Numbers are counted from the first heard; what nobody heard lies between the one before it and the one after."""
    log = HeardLog("news", 1000)
    assert [log.heard(1000 + k, 10 * k) for k in (0, 1, 4, 3)] == [0, 1, 4, 3]
    assert log.take() == (0, [Message(0, 0), Message(10, 10), Message(10, 10, 30), Message(30, 30), Message(40, 40)])
    assert log.heard(1003, 99) == 3, "known; it is published once"
    assert log.heard(1006, 60) == 6
    assert log.take() == (5, [Message(40, 40, 60), Message(60, 60)])
    assert log.take() == (7, [])


def test_before_the_first() -> None:
    """Another subscriber hears an older one: it has no place."""
    log = HeardLog("news", 50)
    assert log.heard(49, 1) == -1
    assert log.take() == (0, [])


def test_the_first_hearer_tells_when() -> None:
    """A server without stamps: a message was sent when somebody first had it."""
    log = HeardLog("news", 0)
    log.heard(0, 5, stamped=False)
    log.heard(0, 9, stamped=False)
    assert log.take() == (0, [Message(5, 5, 5)])


def test_the_highest() -> None:
    """Of those taken and those not taken yet; one that nobody has heard again is no higher."""
    log = HeardLog("news", 100)
    log.heard(100, 0)
    assert log.highest == 100
    log.heard(103, 0)
    log.heard(102, 0)
    assert log.highest == 103
    log.take()
    log.heard(101, 0)
    assert log.highest == 103


def test_a_jump_is_no_loss_of_a_billion() -> None:
    """A field that is no number of messages is refused, not counted."""
    log = HeardLog("news", 5)
    log.heard(5, 0)
    log.heard(1_700_000_000, 0)
    log.heard(1_700_000_000, 0)  # another subscriber hears the same
    log.heard(1_700_010_000, 0)
    with pytest.raises(LoadtestsError, match="jump from about 5 to 1,700,020,000"):
        log.heard(1_700_020_000, 0)


def test_a_garbled_number() -> None:
    """Numbers go on below it, and it was no message: nothing between was lost, and it decides nothing later either."""
    log = HeardLog("news", 0)
    for number in (0, 1, 900_000, 2, 3, 900_000, 4, 7_000_000, 5):
        log.heard(number, 10 * number)
    assert log.highest == 5
    assert log.take() == (0, [Message(10 * n, 10 * n) for n in range(6)])


def paced() -> HeardLog:
    """A log of 101 numbers, one each 10 ns."""
    log = HeardLog("news", 0)
    for number in range(101):
        log.heard(number, 10 * number)
    return log


@pytest.mark.parametrize("step", [1, 3000])
def test_a_long_gap(step: int) -> None:
    """Where numbers go on behind it, all between were published, and the first behind it is where it is."""
    log = paced()
    log.take()
    log.heard(4100, 2000)  # 3,000 may be missed at once, and 1,000 more in 1,000 ns, at ten times its pace
    assert (log.highest, log.take()) == (100, (101, []))
    log.heard(4100 + step, 2010)
    assert log.highest == 4100 + step
    first, messages = log.take()
    assert (first, len(messages)) == (101, 4000 + step)
    assert messages[0] == Message(1000, 1000, 2000)
    assert messages[3999] == Message(2000, 2000)


def test_numbers_go_on_elsewhere() -> None:
    """More than it can have published meanwhile is no loss: the numbers are no messages'."""
    log = paced()
    log.heard(4101, 2000)
    with pytest.raises(LoadtestsError, match="jump from about 100 to 4,101"):
        log.heard(4102, 2010)


@pytest.mark.parametrize(
    ("highest", "number", "sent_ns", "place"),
    [
        (100, 0, 1001, -1),  # begins again, after the others
        (101, 1, 1011, -1),
        (100, 0, 1000, 0),  # a copy, with its own stamp
        (99, 0, 1001, 0),  # it may be late
        (100, 2, 1001, 2),
    ],
)
def test_numbers_that_begin_again(highest: int, number: int, sent_ns: int, place: int) -> None:
    """While somebody stays, a first number that was sent after so many others is no copy of one of them."""
    log = HeardLog("news", 0)
    for each in range(highest + 1):
        log.heard(each, 10 * each)
    log.take()
    assert log.heard(number, sent_ns) == place
    assert log.highest == highest


def test_what_others_heard_is_in_no_doubt() -> None:
    """They tell of the highest of a second only."""
    log = HeardLog("news", 0)
    for number in (0, 50_000, 100_000, 150_000, 200_000):
        log.heard(number, number, elsewhere=True)
    assert log.highest == 200_000


def test_any_order_any_takes() -> None:
    """However hearing and taking come, every number from the first to the highest is published once, in order."""
    draw = random.Random(3)
    for _ in range(50):
        log, taken = HeardLog("news", 0), []
        numbers = [n for n in range(200) if draw.random() < 0.9] or [0]
        numbers = sorted(numbers, key=lambda n: n + draw.random() * 5)
        log.heard(0, 0)
        for number in numbers:
            log.heard(number, number)
            if draw.random() < 0.1:
                first, messages = log.take()
                assert first == len(taken)
                taken += messages
        taken += log.take()[1]
        assert len(taken) == max(numbers) + 1
        assert all(message.sent_ns <= place for place, message in enumerate(taken)), "no gap is told later than it was"
        assert all(place <= max(message.sent_ns, message.until_ns) for place, message in enumerate(taken)), "or earlier"


@pytest.mark.parametrize(("later_ms", "again"), [(40, False), (30_000, True)])
def test_clocks_of_two_processes(later_ms: int, again: bool) -> None:
    """The last message before a silence, which another process places 40 ms later, is no number begun again."""
    source, ms = (False, "news", ""), 1_000_000
    here, elsewhere = HeardLogs(), HeardLogs()
    here.wrong_ns = elsewhere.wrong_ns = 25 * ms
    for number in range(100, 111):
        here.on(source, number, number * 1000 * ms, stamped=True).heard(number, number * 1000 * ms)
        sent_ns = (number * 1000 + later_ms) * ms
        elsewhere.on(source, number, sent_ns, stamped=True).heard(number, sent_ns)
    list(here.taken(120_000 * ms))
    here.silence(110_010 * ms)
    here.learn(elsewhere.news())
    taken = {log.stream: len(messages) for log, _, messages in here.taken(200_000 * ms)}
    assert bool(here.restarts) == again
    assert taken == {"*\tnews": 0} | ({"*\tnews\t1": 1} if again else {})
