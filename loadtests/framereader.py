"""WebSocket frames from a server as bytes (RFC 6455, section 5), read where they come in.

The transport calls it directly once the hands are shaken. It hands over all messages of one read at once, with the time
of that read: no queue, and no switch of tasks for a message.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import ClassVar

from loadtests.memo import Memo

__all__ = ["CLOSE", "PING", "PONG", "FrameError", "FrameReader"]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_FIN, _LENGTH = 0x80, 0x7F
_COMPRESSED = 0x40
"""RSV1 of the first frame of a message (RFC 7692, section 6)."""
_WHOLE_TEXT, _WHOLE_BINARY = _FIN | TEXT, _FIN | BINARY
"""First bytes of a frame that is a message by itself, without extensions."""
MOST_KEPT, MOST_KEPT_BYTES = 256, 4096


class FrameError(Exception):
    """What came is no WebSocket frame; ``code`` is the close code that says so (RFC 6455, section 7.4.1)."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class FrameReader(asyncio.Protocol):
    """Reads one connection, as the protocol of its transport.

    A server that broadcasts writes the same bytes to each of its subscribers: what a read of whole messages says is
    known from the first of them, and of the others only looked up.

    Args:
        on_messages: takes all messages of one read, text as ``str``, and when that was (CLOCK_MONOTONIC, ns). The
            list is not its own to change.
        on_control: takes the opcode and payload of a close, ping or pong.
        on_end: is told once that no more will come: by what went wrong, or None where the connection just ended.
        largest: message that is taken, bytes; at least 4,096.
        inflate: makes a message of a compressed one, where the server may compress; raises FrameError.
        below: the protocol that shook hands: it still knows whether writing must wait, and how the connection ended.

    """

    __slots__ = (
        "_below",
        "_compressed",
        "_ended",
        "_inflate",
        "_is_text",
        "_largest",
        "_odd_came",
        "_on_control",
        "_on_end",
        "_on_messages",
        "_pieces",
        "_rest",
        "_wanted",
    )
    _known: ClassVar[Memo[bytes, list[str | bytes]]] = Memo(MOST_KEPT)
    """By all of the bytes of a read, where they were whole messages and nothing else."""

    def __init__(
        self,
        on_messages: Callable[[list[str | bytes], int], None],
        on_control: Callable[[int, bytes], None],
        on_end: Callable[[Exception | None], None],
        largest: int,
        inflate: Callable[[bytes], bytes] | None = None,
        below: asyncio.Protocol | None = None,
    ) -> None:
        self._below = asyncio.Protocol() if below is None else below  # one may be false: it has a length
        self._inflate, self._compressed = inflate, False
        self._on_messages, self._on_control, self._on_end = on_messages, on_control, on_end
        self._largest = largest
        self._rest = bytearray()
        self._wanted = 0
        self._pieces: list[bytes] | None = None
        self._is_text = False
        self._odd_came = False
        self._ended = False

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        now_ns = time.monotonic_ns()
        if self._ended:
            return
        afresh = not self._rest and self._pieces is None
        if afresh and (known := self._known.get(data)) is not None:
            self._on_messages(known, now_ns)
            return
        if self._rest:
            self._rest += data
            if len(self._rest) < self._wanted:
                return
            data, self._rest = bytes(self._rest), bytearray()
        messages: list[str | bytes] = []
        self._odd_came = False
        try:
            position = self._read(data, messages)
        except FrameError as error:
            self._hand_over(messages, now_ns)
            self._end(error)
            return
        if position < len(data):
            self._rest += data[position:]
        elif afresh and not self._odd_came and len(data) <= MOST_KEPT_BYTES:
            self._known.keep(data, messages)
        self._hand_over(messages, now_ns)

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take what the protocol that shook hands had read already, as the parser that it knows."""
        self.data_received(data)
        return False, b""

    def feed_eof(self) -> None:
        """Nothing: it is told twice, and the other one knows why."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended."""
        self._below.connection_lost(exc)
        self._end(exc)

    def pause_writing(self) -> None:
        """Who writes must wait."""
        self._below.pause_writing()

    def resume_writing(self) -> None:
        """Who writes may go on."""
        self._below.resume_writing()

    def _end(self, error: Exception | None) -> None:
        if not self._ended:
            self._ended = True
            self._on_end(error)

    def _hand_over(self, messages: list[str | bytes], now_ns: int) -> None:
        if messages:
            self._on_messages(messages, now_ns)

    def _read(self, data: bytes, messages: list[str | bytes]) -> int:
        """Take every whole frame; where the rest begins."""
        position, end = 0, len(data)
        while end - position >= 2:
            first, length, start = data[position], data[position + 1], position + 2
            if length >= 126:
                if length > _LENGTH:
                    raise FrameError(1002, "the server masks its frames")
                start += 2 if length == 126 else 8
                if start > end:
                    self._wanted = start - position
                    return position
                length = int.from_bytes(data[position + 2 : start], "big")
                if length > self._largest:
                    raise FrameError(1009, f"a frame of {length:,} bytes, and {self._largest:,} are taken")
            stop = start + length
            if stop > end:
                self._wanted = stop - position
                return position
            if first == _WHOLE_TEXT and self._pieces is None:
                messages.append(_text(data[start:stop]))
            elif first == _WHOLE_BINARY and self._pieces is None:
                messages.append(data[start:stop])
            else:
                self._odd(first, data[start:stop], messages)
            position = stop
        self._wanted = 2
        return position

    def _odd(self, first: int, payload: bytes, messages: list[str | bytes]) -> None:
        """A control frame, a part of a message, or what should not be."""
        self._odd_came, opcode, fin = True, first & 0x0F, bool(first & _FIN)
        compressed = first & 0x70 == _COMPRESSED and self._inflate is not None and opcode in (TEXT, BINARY)
        if first & 0x70 and not compressed:
            raise FrameError(1002, "a frame with reserved bits")
        if opcode in (CLOSE, PING, PONG):
            if not fin or len(payload) > 125:
                raise FrameError(1002, "a control frame in parts or over 125 bytes")
            self._on_control(opcode, payload)
        elif opcode in (TEXT, BINARY) and self._pieces is None:
            self._pieces, self._is_text, self._compressed = [payload], opcode == TEXT, compressed
            if fin:  # and compressed: others that are whole do not come here
                self._finish(messages)
        elif opcode == CONTINUATION and self._pieces is not None:
            self._pieces.append(payload)
            if sum(map(len, self._pieces)) > self._largest:
                raise FrameError(1009, f"a message in parts of over {self._largest:,} bytes")
            if fin:
                self._finish(messages)
        else:
            raise FrameError(1002, f"an unexpected frame of opcode {opcode}")

    def _finish(self, messages: list[str | bytes]) -> None:
        whole, self._pieces = b"".join(self._pieces or ()), None
        if self._compressed and self._inflate is not None:
            whole = self._inflate(whole)
        messages.append(_text(whole) if self._is_text else whole)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise FrameError(1007, f"text that is not UTF-8 (byte {error.start})") from None
