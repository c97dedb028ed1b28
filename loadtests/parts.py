"""Work in parts: what is due goes between them, as a request that waited for all of it would be late."""

from __future__ import annotations

import time
import types
from collections.abc import Generator, Iterator
from typing import Generic, TypeAlias, TypeVar

__all__ = ["Parts", "at_once", "by_turns", "with_rests"]

T = TypeVar("T")
Parts: TypeAlias = Generator[None, None, T]
"""Stops after each part, and returns what comes of all of them."""

WORK_NS = 200_000
"""After so much of it others have their turn: the part that it ends with is often longer than that already."""
REST_S, REST_NS = 0.001, 1_000_000


def at_once(parts: Parts[T]) -> T:
    """Do all of it, where nothing else is due."""
    work = _Work(parts)
    for _ in work:
        pass
    return work.result


@types.coroutine
def by_turns(parts: Parts[T]) -> Parts[T]:
    """To be awaited: asyncio's loop goes on between the parts, as it does for ``sleep(0)``."""
    work = _Work(parts)
    for _ in work.turns(0):
        yield
    return work.result


def with_rests(parts: Parts[T]) -> T:
    """Let the gevent hub go on for a millisecond between the parts.

    For no time at all would not do: gevent looks for nothing that has come while greenlets give way like that.
    """
    work = _Work(parts)
    for _ in work.turns(REST_NS):
        time.sleep(REST_S)
        time.sleep(0)  # where the hub was held up, what has come is looked at after this greenlet's rest is over
    return work.result


class _Work(Generic[T]):
    """What is done as it is iterated over, and then what came of it."""

    result: T

    def __init__(self, parts: Parts[T]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[None]:
        self.result = yield from self._parts

    def turns(self, rest_ns: int) -> Iterator[None]:
        """Stops where others have their turn, which they are to have for so long.

        Where they take longer, as on a loop that has more to do than it can, the work is done for as long as they
        took: else a batch would take seconds, and the next one, which then has more in it, longer still.
        """
        most_ns, since_ns = WORK_NS, time.monotonic_ns()
        for _ in self:
            stopped_ns = time.monotonic_ns()
            if stopped_ns - since_ns >= most_ns:
                yield
                since_ns = time.monotonic_ns()
                most_ns = max(WORK_NS, since_ns - stopped_ns - rest_ns)
