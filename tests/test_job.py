"""One run's load, cut into the shares of its processes."""

from pathlib import Path

from loadtests.job import Job
from loadtests.scenario import Scenario

SCENARIO = Scenario.model_validate(
    {
        "name": "shop",
        "target": {"url": "http://127.0.0.1:8000"},
        "load": {"rate": "20/s", "users": 5},
        "users": [{"class": "loadtests.urluser:UrlUser"}],
        "phases": [{"kind": "steady", "duration": "60s"}],
    }
)


def test_swarm_of_several_processes():
    """Each worker's part of the swarm is cut again; all parts together are the whole, each once."""
    whole = Job(SCENARIO, "r1", "local", "local", 0, 1, Path("spool"), swarm_processes=2)
    assert [(job.source, job.shard, job.shards) for job in whole.swarm_jobs()] == [
        ("local.swarm-0", 0, 2),
        ("local.swarm-1", 1, 2),
    ]
    _, *workers = whole.shared(3, 5557)
    parts = [part for worker in workers for part in worker.swarm_jobs()]
    assert sorted(part.shard for part in parts) == list(range(6))
    assert {part.shards for part in parts} == {6}
    assert len({part.source for part in parts}) == 6
    alone = Job(SCENARIO, "r1", "local", "local", 0, 1, Path("spool"))
    assert [(job.source, job.shard, job.shards) for job in alone.swarm_jobs()] == [("local.swarm", 0, 1)]


def test_shared_by_workers():
    """A master, which alone has the web page and no part of the plan's shards, and one shard for each worker."""
    whole = Job(SCENARIO, "r1", "local", "local", 0, 1, Path("spool"), ("192.0.2.1",), 0, 8089)
    master, *workers = whole.shared(3, 5557)
    assert (master.role, master.source, master.ui_port, master.master_port) == ("master", "master", 8089, 5557)
    assert [(w.role, w.source, w.shard, w.shards) for w in workers] == [
        ("worker", f"worker-{k}", k, 3) for k in range(3)
    ]
    assert {(w.ui_port, w.master_port, w.addresses) for w in workers} == {(None, 5557, ("192.0.2.1",))}
