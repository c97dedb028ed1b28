"""Who the users and members of an HTTP load are: their numbers, classes and places among the processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from loadtests.classfile import load_class
from loadtests.errors import ScenarioError, UsageError
from loadtests.foreign import require_ours
from loadtests.httpmember import HttpMember
from loadtests.job import Job
from loadtests.mix import next_class
from loadtests.plan import ClosedModel
from loadtests.scenario import Scenario

__all__ = ["Seat", "member_classes", "require_seats", "seats"]


@dataclass(frozen=True, slots=True)
class Seat:
    """A member that is to be: its number over all processes, its class and which that is, its number within it."""

    number: int
    which: int
    cls: type[HttpMember]
    index: int


def seats(job: Job) -> Iterator[Seat]:
    """One process's members: of each class its share, for its arrivals are drawn by weight in every process.

    Raises:
        ScenarioError: when a class of the scenario is no HttpMember.

    """
    classes = member_classes(job)
    order = _order(job.scenario)
    totals, counts = Counter(order), [0] * len(classes)
    before = [sum(totals[other] for other in range(which)) for which in range(len(classes))]
    for number, which in enumerate(order):
        index = counts[which]
        if (before[which] + index) % job.shards == job.shard:  # each class goes on where the one before it stopped
            yield Seat(number, which, classes[which], index)
        counts[which] += 1


def require_seats(scenario: Scenario, shares: int) -> None:
    """Every process needs a user or member of every class where arrivals are drawn for it.

    Raises:
        UsageError: when there are too few of one.

    """
    if not scenario.users or isinstance(scenario.load_model(), ClosedModel):
        return
    totals = Counter(_order(scenario))
    for which, user in enumerate(scenario.users):
        if totals[which] < shares:
            raise UsageError(
                f"{user.cls} has {totals[which]} of the {scenario.load.users} users, fewer than the {shares} processes "
                "that its arrivals go to; have more users (load.users), a greater weight, or fewer processes"
            )


def _order(scenario: Scenario) -> list[int]:
    """Which class each of them is of, by number."""
    model = scenario.load_model()
    most = max(stage.users for stage in model.stages) if isinstance(model, ClosedModel) else scenario.load.users
    weights, order = [user.weight for user in scenario.users], []
    counts = [0] * len(weights)
    for _ in range(most):
        which = next_class(counts, weights)
        counts[which] += 1
        order.append(which)
    return order


def member_classes(job: Job) -> list[type[HttpMember]]:
    """The scenario's own.

    Raises:
        ScenarioError: when one is no HttpMember, or asks in vain for what another client would do.

    """
    found = [load_class(user.cls, job.scenario.folder) for user in job.scenario.users]
    for user, cls in zip(job.scenario.users, found, strict=True):
        if not issubclass(cls, HttpMember):
            raise ScenarioError(
                f'{user.cls} is no loadtests.httpmember.HttpMember, which load.driver = "members" expects; Locust '
                'users go with load.driver = "users"'
            )
        require_ours(cls)
    return found
