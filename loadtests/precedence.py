"""Who goes first where processes want the same processor: those who make the load, before those who write it down."""

from __future__ import annotations

import contextlib
import os
import sys

__all__ = ["go_first", "preempt_as_usual", "preempt_nobody"]

_preempts_nobody = False
"""Of this process and, until :func:`preempt_as_usual`, of those that it forks; not where somebody chose a policy."""


def go_first() -> None:
    """Go before ordinary processes, where that is allowed: a generator that waits for the processor sends late."""
    with contextlib.suppress(OSError):
        os.nice(-10)


def preempt_nobody() -> None:
    """Wait until others sleep or have had their turn, where Linux can be told; see ``SCHED_BATCH`` in sched(7).

    A batch that this process is sent wakes it on the processor of the one who sent it, to whom it would otherwise do
    what it was woken for: two milliseconds in which nothing is sent, while the other processor may be idle.
    """
    global _preempts_nobody
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            if os.sched_getscheduler(0) == os.SCHED_OTHER:
                os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
                _preempts_nobody = True


def preempt_as_usual() -> None:
    """What :func:`preempt_nobody` did ends, here or in a child that has it from its parent."""
    global _preempts_nobody
    if sys.platform == "linux" and _preempts_nobody:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
            _preempts_nobody = False
