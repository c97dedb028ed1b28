"""Holds every request for a while of its own: ``... servers.delay PORT MEDIAN_MS SIGMA``; SIGMA 0 is a fixed delay.

The n-th delay is the quantile of a lognormal distribution at the fractional part of n times the golden ratio. These
points fill the unit interval evenly, so that any run of n of them has the distribution to within about ln(n) / n.
"""

import sys
from math import exp, sqrt
from statistics import NormalDist

from benchmarks.truth.servers.answer import Service, serve

GOLDEN = (sqrt(5) - 1) / 2


def delays(median_ms: float, sigma: float) -> Service:
    """``median exp(sigma z)``, z a standard normal quantile."""
    normal = NormalDist()

    def service(number: int, came_s: float) -> tuple[float, int]:
        z = normal.inv_cdf((0.5 + number * GOLDEN) % 1.0 or 0.5)
        return came_s + median_ms / 1000 * exp(sigma * z), 200

    return service


if __name__ == "__main__":
    serve(int(sys.argv[1]), delays(float(sys.argv[2]), float(sys.argv[3])))
