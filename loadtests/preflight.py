"""What is refused before any load: a plan too steep, a target that is not there, a directory that cannot be written."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from loadtests.contract import Contract
from loadtests.errors import RunError, TargetError, UsageError
from loadtests.plan import OpenModel
from loadtests.scenario import Scenario
from loadtests.target import answers, fetch, is_taken

__all__ = ["claim", "read_contract", "require_answer", "require_free", "require_modest"]


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


async def require_answer(scenario: Scenario) -> None:
    """The target must answer once."""
    target = scenario.target
    url = scenario.settings.get("url") or target.url.rstrip("/") + (target.check or "/")
    problem = await asyncio.to_thread(answers, str(url), tls_verify=target.tls_verify)
    if problem and "CERTIFICATE_VERIFY_FAILED" in problem:
        raise TargetError(
            f"the certificate of {url} is not trusted: {problem}; name its authority's file in the environment "
            "as SSL_CERT_FILE, or do not verify it: --insecure with --url, tls_verify = false in a scenario"
        )
    if problem:
        raise TargetError(f"the target does not answer at {url}: {problem}; start it, or name another URL")


async def read_contract(scenario: Scenario) -> dict[str, Any] | None:
    """The target's OpenAPI document, where the scenario asks for it; one that answers can be held against."""
    if scenario.contract is None:
        return None
    target = scenario.target
    url = target.url.rstrip("/") + scenario.contract.openapi
    text = await asyncio.to_thread(fetch, url, tls_verify=target.tls_verify)
    try:
        document: dict[str, Any] = json.loads(text)
        Contract(document)
    except ValueError as error:
        raise TargetError(f"{url} is no OpenAPI document: {error}") from None
    return document


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
