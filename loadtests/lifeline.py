"""What a child process begins with: it ends with its parent, however the parent ends, and has turns like any other."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import sys

from loadtests.precedence import preempt_as_usual

__all__ = ["begin_child"]


def begin_child() -> None:
    """Ask Linux to end this process when its parent ends, and to give it turns as usual; runs before exec."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    preempt_as_usual()
