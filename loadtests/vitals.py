"""How a process of the generator fares: its event loop, collector, processor, descriptors and clock.

A probe sleeps for 10 ms over and over and tells how late it woke: nothing else in the process can have run on time
while it could not. One row a second goes with the batches into the run (``vitals.jsonl``).
"""

from __future__ import annotations

import gc
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

from loadtests.duration import NS_PER_S

__all__ = ["LATE_NS", "PROBE_NS", "PROBE_S", "Vitals"]

PROBE_S, PROBE_NS = 0.01, 10_000_000
LATE_NS = 5_000_000
"""A probe that wakes later than this counts as late."""
CLOCK_TRIES = 5
_SCHEDSTAT = Path("/proc/self/schedstat")
_DESCRIPTORS = Path("/proc/self/fd")


class Vitals:
    """Collects between two rows; everything is told in the row of the second in which it was noticed.

    Args:
        clock_ns: CLOCK_MONOTONIC.
        wall_ns: CLOCK_REALTIME, which somebody may set.
        scheduled_ns: of the main thread so far, nanoseconds on a processor and in line for one; None where unknown.

    """

    def __init__(
        self,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
        scheduled_ns: Callable[[], tuple[int, int] | None] = lambda: _scheduled_ns(),
    ) -> None:
        self._clock_ns = clock_ns
        self._wall_ns = wall_ns
        self._scheduled_ns = scheduled_ns
        self._began_ns = self._offset_ns()
        self._taken_ns = clock_ns()
        self._scheduled = scheduled_ns()
        self._collecting_since_ns = 0
        self._begin()

    def _begin(self) -> None:
        self._probes = self._late = self._worst_ns = self._worst_at_ns = 0
        self._collections_ns = self._longest_collection_ns = 0

    def watch_collector(self) -> None:
        """Time the garbage collector's pauses from now on."""
        gc.callbacks.append(self._collecting)

    def _collecting(self, phase: str, info: dict[str, int]) -> None:
        now = self._clock_ns()
        if phase == "start":
            self._collecting_since_ns = now
            return
        took_ns = now - (self._collecting_since_ns or now)
        self._collections_ns += took_ns
        self._longest_collection_ns = max(self._longest_collection_ns, took_ns)

    def woke(self, due_ns: int) -> None:
        """The probe that was to wake at ``due_ns`` is awake.

        While the loop stood still it missed its looks; they count, as late as they would have been. (Else a loop that
        stands still for 300 ms of every second would look late but once in seventy.)
        """
        now = self._clock_ns()
        late_ns = now - due_ns
        self._probes += 1 + max(0, late_ns) // PROBE_NS
        self._late += max(0, late_ns - LATE_NS + PROBE_NS - 1) // PROBE_NS
        if late_ns > self._worst_ns:
            self._worst_ns, self._worst_at_ns = late_ns, now

    def _offset_ns(self) -> int:
        """How far the wall clock is ahead of the monotonic one.

        They cannot be read at once: a process that loses its processor between two readings would seem to have had its
        clock set. So the wall clock is read between two readings of the other, and the closest of some tries counts.
        """
        tries = []
        for _ in range(CLOCK_TRIES):
            before, wall, after = self._clock_ns(), self._wall_ns(), self._clock_ns()
            tries.append((after - before, wall - (before + after) // 2))
        return min(tries)[1]

    def row(self, t0_ns: int) -> dict[str, float]:
        """What happened since the last row.

        ``at_s`` and ``loop_worst_at_s`` are seconds from the run's start; processor times are in percent of one core;
        ``clock_offset_ms`` is how far the wall clock has moved against the monotonic one since the process began.
        """
        now = self._clock_ns()
        row: dict[str, float] = {
            "at_s": (now - t0_ns) / 1e9,
            "probes": self._probes,
            "late_probes": self._late,
            "loop_worst_ms": self._worst_ns / 1e6,
            "loop_worst_at_s": (self._worst_at_ns - t0_ns) / 1e9 if self._worst_at_ns else 0.0,
            "collector_ms": self._collections_ns / 1e6,
            "collector_worst_ms": self._longest_collection_ns / 1e6,
            "clock_offset_ms": (self._offset_ns() - self._began_ns) / 1e6,
        }
        before, self._scheduled = self._scheduled, self._scheduled_ns()
        passed_ns = max(now - self._taken_ns, NS_PER_S)  # a row soon after a late one tells of less than a second
        if before and self._scheduled:
            row["cpu_percent"], row["cpu_wait_percent"] = (
                100 * (after - earlier) / passed_ns for after, earlier in zip(self._scheduled, before, strict=True)
            )
        if (descriptors := _descriptors()) is not None:
            row["descriptors"], row["descriptors_limit"] = descriptors
        self._taken_ns = now
        self._begin()
        return row


def _scheduled_ns() -> tuple[int, int] | None:
    """Linux tells of the main thread; elsewhere nothing is known."""
    try:
        on, waiting, _ = _SCHEDSTAT.read_text().split()
    except (OSError, ValueError):
        return None
    return int(on), int(waiting)


def _descriptors() -> tuple[int, int] | None:
    """Open descriptors and how many there may be; Linux since 6.2 knows their number without a list of them."""
    try:
        return _DESCRIPTORS.stat().st_size or len(os.listdir(_DESCRIPTORS)), resource.getrlimit(resource.RLIMIT_NOFILE)[
            0
        ]
    except OSError:
        return None
