"""What child processes print, kept without secrets."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from pathlib import Path

__all__ = ["ProcessLog"]


class ProcessLog:
    """A log file that lines reach redacted; bounded, so that a chatty process cannot fill the disk."""

    def __init__(self, path: Path, redact: Callable[[str], str], limit_bytes: int = 5_000_000) -> None:
        self.path = path
        self._redact = redact
        self._left = limit_bytes
        self._last: deque[str] = deque(maxlen=3)

    async def follow(self, stream: asyncio.StreamReader | None) -> None:
        """Copy a process's output until it ends."""
        while stream is not None and (line := await _line(stream)):
            text = self._redact(line.decode(errors="replace").rstrip("\n"))
            self._last.append(text)
            if self._left > 0:
                self._left -= len(text)
                with contextlib.suppress(OSError), self.path.open("a", encoding="utf-8") as log:
                    log.write(text + ("\n" if self._left > 0 else "\n(the rest was not kept)\n"))

    def last_words(self) -> str:
        """The end of what was printed, on one line."""
        return " / ".join(filter(None, map(str.strip, self._last)))[:500] or "it printed nothing"


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readline()
    except ValueError:  # a line over the stream's limit: its rest follows
        return b"(a line too long to keep)\n"
