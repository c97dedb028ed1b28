"""An exact share of the requests fails, hangs, or is slow: of every so many in a row, so many.

Over a whole number of such rows the count is the share exactly; nothing is left to chance. A slow tail of 3 % keeps
``p95 < limit`` and one of 6 % breaks it, whatever else is true.
"""

from __future__ import annotations

from benchmarks.truth.record import Record
from benchmarks.truth.truth import Figure, Truth

RATE_PER_S, LIMIT_MS, TIMEOUT_MS = 150, 200, 1000


def failing(bad: int, of: int, verdict: str, objective: str) -> Truth:
    """So many of so many are answered with 500: counted exactly."""
    return Truth(
        f"errors, {bad} in {of}",
        ("share", f"{bad}", f"{of}", "0", "500", "0"),
        verdict,
        lambda record: [
            Figure(
                "errors", ("series", "GET /", "errors"), bad * record.seconds * RATE_PER_S / of, 0, 0, record.failed
            ),
            Figure("requests", ("series", "GET /", "count"), record.seconds * RATE_PER_S, 0, 0, record.requests),
        ],
        objective=objective,
        rate_per_s=RATE_PER_S,
    )


def hanging(bad: int, of: int, verdict: str) -> Truth:
    """So many of so many are not answered in time: each is a time-out, and each time-out an error."""

    def figures(record: Record) -> list[Figure]:
        n = bad * record.seconds * RATE_PER_S / of
        held = sum(held_ms > TIMEOUT_MS for held_ms in record.held_ms)
        return [Figure(what, ("series", "GET /", what), n, server=held) for what in ("timeouts", "errors")]

    return Truth(
        f"no answer, {bad} in {of}",
        ("share", f"{bad}", f"{of}", f"{3 * TIMEOUT_MS // 2}", "200", "0"),
        verdict,
        figures,
        load=("--timeout", f"{TIMEOUT_MS}ms"),
        objective="errors < 0.2%",
        rate_per_s=RATE_PER_S,
    )


def slow(bad: int, verdict: str) -> Truth:
    """So many in a hundred take two limits.

    What is bad is counted, not estimated: never too few; too many only where a request is late by a whole limit of
    its own, so one in a thousand is left for the machine's own freezes.
    """

    def figures(record: Record) -> list[Figure]:
        n = record.seconds * RATE_PER_S
        return [
            Figure(
                "over the limit",
                ("objectives", "0", "bad"),
                n * bad / 100,
                0,
                n / 1000,
                sum(held_ms > LIMIT_MS for held_ms in record.held_ms),
            )
        ]

    return Truth(
        f"slow tail, {bad} in 100",
        ("share", f"{bad}", "100", f"{2 * LIMIT_MS}", "200", "0"),
        verdict,
        figures,
        objective=f"p95 < {LIMIT_MS}ms",
        rate_per_s=RATE_PER_S,
    )


ERRORS_FEW = failing(1, 500, "PASS", "errors < 1%")
ERRORS_MANY = failing(1, 100, "FAIL", "errors < 0.5%")
HANGING = hanging(1, 100, "FAIL")
TAIL_3 = slow(3, "PASS")
TAIL_6 = slow(6, "FAIL")
