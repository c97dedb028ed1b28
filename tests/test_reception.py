"""What a connection receives is read once for all whom it reaches, where its kind of member reads alike."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest

from loadtests.books import Books
from loadtests.framesample import FrameSample
from loadtests.interval import Interval, merge
from loadtests.member import Broadcast, Delivery, Due, Member, Read
from loadtests.reception import Reception

S = 1_000_000_000


class Reader(Member):
    """Counts what it reads."""

    reads: ClassVar[list[str]] = []
    hears_broadcasts = True

    def read(self, frame: str) -> Read:
        """A number is a broadcast, an array a delivery."""
        self.reads.append(frame)
        row = json.loads(frame)
        return Delivery(*row) if isinstance(row, list) else Broadcast("news", row, 5 * S)


class AlikeReader(Reader):
    """The same."""

    reads: ClassVar[list[str]] = []
    reads_alike = True


class StampedReader(Member):
    """Reads a broadcast's number, and its stamp if it has one."""

    hears_broadcasts = True
    reads_alike = True

    def read(self, frame: str) -> Read:
        """An array of both."""
        return Broadcast("news", *json.loads(frame))


def receptions(cls: type[Reader], count: int) -> tuple[Books, list[Reception]]:
    """So many subscribers to everything, from second 1 on."""
    cls.reads.clear()
    books = Books(0, lambda _: (), S, 2 * S, shared=False)
    made = [Reception(books, books.ledger, cls(k, {}, {}, {}), k, "run.", None) for k in range(count)]  # type: ignore[arg-type]
    for one in made:
        one.begin([""], S)
    return books, made


@pytest.mark.parametrize(("cls", "reads"), [(Reader, 3 * 5), (AlikeReader, 4)])
def test_read_once(cls: type[Reader], reads: int) -> None:
    """Five messages, two of them the same, to three members: the account is the same, however often they were read."""
    books, made = receptions(cls, 3)
    for number in (7, 8, 8, 10):  # 8 is doubled, 9 is lost
        for one in made:
            one.received([str(number)], 6 * S)
    frame = json.dumps(["run.p", "news", 0, 5 * S, 5 * S])
    for one in made:
        one.received([frame], 6 * S)
    assert len(cls.reads) == reads
    books.settle(20 * S)
    counts = books.ledger.counts
    assert (counts.received, counts.duplicated, counts.lost) == (15, 3, 3)
    (interval,) = [one for one in books.recorder.fold() if one.series == "ws deliver" and one.second == 5]
    assert (interval.ok, interval.lost) == (3 * 4, 3)
    assert interval.response.percentile_us(50) == pytest.approx(1e6, rel=1e-3)


@pytest.mark.parametrize("cls", [Reader, AlikeReader])
def test_contract(cls: type[Reader]) -> None:
    """Each delivery is one of those that the contract's share is drawn from, however often its message was read."""
    books, made = receptions(cls, 3)
    books.frames = FrameSample({"type": "integer", "maximum": 7}, 1.0, seed=1)
    for number in (7, 8):
        for one in made:
            one.received([str(number)], 6 * S)
    assert [broken is None for _, broken in books.frames.judged()] == [True] * 3 + [False] * 3


def test_other_runs_are_nobody_s() -> None:
    """What another run published is entered nowhere, also when it is seen again."""
    books, made = receptions(AlikeReader, 2)
    frame = json.dumps(["other.p", "news", 0, 5 * S, 5 * S])
    for one in made:
        one.received([frame], 6 * S)
    assert books.ledger.counts.received == 0


def test_by_channel_or_all() -> None:
    """The same message is of another stream for those who subscribed to its channel by name."""
    books, (one, other) = receptions(AlikeReader, 2)
    other.hears(by_channel=True)
    other.begin(["news"], S)
    one.received(["7"], 6 * S)
    other.received(["7"], 6 * S)
    books.settle(20 * S)
    assert {row.stream for row in books.settlement.take()["fanned"]} == {"*\tnews", "\tnews"}


def messages(first: int, end: int) -> list[str | bytes]:
    """The stamped messages of a server that sends number n in second n."""
    return [json.dumps([n, n * S]) for n in range(first, end)]


def joined(books: Books, number: int) -> Reception:
    """A subscriber to come."""
    return Reception(books, books.ledger, StampedReader(number, {}, {}, {}), number, "run.", None)  # type: ignore[arg-type]


def told(books: Books) -> list[Interval]:
    """What was recorded of deliveries: those that came live, and those that were kept."""
    rows = books.recorder.fold()
    return [merge([one for one in rows if one.series == name], series=name) for name in ("ws deliver", "ws recover")]


