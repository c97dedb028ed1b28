"""The last events of each channel, for those who come back: bounded in number per channel, in bytes over all."""

from collections import OrderedDict, deque
from dataclasses import dataclass
from itertools import islice

CHANNEL_BYTES = 1_000
"""What the history of a channel weighs besides its events."""
FRAME_BYTES = 64
"""What an event weighs besides its text."""


@dataclass(frozen=True, slots=True)
class Missed:
    """What came after a number: the events that are still known, and those before them that are not."""

    frames: list[str]
    lost: tuple[int, int] | None
    """The first and the last number that nobody can be given any more."""


class History:
    """Keeps events, and forgets those of the channel first that has been silent longest."""

    def __init__(self, max_frames: int = 256, max_bytes: int = 16 * 1024 * 1024) -> None:
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._channels: OrderedDict[str, deque[str]] = OrderedDict()  # the silent ones first
        self.bytes = 0
        """What all of it weighs."""

    def record(self, name: str, frame: str) -> None:
        """Keep a channel's next event."""
        frames = self._channels.get(name)
        if frames is None:
            frames = self._channels[name] = deque()
            self.bytes += CHANNEL_BYTES
        else:
            self._channels.move_to_end(name)
        frames.append(frame)
        self.bytes += len(frame) + FRAME_BYTES
        if len(frames) > self._max_frames:
            self.bytes -= len(frames.popleft()) + FRAME_BYTES
        while self.bytes > self._max_bytes:
            self._forget_one()

    def after(self, name: str, seq: int, last: int) -> Missed:
        """Return what came after number `seq` of a channel whose last number is `last`."""
        frames = self._channels.get(name, ())
        first = last - len(frames) + 1  # what is kept ends with the last
        lost = (seq + 1, first - 1) if seq + 1 < first else None
        return Missed(list(islice(frames, max(seq + 1 - first, 0), None)), lost)

    def clear(self) -> None:
        """Forget everything."""
        self._channels.clear()
        self.bytes = 0

    def _forget_one(self) -> None:
        name, frames = next(iter(self._channels.items()))
        if frames:
            self.bytes -= len(frames.popleft()) + FRAME_BYTES
        if not frames:
            del self._channels[name]
            self.bytes -= CHANNEL_BYTES
