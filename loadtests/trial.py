"""The runs that a calibration is made of, as scenarios: each loads the null server in a way whose outcome is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loadtests.duration import NS_PER_S
from loadtests.health import DEFAULT_LIMIT_NS
from loadtests.objective import Kind
from loadtests.scenario import (
    Embedded,
    Load,
    ObjectiveGroup,
    Phase,
    Scenario,
    Target,
    UserClass,
    WitnessProbes,
)
from loadtests.swarmspec import Member, Swarm

__all__ = ["DELAYS_MS", "FAIL_OF", "KNOWN", "STAIRS", "STALL_EVERY_MS", "STALL_MS", "Intent", "Trials", "null_name"]

STAIRS = tuple(1.25**k for k in range(10))
"""Multiples of the planned rate, each held for some seconds: up to 7.5 times."""
DELAYS_MS = (5, 20, 100)
STALL_MS, STALL_EVERY_MS = 1000, 5000
LIMIT_MS, SLOW_MS = 200, 300
FAIL_OF = 100
KNOWN = {
    "floor": "/",
    **{f"delay {ms} ms": f"/delay/{ms}" for ms in DELAYS_MS},
    "errors": f"/fail/{FAIL_OF}",
    "slow tail, 6 %": f"/slow/6/100/{SLOW_MS}",
    "slow tail, 3 %": f"/slow/3/100/{SLOW_MS}",
    "stall": f"/stall/{STALL_MS}/{STALL_EVERY_MS}",
}
"""What the run of known values asks for, and where."""
KNOWN_RATE_PER_S = 50.0
"""Of each of them; of a slow tail four times as much, since 6 % is near the 5 % that it is told from."""
BURN_MS, BURN_EVERY_S = 300, 2.0
BURN_RATE_PER_S = 100.0
WARM_UP_S = 3


def null_name(path: str) -> str:
    """What requests of a path of the null server go by: its numbers tell it apart, so they stay."""
    return path.strip("/") or "null"


@dataclass(frozen=True)
class Intent:
    """What later runs are meant to drive, as far as a calibration can stand for it."""

    rate_per_s: float
    users: int
    arrivals: str
    limit_ns: int
    """The tightest latency limit."""
    connections: int
    publishes_per_s: float

    @classmethod
    def of(cls, scenario: Scenario, rate_per_s: float | None = None) -> Intent:
        """Of a scenario, at its peak. A closed model plans no rate: a request of each user every second, then."""
        load = scenario.load
        peak = max(max(phase.rate, phase.rate_from or 0.0) for phase in scenario.phases)
        planned = (load.rate or 0.0) * peak if load.model == "open" else load.users * peak
        limits = [o.limit_ns for o in scenario.parsed_objectives() if o.kind is Kind.LATENCY and o.limit_ns]
        members = scenario.swarm.members
        return cls(
            rate_per_s or (planned if scenario.users else 0.0) or 1.0,
            load.users,
            load.arrivals,
            min(limits, default=DEFAULT_LIMIT_NS),
            sum(member.count for member in members),
            sum(member.count * (member.rate or 0.0) for member in members),
        )


@dataclass(frozen=True)
class Trials:
    """The runs of one calibration.

    Args:
        intent: what they stand for.
        seconds: steady state of each that is judged; 30 is the least that decides anything.
        stair_s: how long each stair of the sweep is held.

    """

    intent: Intent
    seconds: int = 30
    stair_s: int = 4

    @property
    def whole_s(self) -> int:
        """How long all of them load, together."""
        runs = 3 + bool(self.intent.connections)
        return runs * (self.seconds + WARM_UP_S) + len(STAIRS) * self.stair_s + WARM_UP_S

    def floor(self) -> Scenario:
        """The planned rate, from a server that answers at once."""
        return self._planned("floor")

    def beside_a_swarm(self, hub: str) -> Scenario:
        """The same with as many connections as are planned, on a hub that passes everything on."""
        intent = self.intent
        members = [{"class": "loadtests.nullmember:NullListener", "count": intent.connections}]
        if intent.publishes_per_s:
            members.append({"class": "loadtests.nullmember:NullSpeaker", "count": 1, "rate": intent.publishes_per_s})
        swarm = Swarm(
            members=tuple(map(Member.model_validate, members)),
            connect_rate=max(50.0, intent.connections / WARM_UP_S),
            drain=NS_PER_S,
            guard=NS_PER_S // 2,
        )
        return self._planned("swarm", settings={"hub": hub}).model_copy(update={"swarm": swarm})

    def sweep(self) -> Scenario:
        """The planned rate, then more and more."""
        stairs = tuple(
            Phase(kind="steady", duration=self.stair_s * NS_PER_S, name=f"{multiple:.2f} x", rate=multiple)
            for multiple in STAIRS
        )
        return self._planned("sweep", phases=stairs)

    def known(self) -> Scenario:
        """Delays, errors, a slow tail and a stall whose figures follow by arithmetic."""
        paths = [path for name, path in KNOWN.items() for _ in range(4 if name.startswith("slow") else 1)]
        slow = [
            ObjectiveGroup(must=(f"p95 < {LIMIT_MS}ms",), series=f"GET {null_name(KNOWN[name])}")
            for name in ("slow tail, 6 %", "slow tail, 3 %")
        ]
        return self._scenario("known", KNOWN_RATE_PER_S * len(paths), 300, "constant", tuple(paths), tuple(slow))

    def sabotaged(self) -> Scenario:
        """A server that answers well, and users who compute for 300 ms every 2 s: no FAIL of the target's."""
        objectives = (ObjectiveGroup(must=(f"p95 < {LIMIT_MS // 2}ms",)),)
        settings = {"burn_ms": BURN_MS, "burn_every_s": BURN_EVERY_S}
        return self._scenario(
            "sabotaged", BURN_RATE_PER_S, 100, "constant", ("/",), objectives, "BurningUser", settings=settings
        )

    def _planned(self, name: str, **more: Any) -> Scenario:
        intent = self.intent
        return self._scenario(name, intent.rate_per_s, intent.users, intent.arrivals, ("/",), **more)

    def _scenario(
        self,
        name: str,
        rate_per_s: float,
        users: int,
        arrivals: str,
        paths: tuple[str, ...],
        objectives: tuple[ObjectiveGroup, ...] = (),
        user: str = "NullUser",
        *,
        phases: tuple[Phase, ...] = (),
        settings: Mapping[str, Any] | None = None,
    ) -> Scenario:
        warm_up = Phase(kind="warm-up", duration=WARM_UP_S * NS_PER_S)
        return Scenario(
            name=name,
            target=Target(embedded=Embedded(module="loadtests.nullserver"), max_rate=1e9),
            load=Load.model_validate({"rate": rate_per_s, "users": users, "arrivals": arrivals}),
            phases=(warm_up, *(phases or (Phase(kind="steady", duration=self.seconds * NS_PER_S),))),
            users=(UserClass.model_validate({"class": f"loadtests.nulluser:{user}"}),),
            objectives=objectives,
            witness=WitnessProbes(enabled=False),
            settings={"paths": paths, **(settings or {})},
        )
