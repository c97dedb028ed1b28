"""The HTTP requests of the members in one process: how many began and ended, and what became of them."""

from __future__ import annotations

import time
from typing import ClassVar, Protocol

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
        self.under_way: dict[Response, Asking] = {}
        """And whose each is."""
        self.in_flight_ns = 0
        """For how long those that ended were under way, all together."""
        self._target, self._timeout_s = scenario.target, scenario.load.timeout / NS_PER_S

    def session(self, asking: Asking) -> AsyncSession:
        """A session of its own, on the target."""
        account = _Account(self, asking)
        return AsyncSession(
            self._target.url,
            account.begin,
            account.ended,
            timeout_s=self._timeout_s,
            verify=self._target.tls_verify,
            cert=asking.cert,
            over=lambda: self.over,
        )

    @property
    def in_flight(self) -> int:
        """How many are under way."""
        return len(self.under_way)

    def give_up(self) -> None:
        """What has been under way for its time-out and a little more is one: it never ended. The rest is in flight."""
        now_ns = time.monotonic_ns()
        for asked, asking in list(self.under_way.items()):
            if now_ns - asked.started_ns >= self._timeout_s * NS_PER_S:
                self.answers.gave_up(type(asking), asked.intended_ns, asked.started_ns, now_ns)
                self.in_flight_ns += now_ns - asked.started_ns
                del self.under_way[asked]

    def accounting(self) -> dict[str, int]:
        """At the end, when those under way were given up."""
        return {
            "requests_begun": self.begun,
            "requests_in_flight": self.in_flight,
            "in_flight_us": self.in_flight_ns // 1000,
        }


class _Account:
    """What one of them asks: told as it begins, and as it has ended."""

    __slots__ = ("_asking", "_requests")

    def __init__(self, requests: AsyncRequests, asking: Asking) -> None:
        self._requests, self._asking = requests, asking

    def begin(self, asked: Response) -> None:
        """A request begins; perhaps it was meant to before."""
        requests, asking = self._requests, self._asking
        requests.begun += 1
        requests.under_way[asked] = asking
        intended_ns = asking.intended_ns
        if intended_ns is not None:
            asked.intended_ns, asking.intended_ns = min(intended_ns, asked.started_ns), None

    def ended(self, asked: Response, error: Exception | None) -> None:
        """It has, unless it was given up before."""
        requests = self._requests
        if requests.under_way.pop(asked, None) is not None:
            requests.in_flight_ns += asked.ended_ns - asked.started_ns
            requests.answers.file(asked, error, asked)
