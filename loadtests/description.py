"""What a run says of itself: its load in words, its phases, and where it ran."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from loadtests.advice import advise
from loadtests.duration import NS_PER_S
from loadtests.foreign import unused_proxy
from loadtests.header import PhaseSpan, RunHeader
from loadtests.objective import Kind, Objective
from loadtests.plan import OpenModel, Plan
from loadtests.redaction import Redactor
from loadtests.scenario import Phase, Scenario
from loadtests.scenariofile import dump_scenario
from loadtests.series import is_swarm

__all__ = ["advice", "commit", "host", "load_in_words", "phase_spans", "run_header", "versions"]

_PACKAGES = ("nexus-loadtests", "locust", "gevent", "geventhttpclient", "aiohttp", "uvloop", "hdrhistogram", "numpy")


def run_header(scenario: Scenario, run_id: str, command: str, processes: int, redact: Redactor) -> RunHeader:
    """Everything about a run that is known before it starts, but for its start itself."""
    model, objectives = scenario.load_model(), scenario.parsed_objectives()
    planned, plan_hash = None, ""
    if isinstance(model, OpenModel) and scenario.users:
        prints = [Plan(model, scenario.seed, shard, processes).fingerprint() for shard in range(processes)]
        planned, plan_hash = sum(count for count, _ in prints), "+".join(digest for _, digest in prints)
    return RunHeader(
        name=scenario.name,
        run_id=run_id,
        started_wall_s=0.0,
        t0_ns=0,
        target=redact(scenario.target.url),
        model=scenario.load.model,
        load=load_in_words(scenario),
        users=scenario.load.users if scenario.users else 0,
        seed=scenario.seed,
        phases=phase_spans(scenario),
        objectives=tuple({"text": o.text, "series": o.series, "scope": o.scope} for o in objectives),
        planned=planned,
        plan_hash=plan_hash,
        connections=sum(member.count for member in scenario.swarm.members),
        timeout_s=scenario.load.timeout / NS_PER_S,
        command=shlex.join(map(redact, shlex.split(command))),  # or a header would take the rest with it
        commit=commit(),
        versions=versions(),
        host=host(),
        scenario=_redacted(dump_scenario(scenario), redact),
        advice=tuple(advice(scenario, objectives)),
    )


def _redacted(value: Any, redact: Redactor) -> Any:
    """A dump with every text in it redacted: a URL may hold a token that no table calls a secret."""
    if isinstance(value, dict):
        return {key: _redacted(each, redact) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(each, redact) for each in value]
    return redact(value) if isinstance(value, str) else value


def load_in_words(scenario: Scenario) -> str:
    """``open model, 120 arrivals/s (Poisson), at most 120 users, 60 WebSocket connections``."""
    load, connections = scenario.load, sum(member.count for member in scenario.swarm.members)
    parts = []
    if scenario.users and load.model == "open":
        arrivals = "Poisson" if load.arrivals == "poisson" else "evenly spaced"
        parts = ["open model", f"{load.rate or 0:g} arrivals/s ({arrivals})", f"at most {load.users:,} users"]
    elif scenario.users:
        parts = ["closed model", f"{load.users:,} users, each sending again when it is answered"]
    if connections:
        parts.append(f"{connections:,} WebSocket connections")
    return ", ".join(parts)


def phase_spans(scenario: Scenario) -> tuple[PhaseSpan, ...]:
    """The phases on the run's own clock."""
    spans, start_s = [], 0.0
    for phase in scenario.phases:
        end_s = start_s + phase.duration / NS_PER_S
        spans.append(PhaseSpan(phase.name or phase.kind, phase.kind, start_s, end_s, _phase_load(scenario, phase)))
        start_s = end_s
    return tuple(spans)


def _phase_load(scenario: Scenario, phase: Phase) -> str:
    """``120/s``, ``0 to 120/s`` or ``50 users``; nothing where there is a swarm alone."""
    if not scenario.users:
        return ""
    if scenario.load.model == "closed":
        return f"{max(1, round(scenario.load.users * phase.rate)):,} users"
    rate = scenario.load.rate or 0.0
    to = f"{rate * phase.rate:g}/s"
    return to if phase.rate_from is None else f"{rate * phase.rate_from:g} to {to}"


def advice(scenario: Scenario, objectives: list[Objective]) -> Iterator[str]:
    """What the plan is too short to decide, said before the load; and that no proxy is used, where one is named.

    The requests of a single series are not known beforehand: for those the whole rate is taken, so that what is said
    to be too little certainly is.
    """
    steady_s = sum(phase.duration for phase in scenario.phases if phase.kind == "steady") / NS_PER_S
    model = scenario.load_model()
    for objective in objectives:
        if objective.kind not in (Kind.LATENCY, Kind.GAP, Kind.SHARE, Kind.LEAST) or objective.budget is None:
            continue
        expected = 1e12
        if isinstance(model, OpenModel) and not is_swarm(objective.series) and objective.metric != "lost":
            stages = zip(scenario.phases, model.stages, strict=True)
            expected = sum(stage.arrivals for phase, stage in stages if phase.kind == "steady")
        where = f"{objective.text} [{objective.series}]"
        said = advise(where, objective.budget, objective.kind in (Kind.LATENCY, Kind.GAP), expected, steady_s)
        if said:
            yield said
    if said := unused_proxy(scenario.target.url):
        yield said


def commit() -> str:
    """Short hash of the checkout one stands in; empty outside of one."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"],  # noqa: S607 -- whichever git
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""


def versions() -> dict[str, str]:
    """Of the packages that decide what is measured."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def host() -> dict[str, str]:
    """The machine, without its name."""
    return {"system": f"{platform.system()} {platform.release()}", "machine": platform.machine(), "cores": _cores()}


def _cores() -> str:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return str(usable)
