"""Asking for subscriptions, until the server has acknowledged them all: one sample, whatever comes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection

from loadtests.recorder import Recorder
from loadtests.sample import Outcome
from loadtests.series import SUBSCRIBE

__all__ = ["Subscribing"]


class Subscribing:
    """Of one connection, through its reconnects.

    Args:
        recorder: takes the samples.
        timeout_s: after which it is given up.
        on_timeout: told then, with CLOCK_MONOTONIC (ns).

    """

    def __init__(self, recorder: Recorder, timeout_s: float, on_timeout: Callable[[int], None]) -> None:
        self._recorder = recorder
        self._timeout_s = timeout_s
        self._on_timeout = on_timeout
        self._started_ns = 0
        self._outstanding: frozenset[str] = frozenset()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, channels: Collection[str]) -> None:
        """These are asked for now."""
        self._outstanding = frozenset(channels)
        self._started_ns = time.monotonic_ns()
        self._timer = asyncio.get_running_loop().call_later(self._timeout_s, self._time_up)

    def acknowledged(self, channels: Collection[str], now_ns: int) -> bool:
        """Some are there; whether all are. What nobody waits for any more is recorded already."""
        self._outstanding = self._outstanding.difference(channels) or frozenset()
        if self._outstanding:
            return False
        self._record(now_ns, Outcome.OK)
        return True

    def cut_short(self, now_ns: int, ending: str, *, planned: bool) -> None:
        """The connection is gone; where that was no plan, so is what was asked for."""
        if planned:
            self._stop()
        else:
            self._record(now_ns, Outcome.ERROR, ending or "cut short")

    def _time_up(self) -> None:
        now_ns = time.monotonic_ns()
        if self._started_ns:
            self._record(now_ns, Outcome.TIMEOUT)
            self._on_timeout(now_ns)

    def _record(self, now_ns: int, outcome: Outcome, error: str = "") -> None:
        if started_ns := self._stop():
            self._recorder.record(SUBSCRIBE, started_ns, started_ns, now_ns, int(outcome), 0, error)

    def _stop(self) -> int:
        started_ns, self._started_ns = self._started_ns, 0
        if self._timer is not None:
            self._timer.cancel()
        return started_ns
