"""The frames that wait for one socket: bounded, and once overflowed never used again."""

import asyncio
from collections import deque
from collections.abc import Callable


class Outbox:
    """A queue between the hub, which never waits, and one socket, which may be slow.

    It is bounded by frames and by bytes. The frame that does not fit empties it for good and calls `on_overflow` once:
    a subscriber that misses an event has lost the sequence, so the socket is closed and the client starts anew.
    """

    def __init__(self, max_frames: int, max_bytes: int, on_overflow: Callable[[], None]) -> None:
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._on_overflow = on_overflow
        self._frames: deque[str] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self.overflowed = False
        """Whether a frame was refused."""

    def put(self, frame: str) -> bool:
        """Queue an ASCII frame, and say whether it will be sent."""
        if self.overflowed:
            return False
        if len(self._frames) >= self._max_frames or self._bytes + len(frame) > self._max_bytes:
            self.overflowed = True
            self._frames.clear()
            self._bytes = 0
            self._on_overflow()
            return False
        self._frames.append(frame)
        self._bytes += len(frame)
        self._filled.set()
        return True

    async def take(self) -> str:
        """Wait for the oldest frame and remove it."""
        while not self._frames:
            self._filled.clear()
            await self._filled.wait()
        frame = self._frames.popleft()
        self._bytes -= len(frame)
        return frame

    def __len__(self) -> int:
        return len(self._frames)
