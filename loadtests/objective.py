"""One line of text that a run must hold, such as ``p95 < 200ms``.

Grammar::

    objective = latency | gap | fan-out | share | least | count | rate | fairness | far
    latency   = "p" NUMBER ("<" | "<=") DURATION          p95 < 200ms
    gap       = "omission_gap" latency                    omission_gap p99 < 5ms
    fan-out   = "deliver." ("first" | "median" | "last") latency
                                                          deliver.last p99 < 200ms
    share     = SHARE ("<" | "<=") PERCENT                errors < 0.1%; of errors, lost, duplicated, reordered, late
    least     = LEAST (">" | ">=") PERCENT                delivered >= 99.99%; of delivered, connected, recovered
    count     = COUNT "==" 0                              lost == 0
    rate      = "throughput" (">" | ">=") RATE            throughput > 140/s
    fairness  = "fairness" (">" | ">=") NUMBER            fairness >= 0.9
    far       = "displacement" "<=" NUMBER                displacement <= 3

``p95 < 200ms`` means "fewer than 5 % of the requests are bad", a request being bad when it failed or took longer;
``errors < 0.1%`` means the same of failures alone. The omission gap of a request is how much later it left than it was
due, which is what its response time is longer by than its service time; one that never left has an infinite gap. All
three are a bad fraction held against a budget. ``deliver.last p99 < 200ms`` asks of each message when the last of its
subscribers had it, whatever series the line stands under; ``duplicated <= 0.01%`` of whatever came to a subscriber,
how much was a copy; ``delivered >= 99.99%`` is ``lost <= 0.01%``, and ``connected
>= 99.9%`` allows connections to be down for 0.1 % of the time for which they were to be up. ``recovered >= 99%`` asks
that of what was published while a subscriber's connection was lost all but 1 % came to it after all. ``fairness`` is
Jain's index of what subscribers waited for their deliveries (:mod:`loadtests.fairness`), and ``displacement <= 3`` says
that no delivery came after one of its stream that is numbered more than 3 higher.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from fnmatch import fnmatchcase
from typing import Literal

from loadtests.duration import parse_duration_ns, parse_fraction, parse_rate_per_s
from loadtests.errors import ObjectiveError, UsageError
from loadtests.objectiveline import EXPECTED, LINE, instead_of
from loadtests.series import CONNECTED, DELIVER, DUPLICATED, FIRST, LAST, LATE, MEDIAN, MISSED, REORDERED, is_derived

__all__ = ["COUNTS", "Kind", "Objective", "Scope", "limits_ns", "parse_objective"]

COUNTS = ("lost", "late", "duplicated", "reordered", "foreign", "unrecovered", "dropped", "errors", "contract")
"""Counts that ``== 0`` may be asked of."""

Scope = Literal["each", "pool"]


class Kind(Enum):
    """What is measured."""

    LATENCY = "latency"
    GAP = "gap"
    SHARE = "share"
    LEAST = "least"
    COUNT = "count"
    THROUGHPUT = "throughput"
    FAIRNESS = "fairness"
    DISPLACEMENT = "displacement"


_UNITS = {
    Kind.LATENCY: "ns",
    Kind.GAP: "ns",
    Kind.SHARE: "fraction",
    Kind.LEAST: "fraction",
    Kind.THROUGHPUT: "per_s",
    Kind.FAIRNESS: "index",
    Kind.DISPLACEMENT: "numbers",
}


@dataclass(frozen=True)
class Objective:
    """A parsed line bound to series by a glob, to each of them or to their pool.

    ``limit`` is in ns for latency and gaps, a fraction for shares (of a least share, of what is good), per second for
    throughput, 0 for counts, an index for fairness, numbers of a stream for displacement; ``budget`` is the bad
    fraction that latency, gap and share objectives allow.
    """

    text: str
    kind: Kind
    metric: str
    limit: float
    budget: float | None = None
    percentile: float | None = None
    series: str = "*"
    scope: Scope = "pool"

    def matches(self, series: str) -> bool:
        """Whether a series is bound; ``*`` and ``?`` as in file names, or the exact name (``[`` has no meaning).

        What tells in another way what other series count already is bound by its exact name alone.
        """
        if series == self.series:
            return True
        return not is_derived(series) and fnmatchcase(series, self.series.replace("[", "[[]"))

    @property
    def unit(self) -> str:
        """What limit, observed value and bounds are in."""
        return _UNITS.get(self.kind, self.kind.value)

    @property
    def limit_ns(self) -> int | None:
        """The latency limit as integer ns, None for other kinds."""
        return int(self.limit) if self.kind is Kind.LATENCY else None


GAP = "omission_gap "
OF = {"connected": CONNECTED, "recovered": MISSED}
NONE = {"delivered": "lost", "recovered": "unrecovered"}
"""What is counted of all that some share may lack."""
RECEIVED = {"duplicated": DUPLICATED, "reordered": REORDERED, "late": LATE}
FAN_OUT = {"deliver.first ": FIRST, "deliver.median ": MEDIAN, "deliver.last ": LAST}


def parse_objective(text: str, *, series: str = "*", scope: Scope = "pool") -> Objective:
    """Parse one line.

    Raises:
        ObjectiveError: when the line does not parse, with the nearest right spelling where there is one.

    """
    match = LINE.fullmatch(text)
    if match is None:
        raise ObjectiveError(f'objective "{text}" does not parse; {instead_of(text, _parses)}')
    metric, sign, value = " ".join(match[1].lower().split()), match[2], match[3]
    for word, own in FAN_OUT.items():
        if metric.startswith(word):
            metric, series, scope = metric.removeprefix(word), own, "pool"
    try:
        if re.fullmatch(r"(omission_gap )?p\d+(\.\d+)?", metric):
            percentile = float(metric.removeprefix(GAP)[1:])
            if not 0 < percentile < 100:
                raise ObjectiveError(f'objective "{text}": a percentile lies between 0 and 100; {EXPECTED}')
            _require(text, sign, ("<", "<="))
            budget = round(1 - percentile / 100, 12)
            if budget < 1e-9:
                raise ObjectiveError(f'objective "{text}": no run is long enough for that percentile; {EXPECTED}')
            kind = Kind.GAP if metric.startswith(GAP) else Kind.LATENCY
            return Objective(
                text, kind, metric, parse_duration_ns(value), budget, percentile, series=series, scope=scope
            )
        if metric == "throughput":
            _require(text, sign, (">", ">="))
            return Objective(text, Kind.THROUGHPUT, metric, parse_rate_per_s(value), series=series, scope=scope)
        if metric == "fairness":
            _require(text, sign, (">", ">="))
            if not (re.fullmatch(r"\d*\.?\d+", value) and 0 < float(value) < 1):
                raise ObjectiveError(f'objective "{text}": the index lies between 0 and 1, as in "fairness >= 0.9"')
            return Objective(text, Kind.FAIRNESS, metric, float(value), series=DELIVER, scope="pool")
        if metric in COUNTS and sign == "==":
            if value != "0":
                raise ObjectiveError(f'objective "{text}": a count is held against 0, as in "{metric} == 0"')
            return Objective(text, Kind.COUNT, metric, 0.0, series=series, scope=scope)
        if metric in COUNTS and metric not in ("errors", "lost", *RECEIVED):
            raise ObjectiveError(f'objective "{text}": one is one too many; write "{metric} == 0"')
        if metric in ("errors", "lost", *RECEIVED):
            _require(text, sign, ("<", "<="))
            share = parse_fraction(value)
            if not 0 < share < 1:
                raise ObjectiveError(f'objective "{text}": to allow none at all write "{metric} == 0"')
            if metric in RECEIVED:
                return Objective(text, Kind.SHARE, "errors", share, share, series=RECEIVED[metric], scope="pool")
            return Objective(text, Kind.SHARE, metric, share, share, series=series, scope=scope)
        if metric == "displacement":
            _require(text, sign, ("<=",))
            if not re.fullmatch(r"[1-9]\d*", value):
                raise ObjectiveError(
                    f'objective "{text}": expected by how many numbers a delivery may come late, as in '
                    '"displacement <= 3"; to allow no disorder at all write "reordered == 0"'
                )
            return Objective(text, Kind.DISPLACEMENT, metric, float(value), series=DELIVER, scope="pool")
        if metric == "delivered" or metric in OF:
            _require(text, sign, (">", ">="))
            least = parse_fraction(value)
            budget = round(1 - least, 12)
            if not 0 < budget < 1:
                none = NONE.get(metric)
                raise ObjectiveError(
                    f'objective "{text}": expected a share between 0 and 100 %'
                    + (f'; to allow no loss at all write "{none} == 0"' if none else "")
                )
            if metric == "delivered":
                return Objective(text, Kind.LEAST, "lost", least, budget, series=series, scope=scope)
            return Objective(text, Kind.LEAST, "errors", least, budget, series=OF[metric], scope="pool")
    except ObjectiveError:
        raise
    except UsageError as error:
        raise ObjectiveError(f'objective "{text}" does not parse: {error}') from None
    if metric == GAP.strip() or f"{metric} " in FAN_OUT:
        raise ObjectiveError(f'objective "{text}": of which percentile? Write "{metric} p99 < 5ms"')
    near = get_close_matches(
        metric, ("p95", "p99", "throughput", f"{GAP}p99", "delivered", *OF, "fairness", "displacement", *COUNTS), n=1
    )
    hint = f' (did you mean "{near[0]}"?)' if near else ""
    raise ObjectiveError(f'objective "{text}": "{metric}" is not a thing that is measured{hint}; {EXPECTED}')


def _parses(line: str) -> bool:
    try:
        parse_objective(line)
    except ObjectiveError:
        return False
    return True


def _require(text: str, sign: str, allowed: tuple[str, ...]) -> None:
    if sign not in allowed:
        raise ObjectiveError(f'objective "{text}": "{sign}" makes no sense here, expected {" or ".join(allowed)}')


def limits_ns(objectives: Iterable[Objective], series: str) -> tuple[int, ...]:
    """The latency limits, ascending, that any of the objectives sets for a series."""
    return tuple(sorted({limit for o in objectives if (limit := o.limit_ns) is not None and o.matches(series)}))
