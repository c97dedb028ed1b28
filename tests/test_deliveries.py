"""Deliveries that are entered some at a time: the account is the same as if each had been entered when it came."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import pytest

from loadtests.books import Books
from loadtests.deliveries import FEW
from loadtests.member import Broadcast, Member, Read, Subscribed
from loadtests.reception import Reception

S, MS = 1_000_000_000, 1_000_000
SUBSCRIBERS = 3 * FEW


class Reader(Member):
    """Reads a broadcast's number, and its stamp if it has one."""

    hears_broadcasts = True
    reads_alike = True

    def read(self, frame: str) -> Read:
        """An array of both."""
        return Broadcast("news", *json.loads(frame))


class Broken:
    """Listens for what cannot be entered."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []

    def broke(self, error: Exception) -> None:
        """It came to this."""
        self.errors.append(error)


class Swarm:
    """So many subscribers of one process; ``at_once`` or each delivery by itself."""

    def __init__(self, *, at_once: bool, count: int = SUBSCRIBERS, slow: int = 0) -> None:
        self.books = Books(0, lambda _: (), S // 2, S, shared=False)
        self.books.has_slow = slow > 0
        self.at_once = at_once
        self.listening = Broken()
        self.receptions = [
            Reception(
                self.books,
                self.books.slow if k < slow else self.books.ledger,
                Reader(k, {}, {}, {}),
                k,
                "run.",
                self.listening,  # type: ignore[arg-type]
                timed=k >= slow,
            )
            for k in range(count)
        ]
        self._read: dict[tuple[str, ...], list[str | bytes]] = {}

    def hears(self, number: int, messages: tuple[str, ...], now_ns: int) -> None:
        """One read of one connection; the same bytes are the same list, as those of a frame reader are."""
        frames = self._read.setdefault(messages, list(messages))
        self.receptions[number].received(frames, now_ns)
        if not self.at_once:
            self.books.deliveries.enter_all()

    def account(self) -> Any:
        """All that the books hold at the end."""
        self.books.settle(1000 * S)
        counts = (self.books.ledger.counted().to_json(), self.books.slow.counted().to_json())
        intervals = sorted(json.dumps(one.to_json(), sort_keys=True) for one in self.books.recorder.fold())
        faults = self.books.ledger.faults
        return (
            counts,
            intervals,
            self.books.waits.fairness(),
            self.books.settlement.take(),
            (faults.affected(), faults.take_streams()),
        )


def storm(swarm: Swarm, seed: int) -> None:
    """Half a minute of a server that drops, doubles, swaps and garbles what it sends to those who come and go."""
    draw = random.Random(seed)
    present: set[int] = set()
    now, sent = S, 0
    stamped = draw.random() < 0.8
    swarm.books.waits.from_ns = 3 * S
    while now < 30 * S:
        now += draw.randrange(50 * MS, 300 * MS)
        swarm.books.deliveries.turn(now)
        for one in range(SUBSCRIBERS):
            if draw.random() < (0.5 if one not in present else 0.03):
                if one in present:
                    present.remove(one)
                    swarm.receptions[one].end(now, away=draw.random() < 0.7)
                else:
                    present.add(one)
                    swarm.receptions[one].begin([""], now)
        if draw.random() < 0.1:
            trouble = swarm.books.deliveries.troubled(now + 2 * S)
            for one in draw.sample(range(SUBSCRIBERS), 4):
                swarm.receptions[one].struck = trouble
        if draw.random() < 0.3:
            swarm.books.settle(now)
        reads = []
        for _ in range(draw.randrange(1, 4)):
            batch = tuple(
                json.dumps([n, now - MS] if stamped else [n]) for n in range(sent, sent + draw.randrange(1, 4))
            )
            sent += len(batch)
            reads.append(batch)
        kept = sorted(present)
        order = [(one, batch) for batch in reads for one in kept]
        for _ in range(draw.randrange(4)):  # neighbours swap, one gets a copy, one nothing, one what nobody sent
            at = draw.randrange(max(1, len(order) - 1))
            if len(order) > 2:
                order[at], order[at + 1] = order[at + 1], order[at]
                order.insert(at, order[draw.randrange(len(order))])
                order.pop(draw.randrange(len(order)))
        if kept and sent > 50 and draw.random() < 0.1:
            order.insert(0, (kept[0], (json.dumps([sent + 3500, now - MS]),)))
        for one, batch in order:
            now += draw.randrange(1, 100_000)
            swarm.hears(one, batch, now)


@pytest.mark.parametrize("seed", range(40))
def test_the_same_account(seed: int) -> None:
    """Whatever comes, in whatever order, and whoever comes and goes meanwhile."""
    accounts = []
    for at_once in (False, True):
        swarm = Swarm(at_once=at_once, slow=2 * (seed % 2))
        storm(swarm, seed)
        accounts.append(swarm.account())
        assert swarm.listening.errors == []
    assert accounts[0] == accounts[1]
    (ledger, _), *_ = accounts[0]
    assert ledger["received"] > 500
    assert min(ledger["duplicated"], ledger["reordered"], ledger["lost"]) > 0


def everybody(count: int = SUBSCRIBERS) -> Swarm:
    """Subscribed since second 1, all of whom had message 0 in second 3."""
    swarm = Swarm(at_once=True, count=count)
    for one in swarm.receptions:
        one.begin([""], S)
    for one in range(count):
        swarm.hears(one, (f"[0, {3 * S}]",), 3 * S)
    swarm.books.deliveries.enter_all()
    return swarm


def test_nothing_is_counted_before_it_is_entered_and_all_of_it_then() -> None:
    """What came is put down; the books enter it before they settle."""
    swarm, counts = (made := everybody()), made.books.ledger.counts
    for one in range(SUBSCRIBERS):
        swarm.hears(one, (f"[1, {4 * S}]", f"[2, {4 * S}]"), 4 * S + one)
    assert counts.received == SUBSCRIBERS
    swarm.books.settle(4 * S)
    assert counts.received == 3 * SUBSCRIBERS


def test_five_hundred_at_most_wait() -> None:
    """Each message reaches 20: the 25th makes 500, entered as the 26th comes."""
    swarm, counts = (made := everybody(20)), made.books.ledger.counts
    for number in range(1, 27):
        for one in range(20):
            swarm.hears(one, (f"[{number}, {4 * S}]",), 4 * S)
        assert counts.received == (26 if number == 26 else 1) * 20


def test_a_copy_in_the_same_moment() -> None:
    """One of them gets it twice while it still waits to be entered: one copy."""
    swarm = everybody()
    for one in (*range(SUBSCRIBERS), 5):
        swarm.hears(one, (f"[1, {4 * S}]",), 4 * S)
    swarm.books.settle(9 * S)
    counts = swarm.books.ledger.counts
    assert (counts.delivered, counts.duplicated, counts.lost) == (2 * SUBSCRIBERS, 1, 0)


def test_each_one_s_order_is_kept() -> None:
    """Subscriber 0 hears 1 and 2, subscriber 1 first 2 and then 1; all others get 1, then 2."""
    swarm = everybody()
    first, second = (f"[1, {4 * S}]",), (f"[2, {4 * S}]",)
    for one, messages in ((0, first), (1, second), (1, first), (0, second)):
        swarm.hears(one, messages, 4 * S)
    for messages in (first, second):
        for one in range(2, SUBSCRIBERS):
            swarm.hears(one, messages, 4 * S)
    swarm.books.settle(9 * S)
    counts = swarm.books.ledger.counts
    assert (counts.reordered, counts.displacement, counts.duplicated, counts.lost) == (1, 1, 0, 0)


@pytest.mark.parametrize("many", [1, SUBSCRIBERS])
def test_a_garbled_number_orders_nothing(many: int) -> None:
    """Number 3,500 of one subscriber or of all, and then 1 for all: it is in doubt, so nothing is reordered."""
    swarm = everybody()
    for number, hearers in ((3500, many), (1, SUBSCRIBERS)):
        for one in range(hearers):
            swarm.hears(one, (f"[{number}, {4 * S}]",), 4 * S)
    swarm.books.settle(9 * S)
    assert swarm.books.ledger.counts.reordered == 0


def test_late_for_half() -> None:
    """Message 1 comes to nine of them six seconds after it was sent, as their newest: lost, and then late."""
    swarm = everybody()
    for at_ns, hearers in ((4 * S, range(9)), (9 * S, range(9, SUBSCRIBERS))):
        swarm.books.settle(at_ns)
        for one in hearers:
            swarm.hears(one, (f"[1, {3 * S}]",), at_ns)
    swarm.books.settle(10 * S)
    counts = swarm.books.ledger.counts
    assert (counts.delivered, counts.lost, counts.late) == (SUBSCRIBERS + 9, 9, 9)


def test_a_storm_spares_nobody_of_what_came_before() -> None:
    """Deliveries of the spared are looked at from the storm on: of the two messages, the second."""
    swarm = everybody()
    for number in (1, 2):
        for one in range(SUBSCRIBERS):
            swarm.hears(one, (f"[{number}, {4 * S}]",), 4 * S)
        if number == 1:
            swarm.receptions[0].struck = swarm.books.deliveries.troubled(30 * S)
    swarm.books.settle(9 * S)
    assert {one.series: one.ok for one in swarm.books.recorder.fold() if one.second == 4} == {
        "ws deliver": 2 * SUBSCRIBERS,
        "ws deliver meanwhile": SUBSCRIBERS - 1,
    }


def test_the_same_bytes_to_another_kind_of_member() -> None:
    """Who subscribed to the channel by name hears another stream, though the read is the very same."""
    swarm = everybody()
    for one in swarm.receptions[9:]:
        one.hears(by_channel=True)
        one.begin(["news"], 3 * S)
    for one in range(SUBSCRIBERS):
        swarm.hears(one, (f"[1, {4 * S}]",), 4 * S)
    swarm.books.settle(9 * S)
    fanned = swarm.books.settlement.take()["fanned"]
    assert {(row.stream, row.sequence, row.reached) for row in fanned if row.sequence} == {
        ("*\tnews", 1, 9),
        ("\tnews", 1, 9),
    }


def test_who_leaves_had_what_came_before() -> None:
    """It came live, half a second before it left; and is timed: half a second for each of all 18."""
    swarm = everybody()
    swarm.books.recorder.fold()
    for one in range(SUBSCRIBERS):
        swarm.hears(one, (f"[1, {4 * S}]",), 4 * S + S // 2)
    swarm.receptions[0].end(5 * S, away=True)
    swarm.books.settle(9 * S)
    (interval,) = swarm.books.recorder.fold()
    assert (interval.series, interval.ok) == ("ws deliver", SUBSCRIBERS)
    assert interval.response.percentile_us(100) == pytest.approx(5e5, rel=1e-3)
    assert interval.response.percentile_us(0) == pytest.approx(5e5, rel=1e-3)


@pytest.mark.parametrize("count", [2, SUBSCRIBERS])
@pytest.mark.parametrize("stamp", ["4.5e9", str(2**64), str(-(2**63) - 1)])
def test_what_is_no_time_is_the_member_s_fault(count: int, stamp: str) -> None:
    """Each who reads it breaks and is told why; what came before is entered."""
    swarm = everybody(count)
    for one in range(count):
        swarm.hears(one, (f"[1, {4 * S}]", f'[2, {4 * S}, "", {stamp}]'), 5 * S)
    swarm.books.settle(5 * S)
    errors = [str(error) for error in swarm.listening.errors]
    assert len(errors) == count
    assert all("times in whole nanoseconds of 64 bits; this one has 2, and" in error for error in errors)
    assert swarm.books.ledger.counts.received == 2 * count
    assert {one.second for one in swarm.books.recorder.fold()} <= {3, 4, 5}


def test_who_breaks_is_joined_by_nobody() -> None:
    """A message that raises, between two others: each has the first, breaks by itself, and hears no more."""
    swarm = everybody()
    for messages in ((f"[1, {4 * S}]", "bad", f"[2, {4 * S}]"), (f"[3, {4 * S}]",)):
        for one in range(SUBSCRIBERS):
            swarm.hears(one, messages, 4 * S + one)
    swarm.books.settle(4 * S)
    assert len(swarm.listening.errors) == SUBSCRIBERS
    assert swarm.books.ledger.counts.received == 2 * SUBSCRIBERS


def test_who_broke_stays_so() -> None:
    """Also if it begins to listen afterwards, as one does that broke while hands were shaken."""
    swarm = everybody()
    swarm.hears(0, ("bad",), 4 * S)
    swarm.receptions[0].hears(by_channel=False)
    for one in (1, 0, 2):
        swarm.hears(one, (f"[1, {4 * S}]",), 4 * S)
    swarm.books.settle(4 * S)
    assert swarm.books.ledger.counts.received == SUBSCRIBERS + 2


@pytest.mark.parametrize("newcomers", [0, 1])
def test_a_number_of_64_bits_that_is_none(newcomers: int) -> None:
    """Everybody hears it, one of them as its first: nobody breaks, and what follows is in order."""
    swarm = everybody(SUBSCRIBERS - newcomers)
    if newcomers:
        swarm.receptions += Swarm(at_once=True, count=SUBSCRIBERS).receptions[-1:]
        swarm.receptions[-1] = Reception(
            swarm.books,
            swarm.books.ledger,
            Reader(99, {}, {}, {}),
            99,
            "run.",
            swarm.listening,  # type: ignore[arg-type]
        )
        swarm.receptions[-1].begin([""], 3 * S)
    for number in (2**64 - 1, 1):
        for one in range(SUBSCRIBERS):
            swarm.hears(one, (f"[{number}, {4 * S}]",), 4 * S + one)
    swarm.books.settle(9 * S)
    assert swarm.listening.errors == []
    assert swarm.books.ledger.counts.received == SUBSCRIBERS - newcomers + 2 * SUBSCRIBERS
    assert swarm.books.ledger.counts.reordered == newcomers


class Chat(Member):
    """Subscribes by name, and gets what it missed before it is told that it is subscribed."""

    reads_alike = True

    def read(self, frame: str) -> Read:
        """An acknowledgement, or a message without a stamp."""
        return Subscribed(["news"]) if frame == "subscribed" else Broadcast("news", *json.loads(frame))

    def channels(self) -> list[str]:
        """One."""
        return ["news"]


def test_what_came_before_the_subscription_was_kept_for_it() -> None:
    """Three messages, newest first, and the acknowledgement behind them in the same read: none came live."""
    books = Books(0, lambda _: (), S // 2, S, shared=False)

    class Listening(Broken):
        def subscribed(self, channels: Sequence[str], now_ns: int) -> None:
            late.begin(channels, now_ns)

    early, late = (Reception(books, books.ledger, Chat(k, {}, {}, {}), k, "run.", Listening()) for k in (0, 1))  # type: ignore[arg-type]
    for one in (early, late):
        one.hears(by_channel=True)
    early.begin(["news"], S)
    early.received(["[0]"], 3 * S)
    early.received(["[1]", "[2]", "[3]"], 4 * S)
    late.received(["[3]", "[2]", "[1]", "subscribed", "[4]"], 5 * S)
    books.settle(5 * S)
    found = {(one.series, one.second): one.untimed for one in books.recorder.fold()}
    assert found == {("ws deliver", 3): 1, ("ws deliver", 4): 3, ("ws recover", 5): 3, ("ws deliver", 5): 1}
    assert books.ledger.counts.reordered == 0


class Several(Member):
    """Reads a JSON array of numbers as messages."""

    hears_broadcasts = True

    def read(self, frame: str) -> Read:
        """One each."""
        return [Broadcast("news", number, 4 * S) for number in json.loads(frame)]


def test_what_came_before_the_fault_is_entered() -> None:
    """The third message of a frame is none: two are entered, and its reader breaks."""
    books, listening = Books(0, lambda _: (), S // 2, S, shared=False), Broken()
    one = Reception(books, books.ledger, Several(0, {}, {}, {}), 0, "run.", listening)  # type: ignore[arg-type]
    one.begin([""], S)
    one.received(["[1, 2, 3.5]"], 4 * S)
    books.settle(4 * S)
    assert (books.ledger.counts.received, len(listening.errors)) == (2, 1)


def test_one_message_to_a_thousand_is_entered_in_parts() -> None:
    """Five hundred at a time: the 501st begins another part, before which the first is entered."""
    swarm, counts = (made := everybody(1000)), made.books.ledger.counts
    for one in range(1000):
        swarm.hears(one, (f"[1, {4 * S}]",), 4 * S)
        assert counts.received == 1000 + (500 if one >= 500 else 0)
