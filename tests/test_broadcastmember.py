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


def test_between_them() -> None:
    """The broadcasts among them are read, and the others counted; of these the first is kept."""
    books = Books(0, lambda _: (), S, 2 * S, shared=False)
    member = BroadcastMember(0, {}, {"adapter": "json:seq=n"}, {})
    assert member.read('{"n": 8}') == Broadcast("", 8)
    one = Reception(books, books.ledger, member, 0, "run.", None)  # type: ignore[arg-type]
    one.begin([""], 0)
    one.received(["welcome", '{"n": 7}', "ping", '{"n": 8}', "ping"], 5 * S)
    assert (books.ledger.counts.received, books.unread) == (2, 3)
    assert books.unread_example.startswith("the adapter json:seq=n finds no number (")
    assert books.unread_example.endswith(" in 'welcome'")
