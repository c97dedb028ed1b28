"""A share of the answers, held against what the target promises a second later, when no request waits for it."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from loadtests.contentcoding import OversizeError
from loadtests.contract import Contract
from loadtests.graphqlcontract import GraphQLContract
from loadtests.httpreply import BadAnswerError
from loadtests.httpresponse import Response
from loadtests.job import Job
from loadtests.promises import Promises
from loadtests.scenario import ContractCheck

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
    sent: bytes
    body: bytes


class AnswerSample:
    """Draws answers evenly; what would make a second too long is let go.

    Args:
        promises: what the answers are held against.
        check: which share of them is drawn, and where GraphQL is spoken.
        seed: of the drawing.

    """

    def __init__(self, promises: Promises, check: ContractCheck, seed: int) -> None:
        self._openapi = Contract(promises.openapi) if promises.openapi is not None else None
        self._graphql = GraphQLContract(promises.graphql) if promises.graphql is not None else None
        self._graphql_path = check.graphql
        self._share = check.sample
        self._draw = random.Random(seed).random  # noqa: S311 -- a sample, no secret
        self._waiting: deque[_Answer] = deque()

    @classmethod
    def of(cls, job: Job) -> AnswerSample | None:
        """For a process's share of a run; None where its scenario has no contract."""
        check = job.scenario.contract
        return cls(job.promises, check, job.scenario.seed + job.shard) if check is not None else None

    def offer(self, series: str, intended_ns: int, method: str, url: str | None, response: Any) -> None:
        """Perhaps keep an answer, of Locust's clients or one like theirs."""
        if self._draw() >= self._share or len(self._waiting) >= MOST_WAITING:
            return
        status = getattr(response, "status_code", 0)
        body = _body(response)
        if url and status and body is not None:
            path, kind = urlsplit(url).path or "/", response.headers.get("content-type") or ""
            sent = _sent(response) if path == self._graphql_path else b""
            self._waiting.append(_Answer(series, intended_ns, method, path, status, kind, sent, body))

    def judged(self) -> Iterator[tuple[str, int, str | None]]:
        """Series, intended start and violation, if any, of what was kept since."""
        for _ in range(len(self._waiting)):  # one by one: whoever stops in between leaves the others
            one = self._waiting.popleft()
            if one.path == self._graphql_path and self._graphql is not None:
                if one.method == "POST" and self._graphql.covers(one.status, one.content_type, one.sent):
                    broken = self._graphql.violation(one.status, one.content_type, one.sent, one.body)
                    yield one.series, one.intended_ns, broken
            elif self._openapi is not None and self._openapi.covers(one.path):
                broken = self._openapi.violation(one.method, one.path, one.status, one.content_type, one.body)
                yield one.series, one.intended_ns, broken


def _body(response: Any) -> bytes | None:
    """The answer's body, decoded; None where that is too much."""
    try:
        if isinstance(response, Response):
            return response.decoded(MOST_BYTES) if response.size_bytes <= MOST_BYTES else None
        body: bytes = getattr(response, "content", None) or b""
    except OversizeError:
        return None
    except BadAnswerError:  # it is not what its Content-Encoding says, and so nothing that was promised
        return b""
    return body if len(body) <= MOST_BYTES else None


def _sent(response: Any) -> bytes:
    """The request's body: Locust's FastHttpUser keeps it as ``payload``, its HttpUser as ``body``."""
    request = getattr(response, "request", None)
    sent = getattr(request, "payload", None) or getattr(request, "body", None)
    sent = sent.encode() if isinstance(sent, str) else sent
    return sent if isinstance(sent, bytes) and len(sent) <= MOST_BYTES else b""
