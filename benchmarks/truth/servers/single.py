"""A single server, first come first served, of exponential service: ``... servers.single PORT RATE_PER_S SEED``.

Its service is a timer on an absolute clock: a request is due when the one before it is due, or when it came, whichever
is later, and its own service time on top. A timer that fires late delays that answer alone, and nothing behind it.
"""

import random
import sys

from benchmarks.truth.servers.answer import Service, serve


def single_server(rate_per_s: float, seed: int) -> Service:
    """Lindley's recursion: ``due_n = max(due_{n-1}, came_n) + service_n``."""
    draw = random.Random(seed)
    free_s = 0.0

    def service(_: int, came_s: float) -> tuple[float, int]:
        nonlocal free_s
        free_s = max(free_s, came_s) + draw.expovariate(rate_per_s)
        return free_s, 200

    return service


if __name__ == "__main__":
    serve(int(sys.argv[1]), single_server(float(sys.argv[2]), int(sys.argv[3])))
