"""N users, each sending again when it is answered; every answer takes d: ``X = N / (d + z)`` a second (Little 1961).

z is the client's own time from an answer to the next send: none in truth, so that only less than N / d is possible.
"""

from __future__ import annotations

from benchmarks.truth.record import Record
from benchmarks.truth.truth import CLIENT_MS, TIMER_MS, Figure, Truth, times

USERS, DELAY_MS = 10, 100
TURN_MS = 0.5
"""What client and server together take for one of them; all may come at the same time, and then have their turns."""


def figures(record: Record) -> list[Figure]:
    """Throughput, and the delay."""
    true = 1000 * USERS / DELAY_MS
    slowest = 1000 * USERS / (DELAY_MS + TIMER_MS + CLIENT_MS + USERS * TURN_MS)
    throughput = Figure(
        "throughput /s",
        ("series", "GET /", "throughput_per_s"),
        true,
        true - slowest,
        0,
        record.requests / record.seconds,
    )
    return [throughput, *times(lambda _: DELAY_MS, record, (50, 95), above=lambda _: USERS * TURN_MS)]


CLOSED = Truth(
    f"closed loop, {USERS} users",
    ("delay", f"{DELAY_MS}", "0"),
    "PASS",
    figures,
    objective="throughput > 80/s",
    users=USERS,
)
