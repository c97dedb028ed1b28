"""Serves an exact share of the requests badly: ``... servers.share PORT BAD OF SLOW_MS STATUS SPREAD_MS``.

Of every OF requests in a row, BAD, evenly spread and none at either end, are answered after SLOW_MS with STATUS, all
others well and after a while that fills 0 to SPREAD_MS evenly.
"""

import sys

from benchmarks.truth.servers.answer import Service, serve
from benchmarks.truth.servers.delay import GOLDEN
from loadtests.nullserver import is_bad


def share(bad: int, of: int, slow_ms: float, status: int, spread_ms: float) -> Service:
    """The bad ones are slow, or fail, or both."""

    def service(number: int, came_s: float) -> tuple[float, int]:
        if is_bad(number, bad, of):
            return came_s + slow_ms / 1000, status
        return came_s + spread_ms / 1000 * (number * GOLDEN % 1.0), 200

    return service


if __name__ == "__main__":
    port, bad, of, slow_ms, status, spread_ms = sys.argv[1:]
    serve(int(port), share(int(bad), int(of), float(slow_ms), int(status), float(spread_ms)))
