"""What the orchestrator tells a generator process, over a pipe and never on disk: it holds secrets."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

from loadtests.duration import NS_PER_S
from loadtests.objective import limits_ns
from loadtests.offering import SPIN_NS
from loadtests.plan import OpenModel, Plan
from loadtests.promises import NO_PROMISES, Promises
from loadtests.redaction import Redactor
from loadtests.scenario import Scenario
from loadtests.scenariofile import scenario_from_wire, scenario_to_wire

__all__ = ["Job", "Role"]

Role = Literal["local", "master", "worker"]


@dataclass(frozen=True)
class Job:
    """One process's share of a run.

    ``shard`` of ``shards`` is its part of the plan and of the swarm; ``addresses`` are the only ones beyond loopback
    that it may connect to.
    """

    scenario: Scenario
    run_id: str
    role: Role
    source: str
    shard: int
    shards: int
    spool: Path
    addresses: tuple[str, ...] = ()
    master_port: int = 0
    ui_port: int | None = None
    promises: Promises = NO_PROMISES
    """What answers are held against, where the scenario asks for it."""
    swarm_processes: int = 1
    """How many processes the swarm's part of this share is cut into."""

    def to_wire(self) -> str:
        """One line of JSON."""
        row = {f.name: getattr(self, f.name) for f in fields(self)}
        return json.dumps(row | {"scenario": scenario_to_wire(self.scenario), "spool": str(self.spool)})

    @classmethod
    def from_wire(cls, text: str | bytes) -> Job:
        """Read :meth:`to_wire`'s form."""
        row = json.loads(text)
        row["scenario"] = scenario_from_wire(row["scenario"])
        row |= {
            "spool": Path(row["spool"]),
            "addresses": tuple(row["addresses"]),
            "promises": Promises(*row["promises"]),
        }
        return cls(**row)

    def named(self, source: str) -> Job:
        """The same share for a child process of another name."""
        return replace(self, source=source)

    def swarm_jobs(self) -> list[Job]:
        """The swarm's part of this share, for each of its own processes."""
        n, name = self.swarm_processes, f"{self.source}.swarm"
        each = [(name if n == 1 else f"{name}-{k}", self.shard * n + k) for k in range(n)]
        return [replace(self, source=source, shard=shard, shards=self.shards * n) for source, shard in each]

    def shared(self, workers: int, master_port: int) -> list[Job]:
        """The same load among a master, which has Locust's web page, and so many workers."""
        master = replace(self, role="master", source="master", shards=workers, master_port=master_port)
        return [
            master,
            *(replace(master, role="worker", source=f"worker-{k}", shard=k, ui_port=None) for k in range(workers)),
        ]

    def limits_ns(self, series: str) -> Sequence[int]:
        """Latency limits that objectives set for a series."""
        return limits_ns(self.scenario.parsed_objectives(), series)

    def redactor(self) -> Redactor:
        """Takes this scenario's secrets out of texts."""
        return Redactor([secret.get_secret_value() for secret in self.scenario.secrets.values()])

    def plan(self) -> Plan | None:
        """The share of the arrivals; None in a closed model."""
        model = self.scenario.load_model()
        return Plan(model, self.scenario.seed, self.shard, self.shards) if isinstance(model, OpenModel) else None

    @property
    def spin_ns(self) -> int:
        """How long before an arrival its loop stays awake."""
        return SPIN_NS if self.scenario.load.spin else 0

    @property
    def unloaded_s(self) -> float:
        """How long this process tries the users' tasks before the load; only one of them does."""
        check = self.scenario.contract
        if check is None or check.unloaded is None or self.shard != 0 or self.role == "master":
            return 0.0
        return check.unloaded / NS_PER_S

    @property
    def unloaded_most_s(self) -> float:
        """The same with each class's last task taking all of its time-out."""
        overrun_s = len(self.scenario.users) * self.scenario.load.timeout / NS_PER_S
        return self.unloaded_s + overrun_s if self.unloaded_s else 0.0

    @property
    def probes_per_s(self) -> int:
        """How many of its GETs the shard hands to the witness in a second; 0 without one."""
        return math.ceil(self.scenario.witness_per_s / self.shards)

    @property
    def in_flight_cap(self) -> int:
        """The shard's part of the cap on arrivals in service and in line."""
        load = self.scenario.load
        whole = load.in_flight_cap
        if whole is None:
            peak = max(max(phase.rate, phase.rate_from or 0.0) for phase in self.scenario.phases)
            whole = max(100, round(4 * (load.rate or 0.0) * peak * load.timeout / NS_PER_S))
        return max(1, whole // self.shards + (1 if self.shard < whole % self.shards else 0))
