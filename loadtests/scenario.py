"""What a scenario file may say: the validated shape of a load test.

Reading a file (``extends``, ``${ENV}``, messages with line numbers) is :mod:`loadtests.scenariofile`'s work.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr

from loadtests.duration import NS_PER_S
from loadtests.objective import Objective, Scope, parse_objective
from loadtests.plan import Arrivals, ClosedModel, ClosedStage, OpenModel, Stage
from loadtests.swarmspec import Swarm
from loadtests.table import FROM_FILE, DurationNs, ObjectiveLine, RatePerS, Table

__all__ = [
    "FROM_FILE",
    "DurationNs",
    "Embedded",
    "Load",
    "ObjectiveGroup",
    "Phase",
    "RatePerS",
    "Scenario",
    "Target",
    "UserClass",
    "WitnessProbes",
]


class Embedded(Table):
    """A target that the run starts itself, as ``python -m MODULE --host 127.0.0.1 --port PORT``, and stops."""

    module: str
    port: int = Field(default=0, ge=0, le=65535)
    """Where it listens; 0 takes a free port."""
    env: Mapping[str, str] = {}
    ready: str = "/readyz"
    """Path that answers 200 once the target can be loaded."""
    start_timeout: DurationNs = 30 * NS_PER_S


class Target(Table):
    """What the load goes to: a URL, or an embedded module."""

    url: str = ""
    embedded: Embedded | None = None
    allow: tuple[str, ...] = ()
    """Hosts, addresses or networks beyond loopback that may be loaded; judged on the resolved address."""
    max_rate: RatePerS = 10_000.0
    """The offered rate above which a run is refused."""
    tls_verify: bool = True
    check: str = ""
    """Path asked once before the load; any answer will do unless it is a server error."""
    metrics: str = ""
    """Path on the target, or a whole URL, of its metrics in Prometheus text format; read once a second."""
    metrics_token: str = ""
    """Name of the secret that is sent with it as a bearer token."""

    @property
    def metrics_url(self) -> str:
        """Where the metrics are; empty without any."""
        return self.url.rstrip("/") + self.metrics if self.metrics.startswith("/") else self.metrics


class Load(Table):
    """The load model: open (a rate of arrivals) or closed (a fixed population)."""

    model: Literal["open", "closed"] = "open"
    driver: Literal["users", "members"] = "users"
    """What [[users]] are: Locust user classes, or HttpMembers under asyncio."""
    arrivals: Arrivals = "poisson"
    rate: RatePerS | None = None
    users: int = Field(default=100, ge=1)
    """Open: at most so many tasks at a time; more wait in line, their clock running. Closed: the population."""
    timeout: DurationNs = 10 * NS_PER_S
    spin: bool = False
    """Open: the loop stays awake for the last millisecond before each arrival, which costs up to a core."""
    in_flight_cap: int | None = Field(default=None, ge=1)
    """Open: arrivals in service and in line above which one is dropped; default max(100, 4 rate x timeout)."""


class Phase(Table):
    """A stretch of the run; steady ones are judged."""

    kind: Literal["warm-up", "steady", "cool-down"]
    duration: DurationNs
    name: str = ""
    rate: float = Field(default=1.0, gt=0)
    """Multiple of load.rate (of load.users in a closed model)."""
    rate_from: float | None = Field(default=None, ge=0)
    """Where the rate starts, as a multiple; it goes in a straight line to ``rate``."""


class UserClass(Table):
    """A Locust user class and its share of the arrivals (open) or of the population (closed)."""

    cls: str = Field(alias="class")
    """``file.py:Class`` beside the scenario, or ``package.module:Class``."""
    weight: float = Field(default=1.0, gt=0)


class ContractCheck(Table):
    """A share of the answers is held against what the target promises of them."""

    openapi: str = "/openapi.json"
    """Where the target serves its OpenAPI document; empty where it has none."""
    graphql: str = ""
    """Where it takes GraphQL operations by POST."""
    graphql_schema: str = ""
    """The GraphQL schema: a path on the target, or a file beside the scenario."""
    messages: str = ""
    """JSON Schema of the frames that swarm members receive, a file beside the scenario."""
    sample: float = Field(default=0.05, gt=0, le=1)
    """The share of the answers, and of the frames."""
    unloaded: DurationNs | None = None
    """How long the users' tasks are tried before the load, one request at a time, every answer checked."""


