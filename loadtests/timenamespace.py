"""Whether a server on this machine lives by this process's CLOCK_MONOTONIC, as one in a time namespace does not.

time_namespaces(7): a container may have been given a clock that runs with the machine's, some seconds apart.
"""

from __future__ import annotations

from pathlib import Path

from loadtests.allowance import is_loopback
from loadtests.duration import NS_PER_S
from loadtests.httprequest import origin
from loadtests.monitor import Monitor

__all__ = ["ahead_ns"]


def ahead_ns(url: str) -> int:
    """By how much the clock of whoever listens there is ahead of ours.

    0 where it is the same one, where the server is not on this machine, or nobody can be seen to listen.
    """
    _, host, port = origin(url)
    if host != "localhost" and not is_loopback(host):
        return 0
    try:
        ours_ns = _offset_ns("self")
        return next((apart_ns for pid in Monitor.listener(port) if (apart_ns := _offset_ns(str(pid)) - ours_ns)), 0)
    except OSError:  # a kernel without them, or a process that is gone
        return 0


def _offset_ns(process: str) -> int:
    """Of a process's CLOCK_MONOTONIC from the machine's."""
    for line in Path("/proc", process, "timens_offsets").read_text().splitlines():
        clock, seconds, nanoseconds = line.split()
        if clock == "monotonic":
            return int(seconds) * NS_PER_S + int(nanoseconds)
    return 0
