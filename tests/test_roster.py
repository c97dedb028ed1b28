"""Who the users and members of a load are, over its processes."""

from collections import Counter
from pathlib import Path

import pytest

from loadtests.errors import ScenarioError, UsageError
from loadtests.job import Job
from loadtests.roster import require_seats, seats
from loadtests.scenario import Scenario

CODE = """
from loadtests.httpmember import HttpMember

class Reader(HttpMember):
    pass

class Writer(HttpMember):
    pass

class Editor(HttpMember):
    pass

class Stranger:
    pass
"""


def _jobs(folder, shards, classes, **load):
    (folder / "members.py").write_text(CODE)
    scenario = Scenario.model_validate(
        {
            "name": "x",
            "target": {"url": "http://127.0.0.1:9"},
            "phases": [{"kind": "steady", "duration": "1s"}, {"kind": "cool-down", "duration": "1s", "rate": 2.0}],
            "users": [{"class": f"members.py:{name}", "weight": weight} for name, weight in classes],
            "load": {"driver": "members"} | load,
            "folder": folder,
        }
    )
    return [Job(scenario, "r", "local", "s", shard, shards, Path(folder)) for shard in range(shards)]


@pytest.mark.parametrize("shards", [1, 3])
def test_weights_and_shares(tmp_path, shards):
    """3 : 1 at every number of members; each number once over all processes; each class counts its own from 0."""
    jobs = _jobs(tmp_path, shards, [("Reader", 3), ("Writer", 1)], rate="10/s", users=40)
    found = sorted((seat for job in jobs for seat in seats(job)), key=lambda seat: seat.number)
    assert [seat.number for seat in found] == list(range(40))
    assert Counter(seat.cls.__name__ for seat in found) == {"Reader": 30, "Writer": 10}
    assert Counter(seat.cls.__name__ for seat in found[:8]) == {"Reader": 6, "Writer": 2}
    assert [seat.which for seat in found] == [0 if seat.cls.__name__ == "Reader" else 1 for seat in found]
    for which, n in ((0, 30), (1, 10)):
        assert [seat.index for seat in found if seat.which == which] == list(range(n))


@pytest.mark.parametrize(("weights", "shards"), [((1, 1), 2), ((1, 1, 1), 3), ((3, 1), 2), ((3, 1), 4), ((5, 2, 1), 3)])
def test_each_process_has_each_class(tmp_path, weights, shards):
    """A process draws its arrivals by weight, so it has members of every class by weight, to within one of each."""
    names = ("Reader", "Writer", "Editor")[: len(weights)]
    jobs = _jobs(tmp_path, shards, list(zip(names, weights, strict=True)), rate="10/s", users=80)
    whole = Counter(seat.which for job in jobs for seat in seats(job))
    for job in jobs:
        own = Counter(seat.which for seat in seats(job))
        assert all(abs(own[which] - whole[which] / shards) < 1 for which in whole), own
    sizes = [len(list(seats(job))) for job in jobs]
    assert max(sizes) - min(sizes) <= 1


def test_closed_model_has_as_many_as_its_largest_stage(tmp_path):
    """5 users, and twice as many in the second phase."""
    (job,) = _jobs(tmp_path, 1, [("Reader", 1)], model="closed", users=5)
    assert len(list(seats(job))) == 10


def test_too_few_of_a_class(tmp_path):
    """Before any load: 20 of 80 are writers, so 20 processes can have one each and 21 can not."""
    (job,) = _jobs(tmp_path, 1, [("Reader", 3), ("Writer", 1)], rate="10/s", users=80)
    require_seats(job.scenario, 20)
    with pytest.raises(UsageError, match=r"members.py:Writer has 20 of the 80 users, fewer than the 21 processes"):
        require_seats(job.scenario, 21)
    (closed,) = _jobs(tmp_path, 1, [("Reader", 3), ("Writer", 1)], model="closed", users=2)
    require_seats(closed.scenario, 21)


def test_too_few_users_of_a_class(tmp_path):
    """The same of Locust users, who are dealt by the same weights."""
    (job,) = _jobs(tmp_path, 1, [("Reader", 3), ("Writer", 1)], driver="users", rate="10/s", users=4)
    require_seats(job.scenario, 1)
    with pytest.raises(UsageError, match=r"members.py:Writer has 1 of the 4 users, fewer than the 2 processes"):
        require_seats(job.scenario, 2)


def test_another_class(tmp_path):
    """What is no HttpMember is refused by name, with the key that decides."""
    (job,) = _jobs(tmp_path, 1, [("Stranger", 1)], rate="10/s")
    with pytest.raises(ScenarioError, match=r"members.py:Stranger is no .*HttpMember.*load.driver"):
        list(seats(job))
