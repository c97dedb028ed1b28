"""What the command line (``--users``) or make (``USERS``) says over a scenario file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from loadtests.errors import UsageError
from loadtests.scenario import Phase, Scenario
from loadtests.tomlposition import KeyPath

__all__ = ["NO_OVERRIDES", "Overrides"]

_OPTIONS: dict[str, KeyPath] = {
    "users": ("load", "users"),
    "rate": ("load", "rate"),
    "host": ("target", "url"),
    "seed": ("seed",),
    "max_rate": ("target", "max_rate"),
}


@dataclass(frozen=True)
class Overrides:
    """Values that win over the file's; None leaves the file's.

    Raises:
        UsageError: when a number is out of range, naming the option.

    """

    users: int | None = None
    rate: float | None = None
    """load.rate, per second."""
    duration_ns: int | None = None
    """Length of the steady phases together; each keeps its share, warm-up and cool-down their length."""
    host: str | None = None
    """A URL, instead of target.url and of an embedded target."""
    seed: int | None = None
    allow: tuple[str, ...] = ()
    """Added to target.allow."""
    max_rate: float | None = None
    """target.max_rate, per second."""
    witness: bool = True
    """False leaves the witness out."""
    stop_early: bool = False
    """True sets stop_early, whatever the file says."""

    def __post_init__(self) -> None:
        if self.users is not None and self.users < 1:
            raise UsageError(f"--users: expected a whole number of at least 1, got {self.users}")
        for option, rate in (("--rate", self.rate), ("--max-rate", self.max_rate)):
            if rate is not None and not 0 < rate < math.inf:
                raise UsageError(f"{option}: expected a positive rate per second, got {rate:g}")
        if self.seed is not None and self.seed < 0:
            raise UsageError(f"--seed: expected a whole number of at least 0, got {self.seed}")
        if self.duration_ns is not None and self.duration_ns <= 0:
            raise UsageError('--duration: expected a positive duration, such as "60s"')

    def applied(self, scenario: Scenario) -> Scenario:
        """The scenario with these values in it.

        Raises:
            UsageError: when a value has nothing to decide in this scenario.

        """
        if scenario.swarm.members and not scenario.users and (self.users is not None or self.rate is not None):
            option = "--rate" if self.users is None else "--users"
            raise UsageError(f"{option}: this scenario has no [[users]]; its [[swarm.members]] have a count and a rate")
        load = _given(users=self.users, rate=self.rate)
        target = _given(max_rate=self.max_rate)
        if self.allow:
            target["allow"] = (*scenario.target.allow, *self.allow)
        if self.host is not None:
            target |= {"url": self.host, "embedded": None}
        update = _given(seed=self.seed, stop_early=self.stop_early or None)
        if not self.witness:
            update["witness"] = scenario.witness.model_copy(update={"enabled": False})
        if load:
            update["load"] = scenario.load.model_copy(update=load)
        if target:
            update["target"] = scenario.target.model_copy(update=target)
        if self.duration_ns is not None:
            update["phases"] = _stretched(scenario.phases, self.duration_ns)
        return scenario.model_copy(update=update)

    def option(self, path: KeyPath) -> str | None:
        """The option that decides the value at a path, ``--rate``; None when the file does."""
        return next(
            (
                f"--{name.replace('_', '-')}"
                for name, at in _OPTIONS.items()
                if at == path and getattr(self, name) is not None
            ),
            None,
        )


NO_OVERRIDES = Overrides()


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _stretched(phases: tuple[Phase, ...], steady_ns: int) -> tuple[Phase, ...]:
    """The phases with the steady ones scaled so that their lengths add up to ``steady_ns``, exactly.

    Their ends are rounded, not their lengths, so that no rounding adds up: 100 ns over three equal phases is
    33 + 34 + 33.
    """
    before = sum(phase.duration for phase in phases if phase.kind == "steady")
    stretched, passed, end_ns = [], 0, 0
    for phase in phases:
        if phase.kind == "steady":
            passed += phase.duration
            start_ns, end_ns = end_ns, (2 * passed * steady_ns + before) // (2 * before)
            if end_ns == start_ns:
                raise UsageError("--duration: too short to be shared among the steady phases")
            phase = phase.model_copy(update={"duration": end_ns - start_ns})
        stretched.append(phase)
    return tuple(stretched)
