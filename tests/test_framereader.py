"""Frames as another implementation writes them, split anywhere; and what is none."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from loadtests.framereader import CLOSE, PING, PONG, FrameError, FrameReader

LARGEST = 100_000


class Heard:
    """What a reader hands over, in order."""

    def __init__(self) -> None:
        self.messages: list[str | bytes] = []
        self.batches: list[int] = []
        self.controls: list[tuple[int, bytes]] = []
        self.ends: list[Exception | None] = []
        self.reader = FrameReader(self._messages, lambda *c: self.controls.append(c), self.ends.append, LARGEST)

    def _messages(self, messages: list[str | bytes], at_ns: int) -> None:
        assert at_ns > 0
        self.messages += messages
        self.batches.append(len(messages))

    def feed(self, *pieces: bytes) -> Heard:
        """Bytes as they come in."""
        for piece in pieces:
            self.reader.data_received(piece)
        return self


def wire(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    """As the ``websockets`` package writes it."""
    return Frame(opcode, data, fin=fin).serialize(mask=False)


CONTROLS = st.tuples(st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=125))
PARTS = st.one_of(st.text(max_size=20), st.sampled_from(["x" * 125, "y" * 126, "z" * 33_000]))
MESSAGES = st.tuples(st.sampled_from([Opcode.TEXT, Opcode.BINARY]), st.lists(PARTS, min_size=1, max_size=3))


@given(st.lists(st.one_of(MESSAGES, CONTROLS), max_size=8), st.lists(st.integers(0, 80_000), max_size=12), CONTROLS)
def test_whatever_is_sent_is_read(sent, cuts, between) -> None:
    """Messages whole or in parts, a control frame between any two frames, cut at any places."""
    stream, messages, controls = b"", [], []
    for opcode, data in sent:
        if isinstance(data, bytes):
            stream += wire(opcode, data)
            controls.append((int(opcode), data))
            continue
        for k, part in enumerate(data):
            stream += wire(opcode if k == 0 else Opcode.CONT, part.encode(), fin=k == len(data) - 1)
            stream += wire(*between)
            controls.append((int(between[0]), between[1]))
        whole = "".join(data)
        messages.append(whole if opcode is Opcode.TEXT else whole.encode())
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    heard = Heard().feed(*(stream[a:b] for a, b in pairwise(places)))
    assert (heard.messages, heard.controls, heard.ends) == (messages, controls, [])


def test_byte_by_byte() -> None:
    """The smallest pieces, over the three forms of a length."""
    stream = b"".join(wire(Opcode.TEXT, b"a" * n) for n in (0, 1, 125, 126, 65_535, 65_536))
    heard = Heard().feed(*(stream[k : k + 1] for k in range(len(stream))))
    assert [len(m) for m in heard.messages] == [0, 1, 125, 126, 65_535, 65_536]


def test_one_read_is_one_batch() -> None:
    """Eight messages of one write are handed over together, and a ninth that is cut with the next read."""
    stream = b"".join(wire(Opcode.TEXT, b"%d" % k) for k in range(9))
    heard = Heard().feed(stream[:-1], stream[-1:])
    assert heard.batches == [8, 1]


BAD = {
    "masked": (b"\x81\x81\x00\x00\x00\x00a", 1002),
    "reserved bits": (b"\xc1\x01a", 1002),
    "unknown opcode": (b"\x83\x01a", 1002),
    "continuation of nothing": (b"\x80\x01a", 1002),
    "ping in parts": (b"\x09\x01a", 1002),
    "long ping": (b"\x89\x7e\x00\x7e" + b"a" * 126, 1002),
    "text within a message": (b"\x01\x01a\x81\x01b", 1002),
    "too large": (b"\x81\x7f" + struct.pack(">Q", LARGEST + 1), 1009),
    "too large in parts": (wire(Opcode.TEXT, b"a" * LARGEST, fin=False) + wire(Opcode.CONT, b"b"), 1009),
    "text that is none": (b"\x81\x02\xc3\x28", 1007),
    "absurd length": (b"\x82\x7f" + b"\xff" * 8, 1009),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_frame(name: str) -> None:
    """The messages before it count, it ends the connection under its code, and nothing after it is read."""
    stream, code = BAD[name]
    heard = Heard().feed(wire(Opcode.TEXT, b"before") + stream, wire(Opcode.TEXT, b"after"))
    assert heard.messages == ["before"]
    (error,) = heard.ends
    assert isinstance(error, FrameError)
    assert error.code == code


def test_the_end() -> None:
    """Told once; a frame that was cut by it is none."""
    heard = Heard().feed(wire(Opcode.TEXT, b"whole"), wire(Opcode.TEXT, b"cut")[:-1])
    heard.reader.connection_lost(None)
    heard.reader.connection_lost(None)
    assert (heard.messages, heard.ends) == (["whole"], [None])


def test_controls_have_their_names() -> None:
    """As the standard numbers them."""
    heard = Heard().feed(wire(Opcode.CLOSE, b"\x03\xe8bye"), wire(Opcode.PING, b"1"), wire(Opcode.PONG, b"2"))
    assert heard.controls == [(CLOSE, b"\x03\xe8bye"), (PING, b"1"), (PONG, b"2")]


def test_what_was_read_before() -> None:
    """The same bytes on other connections are the same messages there, each read with its own time."""
    stream = b"".join(wire(Opcode.TEXT, b"fan-out %d" % k) for k in range(8))
    heard = [Heard().feed(stream, stream) for _ in range(3)]
    assert [h.messages for h in heard] == [[f"fan-out {k}" for k in range(8)] * 2] * 3


def test_only_whole_messages_are_known_again() -> None:
    """A ping is answered, and a message in parts or cut is put together, by each connection that gets it."""
    ping = wire(Opcode.TEXT, b"known?") + wire(Opcode.PING, b"p")
    part, rest = wire(Opcode.TEXT, b"be", fin=False), wire(Opcode.CONT, b"gun")
    cut = wire(Opcode.TEXT, b"a whole one") + wire(Opcode.TEXT, b"cut here")[:-1]
    for _ in range(3):
        heard = Heard().feed(ping, part, rest, cut, b"e")
        assert heard.controls == [(PING, b"p")]
        assert heard.messages == ["known?", "begun", "a whole one", "cut here"]


def test_known_bytes_in_the_middle_of_others() -> None:
    """Bytes that are a message by themselves are none while another is not complete."""
    inner = wire(Opcode.TEXT, b"inner")
    Heard().feed(inner)
    outer = wire(Opcode.BINARY, b"<" + inner + b">")
    start = outer.index(inner)
    heard = Heard().feed(outer[:start], inner, outer[start + len(inner) :])
    assert heard.messages == [b"<" + inner + b">"]
    parts = Heard().feed(wire(Opcode.TEXT, b"open", fin=False), inner)
    assert (parts.messages, len(parts.ends)) == ([], 1)
