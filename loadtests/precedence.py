"""Who goes first where processes want the same processor: those who make the load, before those who write it down."""

from __future__ import annotations

import contextlib
import os
import sys

__all__ = ["go_first", "preempt_as_usual", "preempt_nobody"]


def go_first() -> None:
    """Go before ordinary processes, where that is allowed: a generator that waits for the processor sends late."""
    with contextlib.suppress(OSError):
        os.nice(-10)


def preempt_nobody() -> None:
    """Wait until others sleep or have had their turn, where Linux can be told; see ``SCHED_BATCH`` in sched(7).

    A batch that this process is sent wakes it on the processor of the one who sent it, to whom it would otherwise do
    what it was woken for: two milliseconds in which nothing is sent, while the other processor may be idle.
    """
    _change("SCHED_OTHER", "SCHED_BATCH")


def preempt_as_usual() -> None:
    """What a child has inherited of :func:`preempt_nobody` ends."""
    _change("SCHED_BATCH", "SCHED_OTHER")


def _change(before: str, after: str) -> None:
    """Another policy, unless somebody chose one for us: ``chrt`` does."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            if os.sched_getscheduler(0) == getattr(os, before):
                os.sched_setscheduler(0, getattr(os, after), os.sched_param(0))
