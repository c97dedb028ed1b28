"""The users of one Locust process: their classes under our clock, and when they come up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gevent
import locust
from locust.env import Environment

from loadtests.classfile import load_class
from loadtests.dispatcher import Dispatcher
from loadtests.duration import NS_PER_S
from loadtests.errors import ScenarioError
from loadtests.feed import read_feeds
from loadtests.job import Job
from loadtests.locustrequests import Requests
from loadtests.locustuser import ClosedUser, OpenUser, UnloadedUser, subclass
from loadtests.plan import OpenModel

__all__ = ["environment_of", "populate", "unloaded_classes", "user_classes"]


def environment_of(job: Job) -> Environment:
    """Locust's, of the scenario's users; whoever listens to ``locust.events`` in an author's file hears of it.

    Raises:
        ScenarioError: when a class cannot be a user's.

    """
    return Environment(
        user_classes=user_classes(job),
        events=locust.events,
        host=job.scenario.target.url,
        stop_timeout=job.scenario.load.timeout / NS_PER_S + 0.5,  # who is to go has its request answered, or given up
        dispatcher_class=Dispatcher,
    )


def user_classes(job: Job) -> list[type]:
    """The scenario's user classes under our clock."""
    if job.scenario.load.model == "closed":
        return [subclass(author, ClosedUser, weight=weight, **more) for author, weight, more in _authors(job)]
    return [
        subclass(author, OpenUser, weight=weight, line_index=index, **more)
        for index, (author, weight, more) in enumerate(_authors(job))
    ]


def unloaded_classes(job: Job) -> list[type]:
    """The same for those who try their tasks before the load."""
    host = job.scenario.target.url
    return [subclass(author, UnloadedUser, host=host, **more) for author, _, more in _authors(job)]


def _authors(job: Job) -> Iterator[tuple[type, float, dict[str, Any]]]:
    """Each class as its author wrote it, its weight, and what all of them share."""
    scenario = job.scenario
    shared = {
        "requests": Requests(),
        "feeds": read_feeds(scenario),
        "settings": scenario.settings,
        "secrets": scenario.plain_secrets(),
        "timeout_s": scenario.load.timeout / NS_PER_S,
        "tls_verify": scenario.target.tls_verify,
    }
    for user in () if scenario.http_members else scenario.users:
        author = load_class(user.cls, scenario.folder)
        if not getattr(author, "tasks", None):
            raise ScenarioError(f"user class {author.__name__} has no task; mark a method with @task")
        if getattr(author, "fixed_count", 0):
            said = "how many there are of a class is for the scenario to say (load.users, users.weight)"
            raise ScenarioError(f"user class {author.__name__} has a fixed_count; {said}")
        yield author, user.weight, shared


def populate(job: Job, runner: Any, t0_ns: int) -> None:
    """Spawn the users, and in a closed model of several stages keep the population at each stage's size."""
    scenario = job.scenario
    if not scenario.users or scenario.http_members:
        return
    over_s = scenario.come_up_s
    model = scenario.load_model()
    if isinstance(model, OpenModel):
        runner.start(scenario.load.users, max(1.0, scenario.load.users / over_s))
        return
    begin_ns = t0_ns
    for stage in model.stages:
        gevent.sleep(max(0.0, (begin_ns - time.monotonic_ns()) / NS_PER_S))
        if stage.users != runner.target_user_count:
            runner.start(stage.users, max(1.0, stage.users / over_s))
        begin_ns += stage.duration_ns
