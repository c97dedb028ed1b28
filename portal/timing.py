"""Where the time of one request goes, told to the client as `Server-Timing` (W3C)."""

import time
from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType

current: ContextVar["Timing | None"] = ContextVar("timing", default=None)
"""The timing of the request that is being served, None outside of one."""


class Timing:
    """The time of one request, by what it was spent on.

    At each moment one name at most is charged: the one entered last among those still open. So a part nested in another
    counts as its own only, parts that overlap in two tasks are not counted twice, and the sum never exceeds the total.
    """

    __slots__ = ("_clock_ns", "_open", "_since_ns", "_started_ns", "spent_ns", "statements")

    def __init__(self, clock_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        self._clock_ns = clock_ns
        self._started_ns = clock_ns()
        self._since_ns = self._started_ns
        self._open: list[timed] = []
        self.spent_ns: dict[str, int] = {}
        """Nanoseconds by name, in the order in which the names were first entered."""
        self.statements = 0
        """Statements sent to the database."""

    def enter(self, part: "timed") -> None:
        """Charge `part` from now on."""
        self._charge()
        self.spent_ns.setdefault(part.name, 0)
        self._open.append(part)

    def leave(self, part: "timed") -> None:
        """End `part`, and charge what was open before it."""
        self._charge()
        self._open.remove(part)

    def total_ns(self) -> int:
        """Return the nanoseconds since the request came."""
        return self._clock_ns() - self._started_ns

    def header(self) -> str:
        """Write the value of `Server-Timing`, in milliseconds; the database's `desc` is its number of statements."""
        parts = [f"total;dur={self.total_ns() / 1e6:.3f}"]
        for name, spent_ns in self.spent_ns.items():
            count = f';desc="{self.statements}"' if name == "db" else ""
            parts.append(f"{name};dur={spent_ns / 1e6:.3f}{count}")
        return ", ".join(parts)

    def _charge(self) -> None:
        now_ns = self._clock_ns()
        if self._open:
            self.spent_ns[self._open[-1].name] += now_ns - self._since_ns
        self._since_ns = now_ns


class timed:  # noqa: N801 (a statement's word: `with timed("db"):`)
    """Charge the block to a name of the current request; outside of a request it does nothing."""

    __slots__ = ("_timing", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._timing = current.get()

    def __enter__(self) -> None:
        if self._timing is not None:
            self._timing.enter(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._timing is not None:
            self._timing.leave(self)


def count_statement() -> None:
    """Note that the current request sent a statement to the database."""
    timing = current.get()
    if timing is not None:
        timing.statements += 1
