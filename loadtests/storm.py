"""Which connections a storm hits, the same in every process."""

from __future__ import annotations

import random

from loadtests.duration import NS_PER_S
from loadtests.swarmspec import Swarm

__all__ = ["TROUBLE_NS", "struck"]

TROUBLE_NS = 30 * NS_PER_S
"""For how long the deliveries to those that were spared are looked at by themselves."""


def struck(swarm: Swarm, seed: int, index: int) -> frozenset[int]:
    """Numbers of the connections that the ``index``-th storm hits; a restart of the server hits them all."""
    storm, whole = swarm.storms[index], range(sum(member.count for member in swarm.members))
    if storm.how == "restart":
        return frozenset(whole)
    draw = random.Random(f"{seed} storm {index}")  # noqa: S311 -- a plan, no secret
    return frozenset(draw.sample(whole, round(storm.share * len(whole))))
