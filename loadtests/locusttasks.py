"""Locust's loop of a user's tasks: shorter, and with arrivals to start them."""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType
from typing import Any, NoReturn

import gevent
import locust.user.users
from locust import TaskSet
from locust.exception import InterruptTaskSet, StopUser
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING, DefaultTaskSet

from loadtests.errors import ScenarioError

__all__ = ["HAS_WAITED_S", "let_arrivals_start", "shorten"]

HAS_WAITED_S = -1.0
"""Says to Locust that the pause asked for is over."""


class _Tasks(DefaultTaskSet):
    """A user's tasks, as Locust runs them in twelve calls more for each."""

    user: Any = None

    def __init__(self, parent: Any) -> None:
        self.user = parent
        super().__init__(parent)

    def execute_next_task(self) -> None:
        """A method of the user's, or a TaskSet."""
        task = self._task_queue.popleft()
        if type(task) is FunctionType:
            task(self.user)
        else:
            self.execute_task(task)  # type: ignore[no-untyped-call]

    def wait(self) -> None:
        """Between two tasks."""
        user = self.user
        if user._state == LOCUST_STATE_STOPPING:
            raise StopUser
        user._state = LOCUST_STATE_WAITING
        if (pause_s := user.wait_time()) != HAS_WAITED_S:
            gevent.sleep(pause_s)
        if user._state == LOCUST_STATE_STOPPING:
            raise StopUser
        user._state = LOCUST_STATE_RUNNING


def _sleep(_: TaskSet, seconds: float) -> None:
    """Let others go on, but where that has just been done: a turn of the hub has its price."""
    if seconds != HAS_WAITED_S:
        gevent.sleep(seconds)


def _interrupt(task_set: TaskSet, reschedule: bool = True) -> NoReturn:
    """Leave a nested TaskSet; what comes next waits for its own arrival, whatever ``reschedule`` says."""
    raise InterruptTaskSet(reschedule=False)  # type: ignore[no-untyped-call]


def shorten() -> None:
    """Have users of this process run their tasks so."""
    locust.user.users.DefaultTaskSet = _Tasks  # type: ignore[attr-defined]


def let_arrivals_start(author: type) -> None:
    """Each task of a class of users waits for an arrival of its own.

    Raises:
        ScenarioError: when one of its TaskSets has a ``wait_time`` of its own, past which no arrival would ever be
            awaited.

    """
    TaskSet._sleep = _sleep  # type: ignore[method-assign]
    TaskSet.interrupt = _interrupt  # type: ignore[method-assign]
    for task_set in _task_sets(author):
        if task_set.wait_time is not TaskSet.wait_time:
            raise ScenarioError(
                f"{author.__name__}: {task_set.__name__} has a wait_time of its own, but in an open model tasks "
                "start when arrivals are due; remove it, or pause inside a task with self.user.think(SECONDS)"
            )


def _task_sets(of: type) -> Iterator[type[TaskSet]]:
    for task in getattr(of, "tasks", ()):
        if isinstance(task, type):
            yield task
            yield from _task_sets(task)
