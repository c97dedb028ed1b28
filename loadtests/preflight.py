"""What is refused before any load: a plan too steep or too wide, a target or its promises not there, no directory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loadtests.contract import Contract
from loadtests.errors import RunError, ScenarioError, TargetError, UsageError
from loadtests.framesample import FrameSample
from loadtests.graphqlcontract import GraphQLContract
from loadtests.hostlimits import connection_limits, connections_of, raise_open_files
from loadtests.plan import OpenModel
from loadtests.promises import Promises
from loadtests.scenario import ContractCheck, Scenario
from loadtests.target import answers, fetch, is_taken, refuses

__all__ = ["claim", "read_promises", "require_answer", "require_free", "require_modest", "require_room"]


def require_free(port: int | None) -> None:
    """The web page's port must be free."""
    if port is not None and is_taken(port):
        raise UsageError(f"port {port} is taken by another program; name a free one with --ui-port")


def require_modest(scenario: Scenario) -> None:
    """The plan must stay under the cap on the offered rate."""
    model = scenario.load_model()
    if isinstance(model, OpenModel):
        peak = max(max(stage.start_per_s, stage.end_per_s) for stage in model.stages)
        if peak > scenario.target.max_rate:
            raise TargetError(
                f"the plan peaks at {peak:g} arrivals/s, above the cap of {scenario.target.max_rate:g}/s; "
                "raise target.max_rate (or --max-rate) if the target may take that"
            )


def require_room(scenario: Scenario, processes: int) -> None:
    """The machine must let the swarm have its connections; what a process may do about that itself is done."""
    connections = connections_of(scenario)
    if not connections:
        return
    raise_open_files()
    for limit in connection_limits(scenario, processes):
        if not limit.ok:
            raise UsageError(
                f"{connections:,} connections do not fit this machine: {limit.name}: {limit.value}; mend it with "
                f"{limit.command} or share them among more processes or machines"
            )


async def require_answer(scenario: Scenario) -> None:
    """The target must answer once; one that is asked for WebSockets alone need not speak anything else."""
    target = scenario.target
    url = scenario.settings.get("url") or target.url.rstrip("/") + (target.check or "/")
    if scenario.users or target.check:
        problem = await asyncio.to_thread(answers, str(url), tls_verify=target.tls_verify)
    else:
        problem = await asyncio.to_thread(refuses, target.url)
    if problem and "CERTIFICATE_VERIFY_FAILED" in problem:
        raise TargetError(
            f"the certificate of {url} is not trusted: {problem}; name its authority's file in the environment "
            "as SSL_CERT_FILE, or do not verify it: --insecure with --url, tls_verify = false in a scenario"
        )
    if problem:
        raise TargetError(f"the target does not answer at {url}: {problem}; start it, or name another URL")


async def read_promises(scenario: Scenario) -> Promises:
    """Read every document, and try whether answers can be held against it.

    Raises:
        TargetError: when one is not there, or is not what it should be.
        ScenarioError: when a file of the scenario is not.

    """
    check = scenario.contract
    if check is None:
        return Promises()
    return Promises(
        await _openapi(scenario, check) if check.openapi else None,
        await _graphql(scenario, check) if check.graphql else None,
        _messages(scenario.folder / check.messages, check) if check.messages else None,
    )


async def _openapi(scenario: Scenario, check: ContractCheck) -> Mapping[str, Any]:
    url, text = await _fetched(scenario, check.openapi)
    try:
        document: dict[str, Any] = json.loads(text)
        Contract(document)
    except ValueError as error:
        raise TargetError(f"{url} is no OpenAPI document: {error}") from None
    return document


async def _graphql(scenario: Scenario, check: ContractCheck) -> str:
    where = check.graphql_schema
    if where.startswith("/"):
        where, raw = await _fetched(scenario, where)
    else:
        raw = (scenario.folder / where).read_bytes()
    try:
        text = raw.decode()
        GraphQLContract(text)
    except (TargetError, UnicodeDecodeError) as error:
        raise TargetError(f"{where} cannot be used as a contract: {error}") from None
    return text


def _messages(path: Path, check: ContractCheck) -> Mapping[str, Any]:
    try:
        schema: Mapping[str, Any] = json.loads(path.read_bytes())
        FrameSample(schema, check.sample, 0)
    except (OSError, ValueError, ScenarioError) as error:
        raise ScenarioError(f"{path}: {error}") from None
    return schema


async def _fetched(scenario: Scenario, path: str) -> tuple[str, bytes]:
    url = scenario.target.url.rstrip("/") + path
    return url, await asyncio.to_thread(fetch, url, tls_verify=scenario.target.tls_verify)


def claim(directory: Path) -> None:
    """Make the run directory, before anything is started for it."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        probe = directory / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        reason = error.strerror or error
        raise RunError(f"cannot write the run directory {directory}: {reason}; name another with --out") from None
    if (directory / "run.json").exists():
        raise RunError(f"{directory} already holds a run; name another directory with --out")
