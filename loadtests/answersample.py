"""A share of the answers, held against the contract a second later, when no request waits for it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from loadtests.contract import Contract

__all__ = ["AnswerSample"]

MOST_WAITING = 100
MOST_BYTES = 1 << 20


class _Answer(NamedTuple):
    series: str
    intended_ns: int
    method: str
    path: str
    status: int
    content_type: str
    body: bytes


class AnswerSample:
    """Draws answers evenly; what would make a second too long is let go.

    Args:
        document: the target's OpenAPI document.
        share: of the answers that are drawn, 0 to 1.
        seed: of the drawing.

    """

    def __init__(self, document: Mapping[str, Any], share: float, seed: int) -> None:
        self._contract = Contract(document)
        self._share = share
        self._draw = random.Random(seed).random  # noqa: S311 -- a sample, no secret
        self._waiting: list[_Answer] = []

    def offer(self, series: str, intended_ns: int, method: str, url: str | None, response: Any) -> None:
        """Perhaps keep an answer, of Locust's clients or one like theirs."""
        if self._draw() >= self._share or len(self._waiting) >= MOST_WAITING:
            return
        status, body = getattr(response, "status_code", 0), getattr(response, "content", None) or b""
        if url and status and len(body) <= MOST_BYTES:
            kind = response.headers.get("content-type") or ""
            self._waiting.append(_Answer(series, intended_ns, method, urlsplit(url).path or "/", status, kind, body))

    def judged(self) -> Iterator[tuple[str, int, str | None]]:
        """Series, intended start and violation, if any, of what was kept since."""
        waiting, self._waiting = self._waiting, []
        for one in filter(lambda answer: self._contract.covers(answer.path), waiting):
            broken = self._contract.violation(one.method, one.path, one.status, one.content_type, one.body)
            yield one.series, one.intended_ns, broken
