"""A circuit breaker: whoever failed again and again is left alone for a while, then tried with one call."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from portal.mcp.failures import ServiceFailure, Unavailable

State = Literal["closed", "open", "half-open"]
"""Closed lets calls pass, open refuses them, half-open lets one pass to see."""


class Breaker:
    """Opens after `failures` in a row, or when `share` of the last `window` calls failed.

    After `cool_down_s` it is half-open: one call is let through, which closes it again or opens it anew.
    `clock` gives monotonic seconds.
    """

    def __init__(
        self,
        *,
        failures: int = 5,
        share: float = 0.5,
        window: int = 20,
        cool_down_s: float = 10.0,
        clock: Callable[[], float],
    ) -> None:
        self._failures = failures
        self._share = share
        self._cool_down_s = cool_down_s
        self._clock = clock
        self._failed: deque[bool] = deque(maxlen=window)
        self._in_a_row = 0
        self._opened_at_s: float | None = None
        self._trial = False
        self._era = 0  # grows whenever the state changes: a call that began before tells nothing about the state now

    @property
    def state(self) -> State:
        """What the next call would meet."""
        if self._opened_at_s is None:
            return "closed"
        return "open" if self._left_s() > 0 else "half-open"

    @contextmanager
    def call(self) -> Iterator[None]:
        """Let one call pass and learn from its end, or raise `Unavailable`.

        Only a `ServiceFailure` counts as one; a call that is cancelled tells nothing.
        """
        era = self._admit()
        try:
            yield
        except ServiceFailure:
            self._learn(era, failed=True)
            raise
        except BaseException:
            if era == self._era:
                self._trial = False
            raise
        self._learn(era, failed=False)

    def _left_s(self) -> float:
        return 0.0 if self._opened_at_s is None else self._opened_at_s + self._cool_down_s - self._clock()

    def _admit(self) -> int:
        if self._opened_at_s is not None:
            if self._left_s() > 0 or self._trial:
                raise Unavailable("the external service failed repeatedly: the circuit is open", self._left_s())
            self._trial = True
        return self._era

    def _learn(self, era: int, *, failed: bool) -> None:
        if era != self._era:
            return
        if self._opened_at_s is not None:
            self._turn(opens=failed)
            return
        self._failed.append(failed)
        self._in_a_row = self._in_a_row + 1 if failed else 0
        full = len(self._failed) == self._failed.maxlen
        if self._in_a_row >= self._failures or (full and sum(self._failed) >= self._share * len(self._failed)):
            self._turn(opens=True)

    def _turn(self, *, opens: bool) -> None:
        self._opened_at_s = self._clock() if opens else None
        self._trial = False
        self._failed.clear()
        self._in_a_row = 0
        self._era += 1
