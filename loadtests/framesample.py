"""A share of the frames that members receive, held against the API's message schema when none of them waits for it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

from loadtests.errors import ScenarioError
from loadtests.shape import Shape

__all__ = ["FrameSample"]

MOST_WAITING = 200
MOST_CHARACTERS = 1 << 20


class FrameSample:
    """Draws frames evenly; what would make a second too long is let go.

    Args:
        schema: JSON Schema (2020-12) of a frame.
        share: of the frames that are drawn, 0 to 1.
        seed: of the drawing.

    Raises:
        ScenarioError: when the schema cannot be used.

    """

    def __init__(self, schema: Mapping[str, Any], share: float, seed: int) -> None:
        try:
            self._shape = Shape(schema)
        except ValueError as error:
            raise ScenarioError(f"the message schema cannot be used as a contract: {error}") from None
        self._share = share
        self._draw = random.Random(seed).random  # noqa: S311 -- a sample, no secret
        self._waiting: list[tuple[int, str]] = []

    def offer(self, frame: str, received_ns: int) -> None:
        """Perhaps keep a frame."""
        if self._draw() < self._share and len(self._waiting) < MOST_WAITING and len(frame) <= MOST_CHARACTERS:
            self._waiting.append((received_ns, frame))

    def judged(self) -> Iterator[tuple[int, str | None]]:
        """When each that was kept since was received, and what it breaks, if anything, without any value of it."""
        waiting, self._waiting = self._waiting, []
        for received_ns, frame in waiting:
            yield received_ns, self._violation(frame)

    def _violation(self, frame: str) -> str | None:
        try:
            value = json.loads(frame)
        except (ValueError, RecursionError):
            return "the frame is not JSON"
        broken = self._shape.breach(value)
        return broken and f"frame{broken}"
