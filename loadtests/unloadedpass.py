"""The unloaded pass: before the load, each user class's tasks one request at a time, and every answer checked."""

from __future__ import annotations

from typing import Any

from gevent.pool import Group
from locust.env import Environment

from loadtests.answersample import AnswerSample
from loadtests.duration import NS_PER_S
from loadtests.interval import Interval
from loadtests.job import Job
from loadtests.population import unloaded_classes
from loadtests.series import series_name

__all__ = ["UnloadedPass"]

MOST_FAULTS = 5
LEAVING_S = 2


class UnloadedPass:
    """What the contract's answers are like with nobody else at the target.

    An environment of its own keeps all of it out of the run's samples and of Locust's statistics.

    Args:
        job: the share, for its scenario, promises and secrets.

    """

    def __init__(self, job: Job) -> None:
        self.checked: dict[str, Interval] = {}
        """By series: how many answers were checked, and what they broke."""
        self.faults: list[str] = []
        """What user code raised."""
        self._job = job
        self._redact = job.redactor()
        self._sample: AnswerSample | None = None

    def run(self) -> None:
        """Let one user of each class after the other have an equal part of the time, and end what it began then."""
        check = self._job.scenario.contract
        if check is None or not self._job.unloaded_s:
            return
        self._sample = AnswerSample(self._job.promises, check.model_copy(update={"sample": 1.0}), 0)
        classes = unloaded_classes(self._job)
        environment: Any = Environment(user_classes=classes, host=self._job.scenario.target.url)
        environment.events.request.add_listener(self._on_request)
        environment.events.user_error.add_listener(self._on_user_error)
        for cls in classes:
            user: Any = cls(environment)
            trying = user.start(Group())
            trying.join(timeout=self._job.unloaded_s / len(classes))
            user.leaving = True
            trying.join(timeout=self._job.scenario.load.timeout / NS_PER_S)
            trying.kill(timeout=LEAVING_S)

    def to_json(self) -> dict[str, Any]:
        """``{SERIES: {"checked": n, "violations": {KIND: n}}}``."""
        return {series: {"checked": one.checked, "violations": one.violations} for series, one in self.checked.items()}

    def _on_request(self, request_type: str, name: str, response: Any = None, url: str | None = None, **_: Any) -> None:
        if self._sample is None or getattr(response, "headers", None) is None:
            return
        self._sample.offer(self._redact(series_name(request_type, name)), 0, request_type, url, response)
        for series, _second, violation in self._sample.judged():
            self.checked.setdefault(series, Interval(series, 0)).add_checked(violation)

    def _on_user_error(self, user_instance: Any, exception: BaseException, **_: Any) -> None:
        if len(self.faults) < MOST_FAULTS:
            said = f"before the load, {type(user_instance).__name__} raised {type(exception).__name__}: {exception}"
            self.faults.append(said)
