"""Who the members of an HTTP load are: their numbers, classes and places among the processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from loadtests.classfile import load_class
from loadtests.errors import ScenarioError
from loadtests.httpmember import HttpMember
from loadtests.job import Job
from loadtests.plan import OpenModel

__all__ = ["Seat", "seats"]


@dataclass(frozen=True, slots=True)
class Seat:
    """A member that is to be: its number over all processes, its class and which that is, its number within it."""

    number: int
    which: int
    cls: type[HttpMember]
    index: int


def seats(job: Job) -> Iterator[Seat]:
    """One process's members, the classes mixed by their weights at every number of members.

    Raises:
        ScenarioError: when a class of the scenario is no HttpMember.

    """
    scenario = job.scenario
    classes = [_member_class(user.cls, job) for user in scenario.users]
    counts = [0] * len(classes)
    model = scenario.load_model()
    most = scenario.load.users if isinstance(model, OpenModel) else max(stage.users for stage in model.stages)
    for number in range(most):
        which = min(range(len(classes)), key=lambda k: (counts[k] + 1) / scenario.users[k].weight)
        if number % job.shards == job.shard:
            yield Seat(number, which, classes[which], counts[which])
        counts[which] += 1


def _member_class(reference: str, job: Job) -> type[HttpMember]:
    cls = load_class(reference, job.scenario.folder)
    if not issubclass(cls, HttpMember):
        raise ScenarioError(
            f'{reference} is no loadtests.httpmember.HttpMember, which load.driver = "members" expects; Locust users '
            'go with load.driver = "users"'
        )
    return cls