class WitnessProbes(Table):
    """A few requests and subscribers like the load's, in an idle process: what theirs take is no client's doing."""

    enabled: bool = True
    """For requests in an open model with users, there are none of it in a closed one; for subscribers with a swarm."""
    connections: int = Field(default=6, ge=1, le=20)
    """How many of its requests can be under way at a time."""
    sockets: int = Field(default=4, ge=0, le=20)
    """Its WebSockets, in a scenario with a swarm."""
    rate: RatePerS | None = Field(default=None, le=50)
    """Requests per second of all connections together; default a twentieth of load.rate, and never above 10/s.
    It rises and falls with the load."""


class ObjectiveGroup(Table):
    """Objectives on the series that a glob names."""

    must: tuple[ObjectiveLine, ...] = Field(min_length=1)
    series: str = "*"
    scope: Scope = "pool"

    def objectives(self) -> list[Objective]:
        """The lines, parsed and bound."""
        return [parse_objective(line, series=self.series, scope=self.scope) for line in self.must]


class Scenario(Table):
    """A whole scenario file."""

    name: str
    target: Target
    load: Load = Load()
    phases: tuple[Phase, ...] = Field(min_length=1)
    users: tuple[UserClass, ...] = ()
    swarm: Swarm = Swarm()
    feeds: Mapping[str, str] = {}
    """Data that users and members draw from: name to a CSV or JSON file beside the scenario."""
    secrets: Mapping[str, SecretStr] = {}
    """Values from the environment, ``"${NAME}"``; never written out."""
    seed: int = Field(default=1, ge=0)
    objectives: tuple[ObjectiveGroup, ...] = ()
    contract: ContractCheck | None = None
    witness: WitnessProbes = WitnessProbes()
    stop_early: bool = False
    """End the run once it is certainly failing; never because it holds."""
    folder: Path = Field(default=Path(), exclude=True)
    """Where the file is; class files and feeds are found from here."""
    settings: Mapping[str, Any] = {}
    """Free values for the scenario's own users and members."""

    @property
    def duration_ns(self) -> int:
        """Length of all phases together."""
        return sum(phase.duration for phase in self.phases)

    @property
    def witness_per_s(self) -> float:
        """The witness's rate while the load's is ``load.rate``; 0 without a witness."""
        if not (self.witness.enabled and self.users and self.load.model == "open"):
            return 0.0
        peak = max(1.0, *(max(phase.rate, phase.rate_from or 0.0) for phase in self.phases))
        return self.witness.rate or min(10.0 / peak, (self.load.rate or 0.0) / 20)

    @property
    def witness_sockets(self) -> int:
        """How many WebSockets the witness may have; 0 without a swarm."""
        return self.witness.sockets if self.witness.enabled and self.swarm.members else 0

    @property
    def address(self) -> str:
        """The target's, as a person gave it on the command line; for messages alone."""
        return str(self.settings.get("url") or self.target.url)

    def plain_secrets(self) -> dict[str, str]:
        """For the code of users and members alone."""
        return {name: value.get_secret_value() for name, value in self.secrets.items()}

    def parsed_objectives(self) -> list[Objective]:
        """Every objective line, parsed and bound."""
        return [objective for group in self.objectives for objective in group.objectives()]

    @property
    def http_members(self) -> bool:
        """Whether the HTTP load is one of asyncio members."""
        return bool(self.users) and self.load.driver == "members"

    @property
    def come_up_s(self) -> float:
        """Over how long users come up: half of the warm-up, 10 s at most; so their logins are no load of their own."""
        warm_up_s = sum(phase.duration for phase in self.phases if phase.kind == "warm-up") / NS_PER_S
        return max(1.0, min(10.0, warm_up_s / 2))

    def load_model(self) -> OpenModel | ClosedModel:
        """The phases as one open or closed model."""
        if self.load.model == "closed":
            return ClosedModel(
                tuple(ClosedStage(p.duration, max(1, round(self.load.users * p.rate))) for p in self.phases)
            )
        return self.open_model(self.load.rate or 0.0, self.load.arrivals)

    def open_model(self, rate_per_s: float, arrivals: Arrivals) -> OpenModel:
        """The phases as stages of a base rate."""
        return OpenModel(
            tuple(
                Stage(p.duration, rate_per_s * (p.rate if p.rate_from is None else p.rate_from), rate_per_s * p.rate)
                for p in self.phases
            ),
            arrivals,
        )
