"""A single server, first come first served: ``... servers.single PORT RATE_PER_S SEED``.

Service is exponential, with SEED 0 constant, and a timer on an absolute clock: a request is due when the one before it
is due, or when it came, whichever is later, and its own service time on top. A timer that fires late delays that answer
alone, and nothing behind it.
"""

import random
import sys
from collections.abc import Callable

from benchmarks.truth.servers.answer import Service, serve


def service_s(rate_per_s: float, seed: int) -> Callable[[], float]:
    """Exponential service times of that rate, or the constant ``1 / rate``."""
    draw = random.Random(seed)
    return (lambda: draw.expovariate(rate_per_s)) if seed else (lambda: 1 / rate_per_s)


def single_server(next_s: Callable[[], float]) -> Service:
    """Lindley's recursion: ``due_n = max(due_{n-1}, came_n) + service_n``."""
    free_s = 0.0

    def service(_: int, came_s: float) -> tuple[float, int]:
        nonlocal free_s
        free_s = max(free_s, came_s) + next_s()
        return free_s, 200

    return service


if __name__ == "__main__":
    serve(int(sys.argv[1]), single_server(service_s(float(sys.argv[2]), int(sys.argv[3]))))
