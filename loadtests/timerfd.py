"""A timer of the kernel's, which is on time to some 50 us where an event loop's own timers tick in milliseconds.

timerfd_create(2); Python has it from 3.13 on.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import time

__all__ = ["TimerFd"]

_ABSOLUTE = 1
_NS_PER_S = 1_000_000_000


_SETTING = struct.Struct("4q")
"""``struct itimerspec``: the interval, zero for none, and the value, each in seconds and nanoseconds."""


class TimerFd:
    """Becomes readable when it is due; Linux alone has it.

    Raises:
        OSError: when the kernel gives none.

    """

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise OSError(f"arrivals of an open model are timed by Linux's timerfd, and this is {sys.platform}")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd: int = self._libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "no timer of the kernel's")
        self._setting = bytearray(_SETTING.size)
        self._arguments = (  # made beforehand: an arrival is armed for while the load waits
            ctypes.c_int(self.fd),
            ctypes.c_int(_ABSOLUTE),
            ctypes.byref((ctypes.c_char * _SETTING.size).from_buffer(self._setting)),
            None,
        )
        self._arm = self._libc.timerfd_settime

    def arm(self, due_ns: int, every_ns: int = 0) -> None:
        """Be readable once CLOCK_MONOTONIC shows this, and not before; at once where it does already.

        Where ``every_ns`` is given, again each time that has passed from then on; readable until :meth:`heard`.
        """
        _SETTING.pack_into(self._setting, 0, *divmod(every_ns, _NS_PER_S), *divmod(max(1, due_ns), _NS_PER_S))
        if self._arm(*self._arguments) < 0:
            raise OSError(ctypes.get_errno(), "the kernel's timer cannot be set")

    def heard(self) -> int:
        """How often it went off since it was armed or heard; it is readable no longer."""
        try:
            return int.from_bytes(os.read(self.fd, 8), sys.byteorder)
        except BlockingIOError:
            return 0

    def close(self) -> None:
        """Give it back."""
        os.close(self.fd)
