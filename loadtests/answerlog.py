"""What became of HTTP requests, filed: a sample each, the slowest and the failed kept, some looked at more closely."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from loadtests.answersample import AnswerSample
from loadtests.asked import Asked
from loadtests.exemplar import Exemplars
from loadtests.interval import Interval
from loadtests.outcome import classify
from loadtests.proberequest import GetSample
from loadtests.recorder import Recorder
from loadtests.sample import Outcome
from loadtests.series import raised_in, series_name, stray_of
from loadtests.servertiming import parse_server_timing

__all__ = ["AnswerLog"]

EACH_TIMED = 4
"""One answer in so many is asked what the server says of its own time."""
MOST_NAMES = 1000
MOST_EVENTS = 50
"""Between two takes."""


class AnswerLog:
    """Of one process, whatever client it was that asked.

    Args:
        recorder: takes the samples.
        redact: takes secrets out of texts.
        sample: where answers are held against a contract.
        gets: where the witness is told what to ask.

    """

    def __init__(
        self,
        recorder: Recorder,
        redact: Callable[[str], str],
        sample: AnswerSample | None = None,
        gets: GetSample | None = None,
    ) -> None:
        self._recorder = recorder
        self._redact = redact
        self._exemplars = Exemplars(recorder.t0_ns, redact)
        self._names: dict[str, dict[str, str]] = {}
        self._named = 0
        self._timed = itertools.cycle((*[False] * (EACH_TIMED - 1), True))
        self._events: list[dict[str, str]] = []
        self._sample = sample
        self._gets = gets

    def file(self, asked: Asked, exception: BaseException | None, response: Any, url: str | None = None) -> None:
        """One request that ended, and what came of it; ``url`` where the response does not say it."""
        method, intended_ns, ended_ns = asked.method, asked.intended_ns, asked.ended_ns
        try:
            series = self._names[method][asked.name]
        except KeyError:
            series = self._series(method, asked.name)
        if exception is None:
            self._recorder.record(series, intended_ns, asked.started_ns, ended_ns, 0, asked.size_bytes)
            if next(self._timed):
                self._ask_server_timing(series, intended_ns, response)
            if self._gets is not None:
                self._gets.offer(series, method, url, response)
            if ended_ns - intended_ns > self._exemplars.slow_enough_ns:
                self._keep(series, asked, Outcome.OK, "", None, response)
        else:
            outcome, error = classify(exception, asked.status_code)
            error = self._redact(error)
            self._recorder.record(series, intended_ns, asked.started_ns, ended_ns, outcome, asked.size_bytes, error)
            if self._exemplars.wants(series, ended_ns - intended_ns, outcome, error):
                self._keep(series, asked, outcome, error, exception, response)
        if self._sample is not None and getattr(response, "headers", None) is not None:
            self._sample.offer(series, intended_ns, method, url or getattr(response, "url", None), response)

    def _keep(
        self, series: str, asked: Asked, outcome: Outcome, error: str, exception: BaseException | None, response: Any
    ) -> None:
        detail, headers = "" if exception is None else f"{exception!r}", getattr(response, "headers", None)
        given = headers if hasattr(headers, "items") else None
        response_ns, service_ns = asked.ended_ns - asked.intended_ns, asked.ended_ns - asked.started_ns
        self._exemplars.keep(series, asked.intended_ns, response_ns, service_ns, outcome, error, detail, given)

    def _ask_server_timing(self, series: str, intended_ns: int, response: Any) -> None:
        headers = getattr(response, "headers", None)
        if headers is not None and hasattr(headers, "get") and (told := headers.get("server-timing")):
            self._recorder.note(series, intended_ns, partial(Interval.add_server_us, parts=parse_server_timing(told)))

    def judge(self) -> Iterator[None]:
        """Hold what was drawn against the contract, one answer at a time: each takes up to a millisecond."""
        for series, intended_ns, violation in self._sample.judged() if self._sample else ():
            self._recorder.note(series, intended_ns, partial(Interval.add_checked, violation=violation))
            yield

    def never_started(self, user_class: type, settings: Mapping[str, Any], intended_ns: int, outcome: Outcome) -> None:
        """An arrival was dropped by the cap, or was never sent before the end."""
        now_ns, series = time.monotonic_ns(), getattr(user_class, "arrival_series", None)
        series = series or settings.get("arrival_series") or stray_of(user_class.__name__)
        self._recorder.record(series, intended_ns, now_ns, now_ns, int(outcome))

    def gave_up(self, user_class: type, intended_ns: int, started_ns: int, now_ns: int) -> None:
        """What was under way after its time-out and a little more is one: it never ended."""
        series = stray_of(user_class.__name__)
        self._recorder.record(series, intended_ns, started_ns, now_ns, int(Outcome.TIMEOUT))

    def raised(self, user_class: type, error: BaseException) -> None:
        """The scenario's own code raised: each time is counted, some are told."""
        name, now_ns, kind = user_class.__name__, time.monotonic_ns(), f"raised {type(error).__name__}"
        self._recorder.record(raised_in(name), now_ns, now_ns, now_ns, int(Outcome.ERROR), 0, kind)
        if len(self._events) < MOST_EVENTS:
            self.event("user error", f"{name} {kind}: {error}")

    def event(self, kind: str, text: str) -> None:
        """Note something that happened."""
        self._events.append({"kind": kind, "text": self._redact(text)[:300]})

    def take(self, *, last: bool = False) -> dict[str, list[Any]]:
        """Exemplars and events since they were last taken, for a batch; with the slowest of all in the last one."""
        events, self._events = [*self._events, *self._recorder.pooled()], []
        return {
            "exemplars": self._exemplars.take_failed() + (self._exemplars.take_slowest() if last else []),
            "events": events,
        }

    def _series(self, method: str, name: str) -> str:
        """The series of a request; few names, so each is made and redacted once."""
        series = self._redact(series_name(method, name))
        if self._named < MOST_NAMES:
            self._named += 1
            self._names.setdefault(method, {})[name] = series
        return series
