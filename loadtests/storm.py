"""Storms: which connections one hits, the same in every process, and when."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence

from loadtests.books import Books
from loadtests.connection import Connection
from loadtests.duration import NS_PER_S
from loadtests.job import Job
from loadtests.swarmspec import Swarm

__all__ = ["TROUBLE_NS", "strike", "struck"]

TROUBLE_NS = 30 * NS_PER_S
"""For how long the deliveries to those that were spared are looked at by themselves."""


def struck(swarm: Swarm, seed: int, index: int) -> frozenset[int]:
    """Numbers of the connections that the ``index``-th storm hits; a restart of the server hits them all."""
    storm, whole = swarm.storms[index], range(sum(member.count for member in swarm.members))
    if storm.how == "restart":
        return frozenset(whole)
    draw = random.Random(f"{seed} storm {index}")  # noqa: S311 -- a plan, no secret
    return frozenset(draw.sample(whole, round(storm.share * len(whole))))


async def strike(job: Job, t0_ns: int, books: Books, connections: Sequence[Connection], index: int) -> None:
    """Let the ``index``-th storm hit its part of a process's connections when it is time."""
    storm = job.scenario.swarm.storms[index]
    while (left_ns := t0_ns + storm.at - time.monotonic_ns()) > 0:  # a loop's timer may be early by its tick
        await asyncio.sleep(left_ns / NS_PER_S)
    until_ns = time.monotonic_ns() + TROUBLE_NS
    trouble = books.deliveries.troubled(until_ns)
    chosen = struck(job.scenario.swarm, job.scenario.seed, index)
    mine = [connection for connection in connections if connection.number in chosen]
    taken = sum(connection.strike(trouble, until_ns, how=storm.how) for connection in mine)
    missed = f"; {len(mine) - taken} more were not connected" if taken < len(mine) else ""
    text = f"{taken} connections were lost at once ({storm.how}){missed}"
    books.events.append({"kind": "storm", "text": text})
