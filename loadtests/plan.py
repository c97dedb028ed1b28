"""When each arrival is due: a pure function of the load model, the seed and the shard.

An open model offers arrivals at a rate that completions cannot slow down; a closed model is a fixed population that
waits for its replies. They are different types, and only the open one has a plan of arrivals.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from loadtests.duration import NS_PER_S

__all__ = ["Arrivals", "ClosedModel", "ClosedStage", "OpenModel", "Plan", "Stage"]

Arrivals = Literal["constant", "poisson"]
_CHUNK = 8192


@dataclass(frozen=True)
class Stage:
    """A stretch of an open model: the offered rate goes in a straight line from one value to another."""

    duration_ns: int
    start_per_s: float
    end_per_s: float

    @property
    def arrivals(self) -> float:
        """Expected number of arrivals: the area under the rate."""
        return (self.start_per_s + self.end_per_s) / 2 * self.duration_ns / NS_PER_S

    def invert(self, area: NDArray[np.float64]) -> NDArray[np.float64]:
        """Seconds into the stage at which ``area`` arrivals were expected.

        Solves ``a t + (b - a) t^2 / (2 D) = area`` for t, in the form that does not cancel:
        ``t = 2 area / (a + sqrt(a^2 + 2 (b - a) area / D))``.
        """
        a, b, d = self.start_per_s, self.end_per_s, self.duration_ns / NS_PER_S
        root = a + np.sqrt(np.maximum(a * a + 2 * (b - a) * area / d, 0.0))
        return np.divide(2 * area, root, out=np.zeros_like(area), where=root > 0)


@dataclass(frozen=True)
class OpenModel:
    """Arrivals at an offered rate, evenly spaced or as a Poisson process."""

    stages: tuple[Stage, ...]
    arrivals: Arrivals = "poisson"

    @property
    def duration_ns(self) -> int:
        """Length of all stages together."""
        return sum(stage.duration_ns for stage in self.stages)

    @property
    def expected(self) -> float:
        """Expected number of arrivals over all stages."""
        return sum(stage.arrivals for stage in self.stages)


@dataclass(frozen=True)
class ClosedStage:
    """A stretch of a closed model: so many users, each sending again when it is answered."""

    duration_ns: int
    users: int


@dataclass(frozen=True)
class ClosedModel:
    """A fixed population; response time from an intended start does not exist here, and runs say so."""

    stages: tuple[ClosedStage, ...]

    @property
    def duration_ns(self) -> int:
        """Length of all stages together."""
        return sum(stage.duration_ns for stage in self.stages)


@dataclass(frozen=True)
class Plan:
    """Intended start offsets of one shard of an open model.

    constant: arrival k of the whole is due when the expected count reaches k, and shard w of W takes k = w mod W, so
    the shards' union is the whole plan, exactly. poisson: each shard draws its own process at 1/W of the rate; the
    superposition of independent Poisson processes is the Poisson process of the whole. Nothing here looks at a clock:
    an overrun cannot move what is still to come.
    """

    model: OpenModel
    seed: int
    shard: int = 0
    shards: int = 1

    def chunks(self) -> Iterator[NDArray[np.int64]]:
        """Offsets in ns from the start of the model, ascending, in arrays of bounded length."""
        ends = np.cumsum([stage.arrivals for stage in self.model.stages])
        if not ends.size:
            return
        starts_ns = np.cumsum([0, *(stage.duration_ns for stage in self.model.stages)])
        for area in self._areas(float(ends[-1])):
            offsets = np.empty(area.size, dtype=np.int64)
            which = np.minimum(np.searchsorted(ends, area, side="right"), len(self.model.stages) - 1)
            for i, stage in enumerate(self.model.stages):
                inside = which == i
                seconds = stage.invert(area[inside] - (ends[i] - stage.arrivals))
                offsets[inside] = starts_ns[i] + np.rint(seconds * NS_PER_S).astype(np.int64)
            yield offsets

    def _areas(self, total: float) -> Iterator[NDArray[np.float64]]:
        """Expected counts at which this shard's arrivals fall, below ``total``."""
        if self.model.arrivals == "constant":
            last = math.ceil(total - max(1e-9, 1e-12 * total))  # a sum's last digits are rounding, no arrival
            for start in range(self.shard, last, _CHUNK * self.shards):
                yield np.arange(start, min(last, start + _CHUNK * self.shards), self.shards, dtype=np.float64)
            return
        random = np.random.default_rng([self.seed, self.shard, self.shards])
        reached = 0.0
        while reached < total:
            area = reached + np.cumsum(random.exponential(self.shards, _CHUNK))
            reached = float(area[-1])
            yield area[area < total]

    def dues_ns(self, t0_ns: int) -> Iterator[int]:
        """When each arrival is due, ascending, of a model that starts at ``t0_ns``."""
        for chunk in self.chunks():
            yield from (chunk + t0_ns).tolist()

    def offsets_ns(self) -> NDArray[np.int64]:
        """All offsets at once, shape (planned,); for tests and short plans."""
        return np.concatenate([np.empty(0, dtype=np.int64), *self.chunks()])

    def fingerprint(self) -> tuple[int, str]:
        """Planned count and a hash of every offset: two runs with the same hash had the same plan."""
        digest, planned = hashlib.sha256(), 0
        for chunk in self.chunks():
            digest.update(chunk.tobytes())
            planned += chunk.size
        return planned, digest.hexdigest()[:16]
