"""The scenario of ``loadtests swarm URL``: listen to what a server broadcasts, or to its echoes, all accounted for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from loadtests.duration import NS_PER_S
from loadtests.errors import UsageError
from loadtests.objective import parse_objective
from loadtests.scenario import Load, ObjectiveGroup, Phase, Scenario, Target, WitnessProbes
from loadtests.series import DELIVER
from loadtests.swarmspec import Member, Swarm

__all__ = ["DEFAULT_ADAPTER", "DEFAULT_OBJECTIVES", "swarm_scenario"]

DEFAULT_OBJECTIVES = ("lost == 0", "connected >= 99%")
"""All that was due came, to connections that were there."""
DEFAULT_ADAPTER = "json:seq=seq,sent_ns=sent_ns,channel=channel"
NO_SECRETS: Mapping[str, str] = {}
GUARD_NS, DRAIN_NS = 2 * NS_PER_S, 5 * NS_PER_S


def swarm_scenario(
    url: str,
    connections: int,
    connect_per_s: float,
    duration_ns: int,
    settings: dict[str, object],
    objectives: tuple[str, ...],
    *,
    tls_verify: bool = True,
    echo_per_s: float | None = None,
    secrets: Mapping[str, str] = NO_SECRETS,
) -> Scenario:
    """The scenario of it: they all connect in the warm-up, and are judged from the moment at which everybody hears.

    With ``echo_per_s`` each connection sends so often, and what comes back is accounted for.

    Raises:
        UsageError: when the URL is none of a WebSocket.

    """
    parts = _parts(url)
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    warm_up_ns = math.ceil(connections / connect_per_s) * NS_PER_S + GUARD_NS + NS_PER_S  # whole: so is what is judged
    members: dict[str, object] = {"class": "loadtests.broadcastmember:BroadcastMember", "count": connections}
    if echo_per_s is not None:
        members |= {"class": "loadtests.echomember:EchoMember", "rate": echo_per_s}
    timed = any(parse_objective(text).limit_ns is not None for text in objectives)
    return Scenario(
        name="swarm",
        target=Target(url=f"http{parts.scheme[2:]}://{parts.netloc}", tls_verify=tls_verify),
        load=Load(timeout=10 * NS_PER_S),
        phases=(Phase(kind="warm-up", duration=warm_up_ns), Phase(kind="steady", duration=duration_ns)),
        swarm=Swarm(
            members=(Member.model_validate(members),),
            connect_rate=connect_per_s,
            guard=GUARD_NS,
            drain=DRAIN_NS,
        ),
        witness=WitnessProbes(enabled=echo_per_s is None and timed),  # its connections come on top of those asked for
        objectives=(ObjectiveGroup(must=objectives, series=DELIVER),),
        secrets={name: SecretStr(value) for name, value in secrets.items()},
        settings={"url": url, "path": path, **settings},
    )


def _parts(url: str) -> SplitResult:
    expected = "expected ws://HOST[:PORT]/PATH or wss://..."
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f'"{url}": {expected} ({error})') from None
    if parts.username is not None:
        raise UsageError(f"{expected}, without user and password; a credential is a --header")
    if parts.scheme not in ("ws", "wss") or not host:
        raise UsageError(f'"{url}": {expected}')
    return parts