def test_history_on_joining() -> None:
    """A server sends its last 50 messages to whoever joins: none is live, whether settled before or not, nor a copy."""
    books = Books(0, lambda _: (), S, 2 * S, shared=False)
    first, second = joined(books, 0), joined(books, 1)
    first.begin([""], 100 * S)
    first.received(messages(50, 100), 100 * S)
    for number in range(100, 120):
        first.received(messages(number, number + 1), number * S + S // 100)
    books.settle(120 * S)
    second.begin([""], 120 * S)
    second.received(messages(120, 121), 120 * S + S // 100)
    second.received(messages(70, 120), 120 * S + S // 100)  # 70 to 118 are settled, and none of these is overtaken
    first.received(messages(120, 121), 120 * S + S // 100)
    for number in range(121, 130):
        for one in (first, second):
            one.received(messages(number, number + 1), number * S + S // 100)
    books.settle(200 * S)
    counts = books.ledger.counts
    assert (counts.duplicated, counts.late, counts.lost, counts.reordered) == (0, 0, 0, 0)
    assert counts.outside == 50 + 1 + 50 + 1, "and the first that is live, within the guard, of each"
    assert counts.received == counts.delivered + counts.outside == 50 + 30 + 50 + 10
    deliver, recover = told(books)
    assert (deliver.ok, deliver.untimed) == (30 + 10, 0)
    assert deliver.response.max_us == 10_000
    assert (recover.ok, recover.untimed, recover.response.total) == (100, 100, 0)


@pytest.mark.parametrize(("planned", "timed"), [(False, 5), (True, 0)])
def test_kept_meanwhile(planned: bool, timed: int) -> None:
    """What was sent while its connection was lost is recovered, and timed; one that left as planned missed none."""
    books = Books(0, lambda _: (), S, 2 * S, shared=False)
    one = joined(books, 0)
    one.begin([""], 10 * S)
    one.received(messages(12, 20), 19 * S)
    if planned:
        one.leave(20 * S)
        one.received(messages(20, 21), 20 * S + 1)  # under way
    one.end(21 * S, away=not planned)
    one.end(23 * S, away=not planned)  # it came up, and was lost before it was subscribed
    one.begin([""], 26 * S)
    one.received(messages(21, 26), 26 * S + 1)
    books.settle(26 * S)
    deliver, recover = told(books)
    assert (deliver.ok, deliver.untimed) == (8 + planned, 0)
    assert (recover.ok, recover.untimed) == (5, 5 - timed)
    assert recover.response.max_us == (5_000_001 if timed else 0)  # the one of second 21, rounded up


@pytest.mark.parametrize("stamped", [True, False])
@pytest.mark.parametrize("first", [0, 1000])
def test_a_server_that_begins_its_numbers_again(first: int, stamped: bool) -> None:
    """Restarted after 100 messages it counts from 0, and loses every second one to both subscribers: that is seen."""
    books = Books(0, lambda _: (), S, 2 * S, shared=False)
    both = [joined(books, 0), joined(books, 1)]

    def send(number: int, at_ns: int) -> None:
        for one in both:
            one.received([json.dumps([number, at_ns] if stamped else [number])], at_ns + 1)

    for one in both:
        one.begin([""], 0)
    for k in range(100):
        send(first + k, (10 + k) * S)
        books.settle((10 + k) * S)
    for one in both:
        one.end(111 * S, away=True)
    for one in both:
        one.begin([""], 115 * S)
    books.settle(116 * S)
    for k in range(3, 104, 2):  # the first that it sent while nobody was there; 51 of 101 come
        send(k, (117 + k) * S)
    books.settle(400 * S)
    counts = books.ledger.counts
    assert (counts.expected, counts.lost) == (2 * (100 + 101), 2 * 50)
    assert (counts.received, counts.duplicated, counts.reordered, counts.foreign) == (2 * (100 + 51), 0, 0, 0)
    assert books.unplaced == 0
    (told,) = books.take_events()
    assert told["text"].startswith(f'the server began its numbers of "news" again at 3, after {first + 99:,};')


def test_numbers_that_go_on() -> None:
    """All connections are lost and come back, and get once more what they missed: the numbers are the same ones."""
    books = Books(0, lambda _: (), S, 2 * S, shared=False)
    one = joined(books, 0)
    one.begin([""], 0)
    one.received(messages(10, 60), 60 * S)
    one.end(60 * S, away=True)
    one.begin([""], 70 * S)
    one.received(messages(55, 70), 70 * S)  # five too many
    one.received(messages(70, 80), 80 * S)
    books.settle(100 * S)
    counts = books.ledger.counts
    assert (counts.lost, counts.duplicated, counts.recovered) == (0, 5, 10)
    assert not books.take_events()


def test_numbers_begin_again_before_somebody_who_stayed() -> None:
    """One connection alone is lost, to a server that counts from 0: what it brings is not passed over in silence."""
    books = Books(0, lambda _: (), S, 2 * S, shared=False)
    one, other = joined(books, 0), joined(books, 1)
    for each in (one, other):
        each.begin([""], 0)
        each.received([json.dumps([k, k * S]) for k in range(1010, 1020)], 1020 * S)
    one.end(1020 * S, away=True)
    one.begin([""], 1030 * S)
    one.received(["[0, 1031000000000]"], 1031 * S)  # within the guard it may be history
    assert books.unplaced == 0
    one.received([json.dumps([k - 1030, k * S]) for k in range(1033, 1040)], 1040 * S)
    assert books.unplaced == 7


class Shares:
    """Two subscribers in one process, or each in one of its own that learns once a second what the other knows."""

    def __init__(self, processes: int) -> None:
        self.all = [Books(0, lambda _: (), S, 2 * S, shared=processes > 1) for _ in range(processes)]
        self.both = [joined(self.all[k % processes], k) for k in range(2)]

    def second(self, at_ns: int) -> None:
        """Settle, and exchange what is known, as it comes out of the pipe."""
        for books in self.all:
            books.settle(at_ns)
        told = [json.loads(json.dumps(books.take_published())) for books in self.all]
        for k, books in enumerate(self.all):
            for j, published in enumerate(told):
                if j != k:
                    books.published_elsewhere(published)

    def counts(self) -> tuple[int, int, int]:
        """Received, expected, lost, of all."""
        every = [books.ledger.counts for books in self.all]
        return sum(c.received for c in every), sum(c.expected for c in every), sum(c.lost for c in every)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("heard", [0, 50])
def test_a_loss_is_the_same_in_any_number_of_processes(heard: int, processes: int) -> None:
    """Of 100 messages, one a second, one of two subscribers hears the first 50 alone, or none of them."""
    shares = Shares(processes)
    for one in shares.both:
        one.begin([""], 0)
    for number in range(10, 110):
        for k, one in enumerate(shares.both):
            if not k or number < 10 + heard:
                one.received(messages(number, number + 1), number * S + k)
        shares.second(number * S + S // 2)
    for books in shares.all:
        books.settle(200 * S)
        assert books.settlement.take()["fanned"]
    assert shares.counts() == (100 + heard, 200, 100 - heard)


def test_a_restart_that_another_process_heard() -> None:
    """Both come back to a server that counts from 0, and one of them never hears anything again: 41 are lost to it."""
    shares = Shares(2)
    for one in shares.both:
        one.begin([""], 0)
    for number in range(10, 60):
        for one in shares.both:
            one.received(messages(number, number + 1), number * S + 1)
        if number < 59:
            shares.second(number * S + S // 2)
    for one in shares.both:
        one.end(61 * S, away=True)
    for one in shares.both:
        one.begin([""], 62 * S)
    for k in range(41):
        shares.both[0].received([json.dumps([k, (64 + k) * S])], (64 + k) * S + 1)
        shares.second((64 + k) * S + S // 2)  # at first of the end of the numbers of before
    for books in shares.all:
        books.settle(200 * S)
    assert shares.counts() == (2 * 50 + 41, 2 * 50 + 2 * 41, 41)


def test_news_of_before_the_numbers_began_again() -> None:
    """It comes after the first of the new ones, and is no jump of these; what it tells of the old ones counts."""
    shares = Shares(2)
    one, other = shares.both
    for each in shares.both:
        each.begin([""], 0)
        each.received(messages(1000, 1001), 1000 * S)
    one.received(messages(1001, 1003), 1002 * S)  # the other loses these
    for each in shares.both:
        each.end(1004 * S, away=True)
    for each in shares.both:
        each.begin([""], 1005 * S)
    other.received([json.dumps([0, 1008 * S])], 1008 * S)
    told = shares.all[0].take_published()
    one.received([json.dumps([0, 1008 * S])], 1008 * S)
    shares.all[1].published_elsewhere(told)
    for books in shares.all:
        books.settle(1100 * S)
    counts = shares.all[1].ledger.counts
    assert (counts.received, counts.delivered, counts.expected, counts.lost) == (2, 2, 4, 2)


class PublishersReader(StampedReader):
    """Reads whose number it is as well."""

    def read(self, frame: str) -> Read:
        """An array of all three."""
        number, sent_ns, publisher = json.loads(frame)
        return Broadcast("news", number, sent_ns, publisher)


@pytest.mark.parametrize("by_channel", [False, True])
def test_two_publishers_on_one_channel(by_channel: bool) -> None:
    """Each has numbers of its own; one loses every tenth to everybody, the other every fifth."""
    books = Books(0, lambda _: (), S, 2 * S, shared=False)
    one = Reception(books, books.ledger, PublishersReader(0, {}, {}, {}), 0, "run.", None)  # type: ignore[arg-type]
    one.hears(by_channel=by_channel)
    one.begin(["news" if by_channel else ""], 0)
    for second in range(10, 111):
        for publisher, first, every in (("a", 0, 10), ("b", 57, 5)):
            if (second - 10) % every or second in (10, 110):
                one.received([json.dumps([first + second - 10, second * S, publisher])], second * S + 1)
    books.settle(200 * S)
    counts = books.ledger.counts
    assert (counts.expected, counts.lost) == (2 * 101, 9 + 19)
    assert (counts.duplicated, counts.reordered, counts.foreign) == (0, 0, 0)


def test_from_when_it_was_to_be_sent() -> None:
    """A server that says when a message was due is held to that, and its stamp of sending says who was there."""
    books = Books(0, lambda _: (), S, 2 * S, shared=False)
    one = joined(books, 0)
    one.begin([""], 4 * S)
    for number, sent_ns, due_ns in ((7, 10 * S, 8 * S), (8, 12 * S, 3 * S)):
        one.received([json.dumps([number, sent_ns, "", due_ns])], sent_ns + S // 2)
    books.settle(20 * S)
    live, kept = told(books)
    assert (live.ok, kept.count) == (2, 0)  # due before it was subscribed, and sent to it while it was
    assert live.response.max_us == pytest.approx(9_500_000, rel=0.001)
    assert live.service.max_us == pytest.approx(500_000, rel=0.001)
    fanned = books.settlement.take()["fanned"]
    assert [(row.intended_ns, row.sent_ns, row.last_ns) for row in fanned] == [
        (8 * S, 10 * S, 10 * S + S // 2),
        (3 * S, 12 * S, 12 * S + S // 2),
    ]


class ByChannel(Member):
    """Reads a frame of several broadcasts, each an array of channel, number and stamp."""

    hears_broadcasts = True
    due: Due = "channel"

    def read(self, frame: str) -> Read:
        """Each of them."""
        return [Broadcast(*one) for one in json.loads(frame)]


class ByConnection(ByChannel):
    """The same of a server that numbers each connection by itself."""

    due = "connection"


def listeners(cls: type[Member], count: int) -> tuple[Books, list[Reception]]:
    """So many connections, from second 1 on."""
    books = Books(0, lambda _: (), S, 2 * S, shared=False)
    made = [Reception(books, books.ledger, cls(k, {}, {}, {}), k, "run.", None) for k in range(count)]  # type: ignore[arg-type]
    for one in made:
        one.begin([""], S)
    return books, made


def test_due_to_who_hears_the_channel() -> None:
    """Of two rooms each hears its own: nothing is lost but what a room alone did not get, from its first message on."""
    books, made = listeners(ByChannel, 4)
    for second in range(2, 30):
        for k, one in enumerate(made):
            room, number = "ab"[k % 2], 100 + second
            if not (k == 3 and second in (10, 11)):
                one.received([json.dumps([[room, number, second * S]])], second * S)
    books.settle(100 * S)
    counts = books.ledger.counts
    assert (counts.expected, counts.lost, counts.outside) == (4 * 27, 2, 4), "the first is within the guard"
    assert counts.received == 4 * 28 - 2
    assert {row.stream for row in books.settlement.take()["fanned"]} == {"\ta", "\tb"}


def test_due_to_its_connection_alone() -> None:
    """Each counts from 1 whenever it came up, anew when it came back; only a gap in its own numbers is a loss."""
    books, (one, other) = listeners(ByConnection, 2)

    def send(to: Reception, number: int, second: int) -> None:
        to.received([json.dumps([["", number, second * S]])], second * S)

    for second in range(2, 20):
        send(one, second - 1, second)
        if second > 10 and second != 15:
            send(other, second - 10, second)
    one.end(20 * S, away=True)
    one.begin([""], 22 * S)
    for second in range(22, 30):
        send(one, second - 21, second)
        send(other, second - 10, second)
    books.settle(100 * S)
    counts = books.ledger.counts
    # The first of each is within the guard; of the other's 19 numbers those of seconds 15, 20 and 21 did not come.
    assert (counts.expected, counts.lost, counts.duplicated) == (18 - 1 + 8 - 1 + 19 - 1, 3, 0)
    assert (counts.outside, counts.away, books.unplaced) == (3, 0, 0)
    assert not books.take_events()


def test_several_in_a_frame() -> None:
    """Each is entered, copies and all."""
    books, made = listeners(ByChannel, 2)
    for one in made:
        one.received([json.dumps([["a", 0, 2 * S]])], 2 * S + 1)
        one.received([json.dumps([["a", number, 6 * S] for number in (1, 2, 2, 5, 4)])], 6 * S + 1)
    books.settle(100 * S)
    counts = books.ledger.counts
    assert (counts.expected, counts.lost) == (2 * 5, 2)
    assert (counts.received, counts.duplicated, counts.reordered) == (2 * 6, 2, 2)
