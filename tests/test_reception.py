"""What a connection receives is read once for all whom it reaches, where its kind of member reads alike."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest

from loadtests.books import Books
from loadtests.member import Broadcast, Delivery, Member, Read
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
    assert {row.stream for row in books.take_fanned()} == {"*\tnews", "\tnews"}
