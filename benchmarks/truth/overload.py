"""More comes than a server can do: l evenly spaced arrivals a second, each taking it exactly 1 / c, with c below l.

It begins with the first request that reaches it, b after that was due, and is never idle again. So the k-th answer,
from 0, is due at b + (k + 1) / c, and its request was due at k / l: who is due at t waits b + 1 / c + t (l / c - 1),
longer and longer, in a straight line. Over the steady state, from w to w + T, the p-quantile is that at ``w + p T``. b
is from the server's record: what a generator is late by at the very start, such a queue never makes good.

Of N users all are always waiting: by Little's law, ``N = c R``, each spends ``R = N / c`` from send to answer (Little
1961; the interactive response time law with no think time).
"""

from __future__ import annotations

from benchmarks.truth.record import Record
from benchmarks.truth.truth import CLIENT_MS, WARM_UP_S, Figure, Truth, renamed, times

ARRIVALS_PER_S, CAPACITY_PER_S, FEW = 100, 95, 20


def wait_ms(at_s: float) -> float:
    """How long somebody waits who is due so long after the first, if that one was there when it was due."""
    return 1000 * (1 / CAPACITY_PER_S + at_s * (ARRIVALS_PER_S / CAPACITY_PER_S - 1))


def figures(record: Record) -> list[Figure]:
    """Response times; one arrival more or less is the error of a rank."""
    rank_ms = wait_ms(1 / ARRIVALS_PER_S) - wait_ms(0)
    return times(
        lambda p: record.first_ms + wait_ms(WARM_UP_S + p * record.seconds),
        record,
        below=lambda _: rank_ms,
        above=lambda _: rank_ms,
    )


def capped(record: Record) -> list[Figure]:
    """And what those few users see who are sent: a user is away from the server for as long as the client takes."""
    service = times(lambda _: 1000 * FEW / CAPACITY_PER_S, record, (50,), kind="service_ms", below=lambda _: CLIENT_MS)
    return figures(record) + renamed(service, ", from the send")


def overload(name: str, users: int, verdict: str) -> Truth:
    """The same server under the same arrivals."""
    return Truth(
        f"overload, {name}",
        ("single", f"{CAPACITY_PER_S}", "0"),
        verdict,
        capped if users == FEW else figures,
        objective="p95 < 500ms",
        rate_per_s=ARRIVALS_PER_S,
        users=users,
    )


OVERLOAD = overload("a user for each", 400, "FAIL")
OVERLOAD_FEW = overload(f"{FEW} users", FEW, "INVALID")
"""Timed from the send, p95 holds; from the moment that was intended, it is six times the limit."""
