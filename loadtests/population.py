"""The users of one Locust process: their classes under our clock, and when they come up."""

from __future__ import annotations

import time
from typing import Any

import gevent

from loadtests.classfile import load_class
from loadtests.duration import NS_PER_S
from loadtests.errors import ScenarioError
from loadtests.feed import read_feeds
from loadtests.job import Job
from loadtests.locustuser import ClosedUser, OpenUser, Requests, subclass
from loadtests.plan import OpenModel

__all__ = ["populate", "user_classes"]


def user_classes(job: Job) -> list[type]:
    """The scenario's user classes under our clock."""
    scenario = job.scenario
    shared = {
        "requests": Requests(),
        "feeds": read_feeds(scenario),
        "settings": scenario.settings,
        "secrets": {name: value.get_secret_value() for name, value in scenario.secrets.items()},
        "timeout_s": scenario.load.timeout / NS_PER_S,
        "tls_verify": scenario.target.tls_verify,
    }
    is_open = scenario.load.model == "open"
    authors = [load_class(user.cls, scenario.folder) for user in scenario.users]
    for author in authors:
        if not getattr(author, "tasks", None):
            raise ScenarioError(f"user class {author.__name__} has no task; mark a method with @task")
    return [
        subclass(
            author,
            OpenUser if is_open else ClosedUser,
            weight=user.weight,
            **(shared | ({"line_index": index} if is_open else {})),
        )
        for index, (author, user) in enumerate(zip(authors, scenario.users, strict=True))
    ]


def populate(job: Job, runner: Any, t0_ns: int) -> None:
    """Spawn the users, and in a closed model of several stages keep the population at each stage's size.

    Users come up over half of the warm-up (10 s at most), so that their logins are no load of their own.
    """
    scenario = job.scenario
    if not scenario.users:
        return
    warm_up_s = sum(p.duration for p in scenario.phases if p.kind == "warm-up") / NS_PER_S
    over_s = max(1.0, min(10.0, warm_up_s / 2))
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
