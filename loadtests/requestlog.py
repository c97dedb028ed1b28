"""What Locust tells of requests and of exceptions, recorded on our clock."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from locust import TaskSet

from loadtests.answerlog import AnswerLog
from loadtests.answersample import AnswerSample
from loadtests.asked import Asked
from loadtests.httpresponse import Response
from loadtests.job import Job
from loadtests.locustrequests import Requests, stamps_of
from loadtests.locuststatistics import LocustStatistics
from loadtests.parts import Parts
from loadtests.proberequest import GetSample
from loadtests.recorder import Recorder
from loadtests.sample import Outcome

__all__ = ["RequestLog"]


class RequestLog:
    """Listens to Locust and records: one sample a request, whatever came of it.

    Args:
        job: the share, for its limits and secrets.
        t0_ns: CLOCK_MONOTONIC of the run's second 0.
        requests: those that have begun and are under way in this process.
        statistics: Locust's own, which its web page shows.
        sample: where answers are held against a contract.
        gets: where the witness is told what to ask.

    """

    def __init__(
        self,
        job: Job,
        t0_ns: int,
        requests: Requests,
        statistics: Any,
        sample: AnswerSample | None = None,
        gets: GetSample | None = None,
    ) -> None:
        self._requests = requests
        self._statistics = LocustStatistics(statistics)
        self._timeout_ns = job.scenario.load.timeout
        self._hearing: Sequence[Any] = ()
        self._usual = 0
        self._recorder = Recorder(t0_ns, job.limits_ns)
        self._answers = AnswerLog(self._recorder, job.redactor(), sample, gets)
        self.event = self._answers.event

    def listen(self, events: Any) -> None:
        """Take Locust's events from now on."""
        events.request.add_listener(self._on_request)
        self._hearing = events.request._handlers
        self._usual = 1 + sum(each.__module__ == "locust.runners" for each in self._hearing)
        self._requests.log = self
        events.user_error.add_listener(self._on_user_error)

    def close(self, events: Any) -> int:
        """Take no more of them; how many requests are still in flight."""
        events.request.remove_listener(self._on_request)
        events.user_error.remove_listener(self._on_user_error)
        self._requests.log = None
        return len(self._requests.under_way)

    def never_started(self, user_class: type[Any], intended_ns: int, outcome: Outcome) -> None:
        """An arrival was dropped by the cap, or was never sent before the end."""
        self._answers.never_started(user_class, user_class.settings, intended_ns, outcome)

    def give_up(self) -> None:
        """What has been under way for its time-out and a little more is one: it never ended. The rest is in flight."""
        now = time.monotonic_ns()
        for number, (intended_ns, started_ns, user, _) in list(self._requests.under_way.items()):
            if now - started_ns >= self._timeout_ns:
                self._answers.gave_up(type(user), intended_ns, started_ns, now)
                self._requests.end(number, now - started_ns)

    def take(self, *, last: bool = False) -> Parts[dict[str, list[Any]]]:
        """Everything since it was last taken, for a batch; with the slowest requests of all in the last one."""
        yield from self._answers.judge()
        yield from self._statistics.feed()
        intervals = []
        for interval in (yield from self._recorder.folding()):
            intervals.append(interval.to_json())
            yield
        return {"intervals": intervals, **self._answers.take(last=last)}

    def _on_request(
        self,
        request_type: str,
        name: str,
        response_time: float,
        response_length: int,
        exception: BaseException | None = None,
        context: dict[str, Any] | None = None,
        response: Any = None,
        status: int | None = None,
        url: str | None = None,
        **_: Any,
    ) -> None:
        elapsed_ns = round(response_time * 1e6)
        stamps = stamps_of(context)
        if stamps and isinstance(response, Response):
            return  # it was recorded as it ended
        if stamps and self._requests.end(stamps.number, self._requests.answered_ns(stamps.number) - stamps.started_ns):
            intended_ns, started_ns = stamps[:2]
        else:  # fired by an author's own code, be it with the context of one that is over: it began when it says it did
            started_ns = intended_ns = time.monotonic_ns() - elapsed_ns
            self._requests.end(None, elapsed_ns)
        status = status or getattr(response, "status_code", None)
        times_ns = intended_ns, started_ns, started_ns + elapsed_ns
        asked = Asked.seen(request_type, name, times_ns, int(response_length or 0), status)
        self._answers.file(asked, exception, response, url)

    def answered(self, response: Response, error: Exception | None) -> bool:
        """A request of a ``LoadUser`` ended; whether somebody else is to hear of it, and Locust's statistics with them.

        Else these hear of it once a second.
        """
        heard = len(self._hearing) > self._usual
        took_ns = response.ended_ns - response.started_ns
        if not self._requests.end(response.number, took_ns):
            return heard  # it was given up
        if not heard:
            self._statistics.add(response.method, response.name, took_ns / 1e6, response.size_bytes, error)
        self._answers.file(response, error, response)
        return heard

    def _on_user_error(self, user_instance: Any, exception: BaseException, **_: Any) -> None:
        user = user_instance.user if isinstance(user_instance, TaskSet) else user_instance  # Locust tells either
        self._requests.forget(user)
        self._answers.raised(type(user), exception)
