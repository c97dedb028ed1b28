"""What Locust tells of requests and of exceptions, recorded on our clock."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from loadtests.answerlog import AnswerLog
from loadtests.answersample import AnswerSample
from loadtests.httpresponse import Response
from loadtests.job import Job
from loadtests.locuststatistics import LocustStatistics
from loadtests.locustuser import Requests
from loadtests.proberequest import GetSample
from loadtests.recorder import Recorder
from loadtests.sample import Outcome
from loadtests.series import raised_in, stray_of

__all__ = ["RequestLog"]

MOST_EVENTS = 50


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
        self.heard_by_others = False
        """Whether somebody else listens to Locust's request event, so that it must be fired."""
        self._redact = job.redactor()
        self._recorder = Recorder(t0_ns, job.limits_ns)
        self._answers = AnswerLog(self._recorder, self._redact, sample, gets)
        self._events: list[dict[str, Any]] = []

    def listen(self, events: Any) -> None:
        """Take Locust's events from now on."""
        events.request.add_listener(self._on_request)
        usual = (self._on_request, *(h for h in events.request._handlers if h.__module__ == "locust.runners"))
        self.heard_by_others = any(handler not in usual for handler in events.request._handlers)
        self._requests.log = self
        events.user_error.add_listener(self._on_user_error)

    def close(self, events: Any) -> int:
        """Take no more of them; how many requests are still in flight."""
        events.request.remove_listener(self._on_request)
        self._requests.log = None
        return len(self._requests.under_way)

    def never_started(self, user_class: type[Any], intended_ns: int, outcome: Outcome) -> None:
        """An arrival was dropped by the cap, or was never sent before the end."""
        now, series = time.monotonic_ns(), getattr(user_class, "arrival_series", None)
        series = series or user_class.settings.get("arrival_series") or stray_of(user_class.__name__)
        self._recorder.record(series, intended_ns, now, now, int(outcome))

    def give_up(self) -> None:
        """What is still under way after its time-out and a little more is one: it never ended."""
        now = time.monotonic_ns()
        for number, (intended_ns, started_ns, user) in list(self._requests.under_way.items()):
            self._recorder.record(stray_of(type(user).__name__), intended_ns, started_ns, now, int(Outcome.TIMEOUT))
            self._requests.end(number, now - started_ns)

    def event(self, kind: str, text: str) -> None:
        """Note something that happened."""
        self._events.append({"kind": kind, "text": self._redact(text)[:300]})

    def take(self, *, last: bool = False) -> dict[str, list[Any]]:
        """Everything since it was last taken, for a batch; with the slowest requests of all in the last one."""
        for event in self._recorder.pooled():
            self.event(**event)
        for _ in self._answers.judge():
            time.sleep(0)  # what is due meanwhile goes first
        self._statistics.feed()
        events, self._events = self._events, []
        return {
            "intervals": [interval.to_json() for interval in self._recorder.fold()],
            "exemplars": self._answers.exemplars(last=last),
            "events": events,
        }

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
        if context and "started_ns" in context:
            if isinstance(response, Response):
                return  # it was recorded as it ended
            self._requests.end(context["request"], elapsed_ns)
            intended_ns, started_ns = context["intended_ns"], context["started_ns"]
        else:  # fired by an author's own client: it began when it says it did
            started_ns = intended_ns = time.monotonic_ns() - elapsed_ns
            self._requests.end(None, elapsed_ns)
        status = status or getattr(response, "status_code", None)
        times = intended_ns, started_ns, started_ns + elapsed_ns
        self._answers.file(request_type, name, times, int(response_length or 0), exception, status, response, url)

    def answered(
        self, response: Response, method: str, name: str, context: Mapping[str, Any], error: Exception | None
    ) -> None:
        """A request of a ``LoadUser`` ended; Locust's own statistics hear of it once a second."""
        took_ns = response.ended_ns - response.started_ns
        self._requests.end(context["request"], took_ns)
        if not self.heard_by_others:  # else they hear of it with them
            self._statistics.add(method, name, took_ns / 1e6, response.size_bytes, error)
        times = context["intended_ns"], context["started_ns"], response.ended_ns
        self._answers.file(
            method, name, times, response.size_bytes, error, response.status_code, response, response.url
        )

    def _on_user_error(self, user_instance: Any, exception: BaseException, **_: Any) -> None:
        name, now = type(user_instance).__name__, time.monotonic_ns()
        kind = f"raised {type(exception).__name__}"
        self._requests.forget(user_instance)
        self._recorder.record(raised_in(name), now, now, now, int(Outcome.ERROR), 0, kind)
        if len(self._events) < MOST_EVENTS:  # each is counted, some are told
            self.event("user error", f"{name} {kind}: {exception}")
