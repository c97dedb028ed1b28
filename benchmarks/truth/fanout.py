"""A relay that loses, doubles and swaps by count, to 20 listeners: the ledger must find exactly that.

Of N publications numbered from 0, those with ``n % 100 == 7`` are lost, ``n % 50 == 3`` come twice, and
``n % 20 == 10`` come after the next one; no two of these ever meet. Reordered is what comes after a later one (RFC
4737, 3.3). If the very last was kept for a next one that never came, it is lost. N is the relay's own count of what it
was given.
"""

from __future__ import annotations

from benchmarks.truth.record import Record
from benchmarks.truth.truth import Figure, Truth, times

LISTENERS, HOLD_MS = 20, 20
TURN_MS = 0.3
"""What one frame to one listener takes: 0.15 ms to send it, as much to read it; the listeners have their turns."""
LOSE, DOUBLE, SWAP = 100, 50, 20


def faults(published: int, lose: int = LOSE, double: int = DOUBLE, swap: int = SWAP) -> dict[str, int]:
    """How many of so many publications each listener loses, has twice, and has out of order; 0 is never."""
    numbers = range(published)
    kept = [n for n in numbers if swap and n % swap == 10]
    unswapped = [n for n in kept if n + 1 == published]
    return {
        "lost": sum(1 for n in numbers if lose and n % lose == 7) + len(unswapped),
        "duplicated": sum(1 for n in numbers if double and n % double == 3),
        "reordered": len(kept) - len(unswapped),
    }


def relay(name: str, verdict: str, lose: int, double: int, swap: int) -> Truth:
    """A relay with these faults."""

    def figures(record: Record) -> list[Figure]:
        each = {"expected": record.published, **faults(record.published, lose, double, swap)}
        found = [Figure(what, ("deliveries", what), n * LISTENERS) for what, n in each.items()]
        if not swap:  # what is swapped waits for the next one, 50 ms more
            found += times(lambda _: HOLD_MS, record, (50, 95), "ws deliver", above=lambda _: LISTENERS * TURN_MS)
        return found

    server = ("relay", f"{HOLD_MS}", f"{lose}", f"{double}", f"{swap}")
    return Truth(name, server, verdict, figures, load=("relay.toml",))


FAULTLESS = relay("relay, faultless", "PASS", 0, 0, 0)
FAULTY = relay("relay, faulty", "FAIL", LOSE, DOUBLE, SWAP)
