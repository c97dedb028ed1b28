"""A server that stands still for S in every T seconds, under evenly spaced arrivals.

A request that comes a while after the stall began waits for its rest, so ``P(response > x) = (S - x) / T`` and the
p-quantile is ``S - (1 - p) T`` where that is above zero (the formula of docs/measurement.md, with a service time of 0).
Whoever waits in line is then served in turn: with a cost per request of c at rate r the quantile is
``S - (1 - p) T (1 - r c)``, higher by ``(1 - p) T r c``.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.truth.record import Record
from benchmarks.truth.truth import Figure, Truth, times

STALL_S, EVERY_S, RATE_PER_S = 1.0, 5.0, 200
COST_S = 0.0005
"""What a request may cost server and client together while the line is served, one after the other."""


def quantile_ms(p: float, stalls_s: Sequence[float] = (STALL_S,), seconds: float = EVERY_S) -> float:
    """The p-quantile in ms of waiting for stalls in so many seconds: where ``sum(max(0, S_i - x)) = (1 - p) T``."""
    low, high = 0.0, max(stalls_s)
    for _ in range(60):
        middle = (low + high) / 2
        if sum(max(0.0, stall_s - middle) for stall_s in stalls_s) > (1 - p) * seconds:
            low = middle
        else:
            high = middle
    return 1000 * high


def figures(record: Record) -> list[Figure]:
    """Percentiles; the spacing of the arrivals is the error below, the cost of serving the line that above."""
    spacing_ms = 1000 / RATE_PER_S
    return times(
        quantile_ms,
        record,
        (90, 95, 99, 99.9),
        below=lambda _: spacing_ms,
        above=lambda p: spacing_ms + 1000 * (1 - p) * EVERY_S * RATE_PER_S * COST_S,
    )


STALL = Truth(
    "stall, a user for each",
    ("stall", f"{STALL_S:g}", f"{EVERY_S:g}"),
    "FAIL",
    figures,
    objective="p95 < 500ms",
    rate_per_s=RATE_PER_S,
    users=400,
    peers=True,
)
"""Everyone who comes during a stall is sent at once: send-based times see most of it."""

STALL_FEW = Truth(
    "stall, 20 users",
    ("stall", f"{STALL_S:g}", f"{EVERY_S:g}"),
    "INVALID",
    figures,
    objective="p95 < 500ms",
    rate_per_s=RATE_PER_S,
    users=20,
    peers=True,
)
"""Of 200 who come during a stall 20 are sent, 2 % of all: what is timed from the send is blind to it at p95. The
response time is as before; as the cap on users is what decides, the verdict is the generator's fault."""
