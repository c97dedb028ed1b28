"""Seeded streams of requests whose true bad fraction is an exact formula."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.signal import lfilter

BUCKET_WIDTH = 0.01  # relative, ten times as coarse as the harness's own histogram


@dataclass(frozen=True)
class QueueRun:
    """One run of an M/M/1 first-come-first-served queue in its stationary state: full seconds only.

    Response times are Exp(mu - lambda), so the bad fraction at limit L is exp(-(mu - lambda) L), whatever the
    dependence between neighbours.
    """

    seconds: int
    second: np.ndarray
    response_s: np.ndarray

    @cached_property
    def counts(self):
        """Requests per second."""
        return np.bincount(self.second, minlength=self.seconds)

    @property
    def slow_counts(self):
        """Requests per second and occupied bucket of response time, ascending; megabytes, so they are not kept."""
        bucket = np.floor(np.log(self.response_s) / np.log1p(BUCKET_WIDTH)).astype(np.int64)
        _, column = np.unique(bucket, return_inverse=True)
        width = int(column.max()) + 1
        return np.bincount(self.second * width + column, minlength=self.seconds * width).reshape(self.seconds, width)

    def bad(self, limit_s):
        """Requests per second that took longer than the limit."""
        return np.bincount(self.second[self.response_s > limit_s], minlength=self.seconds)


def mm1_limit_s(service_rate, utilisation, budget):
    """Return the limit that exactly the budget exceeds: -ln B / (mu - lambda)."""
    return -np.log(budget) / (service_rate * (1 - utilisation))


def mm1_run(rng, service_rate, utilisation, seconds):
    """Simulate a queue by Lindley's recursion W' = max(0, W + S - A), written as a running minimum of a random walk."""
    rate = service_rate * utilisation
    n = int(rate * seconds + 6 * np.sqrt(rate * seconds)) + 10
    gaps = rng.exponential(1 / rate, n)
    services = rng.exponential(1 / service_rate, n)
    first_wait = rng.exponential(1 / (service_rate - rate)) if rng.random() < utilisation else 0.0
    walk = first_wait + np.concatenate(([0.0], np.cumsum(services[:-1] - gaps[1:])))
    waits = walk - np.minimum(0.0, np.minimum.accumulate(walk))
    arrivals = np.cumsum(gaps)
    kept = arrivals < seconds
    assert not kept[-1], "the stream is too short for the run"
    return QueueRun(seconds, arrivals[kept].astype(np.int64), (waits + services)[kept])


def modulated_run(rng, rate, budget, seconds, memory, strength):
    """Return requests and bad ones per second: Poisson arrivals, each bad with p_t = B exp(s x_t - s^2 / 2).

    x_t is a stationary AR(1) series of variance 1 with lag-one correlation ``memory``, so E p_t = B exactly (p_t is
    capped at 1, which at these strengths never happens).
    """
    noise = rng.normal(size=seconds) * np.sqrt(1 - memory**2)
    noise[0] = rng.normal()
    x = lfilter([1.0], [1.0, -memory], noise)
    p = np.minimum(1.0, budget * np.exp(strength * x - strength**2 / 2))
    counts = rng.poisson(rate, seconds)
    return counts, rng.binomial(counts, p)
