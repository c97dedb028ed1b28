"""What goes into the books for a message."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Entry"]


class Entry(NamedTuple):
    """What one message says of itself, and so the same for all whom it reaches.

    ``sent_ns`` is None where nobody knows when it was sent; then it is nobody's to time.
    """

    stream: str
    sequence: int
    intended_ns: int
    sent_ns: int | None
