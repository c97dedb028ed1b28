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
"""After so much of it there is a rest: the part that it ends with is often longer than that already."""
REST_S = 0.001


def at_once(parts: Parts[T]) -> T:
    """Do all of it, where nothing else is due."""
    work = _Work(parts)
    for _ in work:
        pass
    return work.result


@types.coroutine
def by_turns(parts: Parts[T]) -> Parts[T]:
    """To be awaited: asyncio's loop goes on after each part, as it does after ``sleep(0)``."""
    return (yield from parts)


def with_rests(parts: Parts[T]) -> T:
    """Let the gevent hub go on for a millisecond, again and again.

    For no time at all would not do: gevent looks for nothing that has come while greenlets give way like that.
    """
    work, since_ns = _Work(parts), time.monotonic_ns()
    for _ in work:
        if time.monotonic_ns() - since_ns > WORK_NS:
            time.sleep(REST_S)
            since_ns = time.monotonic_ns()
    return work.result


class _Work(Generic[T]):
    """What is done as it is iterated over, and then what came of it."""

    result: T

    def __init__(self, parts: Parts[T]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[None]:
        self.result = yield from self._parts
