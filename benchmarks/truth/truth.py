"""A known truth as data: a server, a load, an objective, and the figures that arithmetic gives for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from benchmarks.truth.record import Record

WARM_UP_S = 5
"""How long the load is on before the steady state; it begins with the first arrival."""
TIMER_MS = 0.2
"""What the servers' own timers take: ``select`` wakes within its slack of 0.05 ms, and the loop's turn follows."""
CLIENT_MS = 4.0
"""What a Python client may add up to p95: as it sends and again as it reads the 2 ms that docs/measurement.md grants to
any generator's timers."""
CLIENT_TAIL_MS = 16.0
"""What it may add beyond p95: on a shared core a process that wakes waits a scheduler's slice, 3 to 4 ms, for each of
two others, as it sends and again as it reads."""
HISTOGRAM = 0.001
"""A percentile is the upper end of its bucket: too high by less than this share (docs/measurement.md)."""


@dataclass(frozen=True)
class Figure:
    """One number that the harness has to report, in milliseconds, percent or pieces, and how far off it may be."""

    name: str
    path: tuple[str, ...]
    """Where the run's summary holds it."""
    truth: float
    below: float = 0.0
    above: float = 0.0
    """How much less and how much more than the truth may be reported, in the figure's own unit."""
    server: float | None = None
    """What the server's own record says of it."""


@dataclass(frozen=True)
class Truth:
    """A server whose answers are known, and the load that is put on it."""

    name: str
    server: tuple[str, ...]
    """The module in ``servers`` and its arguments after the port."""
    verdict: str
    figures: Callable[[Record], Sequence[Figure]]
    """From what the server recorded in the steady state; most take nothing from it but to show it."""
    load: tuple[str, ...] = ()
    """Arguments of ``loadtests run`` beside URL, duration and directory."""
    objective: str = ""
    rate_per_s: int = 0
    """Arrivals; 0 is a closed loop."""
    users: int = 100
    peers: bool = False
    """Whether other tools are put on the same server too, after the harness."""


def by_members(truth: Truth) -> Truth:
    """The same, asked by asyncio members; other tools are not asked again."""
    return replace(truth, name=f"{truth.name}, members", load=(*truth.load, "--driver", "members"), peers=False)


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    figure: Figure
    reported: float | None
    verdict: str
    expected_verdict: str
    peers: dict[str, float | None]

    @property
    def error(self) -> float:
        """Reported less true; infinite where nothing was reported."""
        return inf if self.reported is None else self.reported - self.figure.truth

    @property
    def holds(self) -> bool:
        """Whether the error is within its tolerance and the verdict the expected one."""
        return -self.figure.below <= self.error <= self.figure.above and self.verdict == self.expected_verdict


def rows(truth: Truth, record: Record, summary: dict[str, Any], peers: dict[str, dict[str, float]]) -> list[Row]:
    """What a run reported beside what is true."""
    return [
        Row(
            truth.name,
            figure,
            _at(summary, figure.path),
            str(summary.get("verdict")),
            truth.verdict,
            {name: told.get(figure.path[-1]) for name, told in peers.items()} if _is_time(figure) else {},
        )
        for figure in truth.figures(record)
    ]


def times(
    quantile: Callable[[float], float],
    record: Record,
    percentiles: Sequence[float] = (50, 90, 95, 99),
    series: str = "GET /",
    kind: str = "response_ms",
    below: Callable[[float], float] = lambda _: 0.0,
    above: Callable[[float], float] = lambda _: 0.0,
) -> list[Figure]:
    """Percentiles of the response time, or of another ``kind``, against a quantile function in ms.

    A request takes no less than the server held it, and the client adds its own cost; ``below`` and ``above`` are what
    else may be off at a percentile, such as sampling error, in ms.
    """
    found = []
    for percentile in percentiles:
        true = quantile(percentile / 100)
        client_ms = CLIENT_MS if percentile <= 95 else CLIENT_TAIL_MS
        found.append(
            Figure(
                f"p{percentile:g} ms",
                ("series", series, kind, f"p{percentile:g}"),
                true,
                below(percentile / 100),
                above(percentile / 100) + TIMER_MS + client_ms + HISTOGRAM * true,
                record.percentile_ms(percentile),
            )
        )
    return found


def renamed(figures: Sequence[Figure], suffix: str) -> list[Figure]:
    """The same under longer names."""
    return [replace(figure, name=f"{figure.name}{suffix}") for figure in figures]


def _at(summary: dict[str, Any], path: tuple[str, ...]) -> float | None:
    found: Any = summary
    for key in path:
        found = found[int(key)] if isinstance(found, list) else (found or {}).get(key)
    return None if found is None else float(found)


def _is_time(figure: Figure) -> bool:
    return "response_ms" in figure.path
