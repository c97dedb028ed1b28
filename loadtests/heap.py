"""The memory of a process that makes and frees the same arrays every second."""

from __future__ import annotations

import contextlib
import ctypes
import sys

__all__ = ["keep_heap"]

_TRIM, _MMAP = -1, -3  # what mallopt(3) sets
_KEPT_BYTES, _LARGEST_BYTES = 64 << 20, 32 << 20


def keep_heap() -> None:
    """Have glibc keep up to 64 MB of freed memory, where it would give them back and ask for them a second later.

    A fold would else spend half of its time on fresh pages. Elsewhere than on glibc nothing happens.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # musl has no mallopt
            libc = ctypes.CDLL(None)
            libc.mallopt(_TRIM, _KEPT_BYTES)
            libc.mallopt(_MMAP, _LARGEST_BYTES)
