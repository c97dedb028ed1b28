"""What a listener makes of the frames that a server sends beside its broadcasts."""

from __future__ import annotations

import pytest

from loadtests.books import Books
from loadtests.broadcastmember import BroadcastMember
from loadtests.member import Broadcast, Unread
from loadtests.reception import Reception

S = 1_000_000_000
ORDINARY = ["welcome", "ping", '{"n": null}', '{"n": "a"}', '{"type": "hello"}', "[]", "7", "", b"\xff\x00"]


@pytest.mark.parametrize("adapter", ["json:seq=n", "json:seq=n,channel=a.b", "bytes:seq=40"])
@pytest.mark.parametrize("frame", ORDINARY)
def test_no_broadcast(frame: str | bytes, adapter: str) -> None:
    """It means nothing, and ends nothing."""
    member = BroadcastMember(0, {}, {"adapter": adapter}, {})
    meaning = member.read_bytes(frame) if isinstance(frame, bytes) else member.read(frame)
    assert isinstance(meaning, Unread)
    assert adapter in meaning.why


def a_tuple(frame: str | bytes) -> object:
    """What is no broadcast, nor a list of them."""
    return (1, 2)


def a_list(frame: str | bytes) -> object:
    """One broadcast, and what is none."""
    return [Broadcast("", 1), (1, 2)]


def two(frame: str | bytes) -> object:
    """Two broadcasts."""
    return [Broadcast("", 1), Broadcast("", 2)]


@pytest.mark.parametrize("function", ["a_tuple", "a_list"])
def test_an_adapter_that_gives_something_else(function: str) -> None:
    """It is told what was expected of it."""
    member = BroadcastMember(0, {}, {"adapter": f"python:{__name__}:{function}"}, {})
    meaning = member.read("x")
    assert isinstance(meaning, Unread)
    assert "gives a tuple where a Broadcast was expected" in meaning.why


def test_several() -> None:
    """One frame may hold several broadcasts."""
    member = BroadcastMember(0, {}, {"adapter": f"python:{__name__}:two"}, {})
    assert member.read("x") == [Broadcast("", 1), Broadcast("", 2)]


@pytest.mark.parametrize(("due", "alike"), [("everybody", True), ("channel", False), ("connection", False)])
def test_due(due: str, alike: bool) -> None:
    """What is due to some is read for each."""
    member = BroadcastMember(0, {}, {"adapter": "json:seq=n", "due": due}, {})
    assert (member.due, member.reads_alike) == (due, alike)


def test_between_them() -> None:
    """The broadcasts among them are read, and the others counted; of these the first is kept."""
    books = Books(0, lambda _: (), S, 2 * S, shared=False)
    member = BroadcastMember(0, {}, {"adapter": "json:seq=n"}, {})
    assert member.read('{"n": 8}') == Broadcast("", 8)
    one = Reception(books, books.ledger, member, 0, "run.", None)  # type: ignore[arg-type]
    one.begin([""], 0)
    one.received(["welcome", '{"n": 7}', "ping", '{"n": 8}', "ping"], 5 * S)
    books.deliveries.enter_all()
    assert (books.ledger.counts.received, books.unread) == (2, 3)
    assert books.unread_example.startswith("the adapter json:seq=n finds no number (")
    assert books.unread_example.endswith(" in 'welcome'")
