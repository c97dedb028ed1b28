"""Other people's frames: where each kind of adapter finds the number, the time and the channel."""

from __future__ import annotations

import json
import struct

import pytest

from loadtests.adapter import parse_adapter
from loadtests.broadcastmember import BroadcastMember
from loadtests.errors import UsageError
from loadtests.member import Broadcast, Unread


@pytest.mark.parametrize(
    ("adapter", "message", "expected"),
    [
        ("json:seq=n", {"n": 7}, Broadcast("", 7, None)),
        ("json:seq=n,sent_ns=t,channel=c", {"n": "8", "t": 5, "c": 3}, Broadcast("3", 8, 5)),
        ("json:seq=data.id,channel=topic", {"data": {"id": 9}, "topic": "a"}, Broadcast("a", 9, None)),
        ("json:seq=n", {"n": 7.0}, Broadcast("", 7)),
        ("json:seq=n,sent_ns=t", {"n": 1, "t": "6"}, Broadcast("", 1, 6)),
        ("json:seq=n,sent_ns=t", {"n": 1, "t": 7.0}, Broadcast("", 1, 7)),
        ("json:seq=n,sent_ns=a.t", {"n": 1, "a": {"t": 7.0}}, Broadcast("", 1, 7)),
        ("json:seq=n,publisher=p", {"n": 1, "p": "x"}, Broadcast("", 1, None, "x")),
        ("json:seq=n,channel=c,publisher=p", {"n": 1, "c": None, "p": None}, Broadcast("", 1)),
        ("json:seq=n,channel=c,publisher=by.id", {"n": 1, "c": "a", "by": {"id": 0}}, Broadcast("a", 1, None, "0")),
        ("json:seq=n,run=r", {"n": 1, "r": 5}, Broadcast("", 1, None, "5/")),
        ("json:seq=n,run=r.id,publisher=p", {"n": 1, "r": {"id": "x"}, "p": 2}, Broadcast("", 1, None, "x/2")),
        ("json:seq=n,run=r,publisher=p", {"n": 1, "p": 2}, Broadcast("", 1, None, "2")),
        ("json:seq=n,sent_ns=t,intended_ns=d", {"n": 1, "t": 9, "d": "7"}, Broadcast("", 1, 9, "", 7)),
        ("json:seq=n", {"hello": 1}, None),
        ("json:seq=n", {"n": None}, None),
        ("json:seq=a.n", {"a": {"n": None}}, None),
        ("json:seq=data.id", {"data": [1]}, None),
        ("json:seq=n", [7], None),
        ("json:seq=n", [{"n": 7}, {"hi": 1}, {"n": 8}], [Broadcast("", 7), Broadcast("", 8)]),
        ("json:seq=a.n", [{"a": {"n": 7}}], [Broadcast("", 7)]),
    ],
)
def test_json(adapter: str, message: object, expected: Broadcast | list[Broadcast] | None) -> None:
    """By its fields; what has no number is no broadcast."""
    assert parse_adapter(adapter)(json.dumps(message)) == expected
    assert parse_adapter(adapter)(json.dumps(message).encode()) == expected


@pytest.mark.parametrize("adapter", ["json:seq=n", "json:seq=a.n"])
@pytest.mark.parametrize("number", [7.5, -0.5, True, False, "7.5", [7]])
def test_no_whole_number(adapter: str, number: object) -> None:
    """What is none is not cut to one: the message cannot be read, and why is said."""
    frame = json.dumps({"n": number, "a": {"n": number}})
    with pytest.raises((ValueError, TypeError)):
        parse_adapter(adapter)(frame)
    meaning = BroadcastMember(0, {}, {"adapter": adapter}, {}).read(frame)
    assert isinstance(meaning, Unread)
    assert meaning.why.startswith(f"the adapter {adapter} finds no number (")


MIXED = struct.pack(">H", 3) + struct.pack("<I", 77) + struct.pack(">Q", 5)


@pytest.mark.parametrize(
    ("adapter", "message", "expected"),
    [
        ("bytes:seq=0", struct.pack(">Q", 2**40), Broadcast("", 2**40, None)),
        (
            "bytes:seq=2:u32le,sent_ns=6,channel=0:u16",
            MIXED,
            Broadcast("3", 77, 5),
        ),
        ("bytes:seq=2:u32le,publisher=0:u16", MIXED, Broadcast("", 77, None, "3")),
        ("bytes:seq=2:u32le,run=0:u16,intended_ns=6", MIXED, Broadcast("", 77, None, "3/", 5)),
        ("bytes:seq=1:u8", b"\x00\x09\x00", Broadcast("", 9, None)),
        ("bytes:seq=0", b"\x00" * 7, None),
        ("bytes:seq=0", "text of eight", None),
    ],
)
def test_bytes(adapter: str, message: str | bytes, expected: Broadcast | None) -> None:
    """At their offsets; what is too short, or text, is no broadcast."""
    assert parse_adapter(adapter)(message) == expected


def every_second(message: str | bytes) -> Broadcast | None:
    """A function of a user's own."""
    number = int(message)
    return Broadcast("own", number) if number % 2 else None


def test_a_function() -> None:
    """By its name."""
    adapt = parse_adapter(f"python:{__name__}:every_second")
    assert [adapt("3"), adapt("4")] == [Broadcast("own", 3), None]


NONE = ["", "xml:seq=a", "json", "json:", "json:seq=", "json:sent_ns=t", "json:seq=a,when=b", "json:seq=a,,"]
NONE += ["bytes:seq=a", "bytes:seq=-1", "bytes:seq=0:u24"]
NONE += ["json:seq=a,seq=b", "json:seq=a,channel=c,channel=c", "bytes:seq=0,seq=8", "python:os:path", "python:os:sep"]
NONE += ["python:nowhere:f", f"python:{__name__}:nothing", "python:"]


@pytest.mark.parametrize("adapter", NONE)
def test_what_is_none(adapter: str) -> None:
    """One message that quotes it."""
    with pytest.raises(UsageError, match="--adapter") as raised:
        parse_adapter(adapter)
    assert f'"{adapter}"' in str(raised.value)
