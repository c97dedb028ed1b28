"""The HTTP requests of the members in one process: how many began and ended, and what became of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Protocol

from loadtests.answerlog import AnswerLog
from loadtests.answersample import AnswerSample
from loadtests.asyncsession import AsyncSession
from loadtests.duration import NS_PER_S
from loadtests.httpresponse import Response
from loadtests.job import Job
from loadtests.proberequest import GetSample
from loadtests.recorder import Recorder

__all__ = ["Asking", "AsyncRequests"]


class Asking(Protocol):
    """Whose requests they are."""

    cert: ClassVar[str | tuple[str, str] | None]
    """The client's own certificate."""
    intended_ns: int | None
    """When the next one was meant to begin, where that was before it does; it is taken from there."""


class AsyncRequests:
    """Makes the members' sessions, and files what they tell.

    Args:
        job: the share.
        recorder: takes the samples.

    """

    def __init__(self, job: Job, recorder: Recorder) -> None:
        scenario = job.scenario
        self.gets = GetSample.of(job)
        self.answers = AnswerLog(recorder, job.redactor(), AnswerSample.of(job), self.gets)
        self.begun = 0
        self.over = False
        """Whether the run is: what is cancelled from then on was under way at its end."""
        self._under_way: dict[int, tuple[int, int, Asking]] = {}
        self._in_flight_ns = 0
        self._target, self._timeout_s = scenario.target, scenario.load.timeout / NS_PER_S

    def session(self, asking: Asking) -> AsyncSession:
        """A session of its own, on the target."""
        return AsyncSession(
            self._target.url,
            partial(self._begin, asking),
            self._ended,
            timeout_s=self._timeout_s,
            verify=self._target.tls_verify,
            cert=asking.cert,
            over=lambda: self.over,
        )

    @property
    def in_flight(self) -> int:
        """How many are under way."""
        return len(self._under_way)

    def give_up(self) -> None:
        """What is still under way after its time-out and a little more is one: it never ended."""
        now_ns = time.monotonic_ns()
        for intended_ns, started_ns, asking in self._under_way.values():
            self.answers.gave_up(type(asking), intended_ns, started_ns, now_ns)
            self._in_flight_ns += now_ns - started_ns
        self._under_way.clear()

    def accounting(self) -> dict[str, int]:
        """At the end, when those under way were given up."""
        return {
            "requests_begun": self.begun,
            "requests_in_flight": self.in_flight,
            "in_flight_us": self._in_flight_ns // 1000,
        }

    def _begin(self, asking: Asking) -> Mapping[str, Any]:
        self.begun += 1
        now_ns, intended_ns = time.monotonic_ns(), asking.intended_ns
        asking.intended_ns = None
        intended_ns = now_ns if intended_ns is None else min(intended_ns, now_ns)
        self._under_way[self.begun] = intended_ns, now_ns, asking
        return {"intended_ns": intended_ns, "request": self.begun}

    def _ended(
        self, response: Response, method: str, name: str, context: Mapping[str, Any], error: Exception | None
    ) -> None:
        if self._under_way.pop(context["request"], None) is None:
            return  # it was given up
        started_ns, ended_ns = response.started_ns, response.ended_ns
        self._in_flight_ns += ended_ns - started_ns
        times = context["intended_ns"], started_ns, ended_ns
        self.answers.file(method, name, times, response.size_bytes, error, response.status_code, response, response.url)
