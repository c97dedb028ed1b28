"""What Locust tells of requests and of exceptions, recorded on our clock."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from loadtests.answersample import AnswerSample
from loadtests.exemplar import Exemplars
from loadtests.httpresponse import Response
from loadtests.interval import Interval
from loadtests.job import Job
from loadtests.locuststatistics import LocustStatistics
from loadtests.locustuser import Requests
from loadtests.outcome import classify
from loadtests.proberequest import GetSample
from loadtests.recorder import Recorder
from loadtests.sample import Outcome
from loadtests.series import raised_in, series_name, stray_of
from loadtests.servertiming import parse_server_timing

__all__ = ["RequestLog"]

MOST_EVENTS = 50
EACH_TIMED = 4
"""One answer in so many is asked what the server says of its own time."""
MOST_NAMES = 1000


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
        self._exemplars = Exemplars(t0_ns, self._redact)
        self._names: dict[tuple[str, str], str] = {}
        self._events: list[dict[str, Any]] = []
        self._answered = 0
        self._sample = sample
        self._gets = gets

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
        if self._recorder.overflowing:
            names = ", ".join(sorted(self._recorder.overflowing)[:3])
            self.event("series", f"too many series, pooled as (other): {names} ...")
            self._recorder.overflowing.clear()
        for series, intended_ns, violation in self._sample.judged() if self._sample else ():
            self._recorder.note(series, intended_ns, partial(Interval.add_checked, violation=violation))
            time.sleep(0)  # judging takes up to a millisecond: what is due meanwhile goes first
        self._statistics.feed()
        events, self._events = self._events, []
        return {
            "intervals": [interval.to_json() for interval in self._recorder.fold()],
            "exemplars": self._exemplars.take_failed() + (self._exemplars.take_slowest() if last else []),
            "events": events,
        }

    def _series(self, method: str, name: str) -> str:
        """The series of a request; few names, so each is made and redacted once."""
        series = self._names.get((method, name))
        if series is None:
            series = self._redact(series_name(method, name))
            if len(self._names) < MOST_NAMES:
                self._names[method, name] = series
        return series

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
        self._record(request_type, name, times, int(response_length or 0), exception, status, response, url)

    def answered(
        self, response: Response, method: str, name: str, context: Mapping[str, Any], error: Exception | None
    ) -> None:
        """A request of a ``LoadUser`` ended; Locust's own statistics hear of it once a second."""
        took_ns = response.ended_ns - response.started_ns
        self._requests.end(context["request"], took_ns)
        if not self.heard_by_others:  # else they hear of it with them
            self._statistics.add(method, name, took_ns / 1e6, response.size_bytes, error)
        times = context["intended_ns"], context["started_ns"], response.ended_ns
        self._record(method, name, times, response.size_bytes, error, response.status_code, response, response.url)

    def _record(
        self,
        method: str,
        name: str,
        times_ns: tuple[int, int, int],
        size_bytes: int,
        exception: BaseException | None,
        status: int | None,
        response: Any,
        url: str | None,
    ) -> None:
        intended_ns, started_ns, ended_ns = times_ns
        outcome, error = Outcome.OK, ""
        if exception is not None:
            outcome, error = classify(exception, status)
            error = self._redact(error)
        series = self._series(method, name)
        self._recorder.record(series, intended_ns, started_ns, ended_ns, outcome, size_bytes, error)
        headers = getattr(response, "headers", None)
        if outcome is Outcome.OK and headers is not None and hasattr(headers, "get"):
            self._answered += 1
            if self._answered % EACH_TIMED == 0 and (told := headers.get("server-timing")):
                self._recorder.note(
                    series, intended_ns, partial(Interval.add_server_us, parts=parse_server_timing(told))
                )
        if self._gets is not None and outcome is Outcome.OK:
            self._gets.offer(series, method, url, response)
        if self._sample is not None and headers is not None:
            self._sample.offer(series, intended_ns, method, url, response)
        response_ns, service_ns = ended_ns - intended_ns, ended_ns - started_ns
        if self._exemplars.wants(series, response_ns, outcome, error):
            detail = f"{exception!r}" if exception is not None else ""
            given = dict(headers.items()) if headers is not None and hasattr(headers, "items") else None
            self._exemplars.keep(series, intended_ns, response_ns, service_ns, outcome, error, detail, given)

    def _on_user_error(self, user_instance: Any, exception: BaseException, **_: Any) -> None:
        name, now = type(user_instance).__name__, time.monotonic_ns()
        kind = f"raised {type(exception).__name__}"
        self._requests.forget(user_instance)
        self._recorder.record(raised_in(name), now, now, now, int(Outcome.ERROR), 0, kind)
        if len(self._events) < MOST_EVENTS:  # each is counted, some are told
            self.event("user error", f"{name} {kind}: {exception}")
