"""The witness beside the load: whether the client itself was queueing.

The witness makes requests of the load's own again, from an idle process, at a twentieth of its rate and by the same
plan's shape; kernel stamps tell when an answer was there. Poisson arrivals see time averages, so on one and the same
course of a run both see the same distribution, and given that course the witness's requests are independent draws
from it, however the course itself hangs together. Hence the binomial law below, and no effective number.

Per series let q be the least that the load's p95 can be (a lower bound, wrong in 1 of 20), and m what is allowed, a
twentieth of the limit. If the load's p95 were at most m above the witness's, at least 5 % of the witness's requests
would take longer than q - m. Of n over all series shared, K did; the client was queueing if so few are unlikely:
P(Bin(n, 5 %) <= K) <= 1 %. One series alone: the load's p95 is above the witness's upper bound at 99 % by more than m.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import bdtr

from loadtests.duration import format_ns
from loadtests.gate import quantile_bounds
from loadtests.health import DEFAULT_LIMIT_NS
from loadtests.histogram import Histogram, bucket_index, bucket_lowest_us
from loadtests.objective import Kind, Objective
from loadtests.run import Run
from loadtests.series import DELIVER, FIRST, LAST, MEDIAN, is_request
from loadtests.verdict import Check, Status, Verdict

__all__ = ["LEAST_PROBES", "Comparison", "compare", "witness_checks", "witnessed"]

PERCENTILE, SHARE = 95.0, 0.05
ALPHA = 0.01
LEAST_PROBES = 90
"""With fewer not even none of them would be unlikely: 0.95^90 < 1 %."""
MOST_FAILED = 0.1
LEAST_ALLOWED_NS = 2_000_000
_REMEDY = "share the load among more processes (--processes), or let user classes do less between requests"
_FAN_OUT = (FIRST, MEDIAN, LAST)
"""Their times are those of deliveries."""
_SWARM_REMEDY = "share the connections among more processes (--processes), or let members do less for each message"


@dataclass(frozen=True)
class Comparison:
    """Load and witness on the series that both have, in the same seconds; p95 of both in us, over all of these."""

    series: int
    n: int
    longer: int
    """Requests of the witness that took longer than the load's p95 less what is allowed."""
    allowed_ns: int
    load_us: float
    witness_us: float

    @property
    def is_queueing(self) -> bool:
        """Whether the load's p95 is above the witness's by more than is allowed, certainly."""
        return self.n >= LEAST_PROBES and float(bdtr(self.longer, self.n, SHARE)) <= ALPHA

    def __str__(self) -> str:
        load = format_ns(self.load_us * 1000)
        witness = "beyond the time-out" if self.witness_us == math.inf else format_ns(self.witness_us * 1000)
        return f"p95 of the load {load}, of the witness {witness} ({self.n:,} times on {self.series:,} series)"


def compare(run: Run, limit_ns: int, names: Collection[str]) -> Comparison:
    """Load and witness on those of the named series that both have."""
    account = run.witness
    seconds = [second for second in run.header.steady_seconds() if second in account.seconds]
    allowed_us = _allowed_ns(limit_ns) / 1000
    loads, times, longer, series = [], [], 0, 0
    for name in sorted(set(names) & account.times_us.keys() & run.intervals.keys()):
        by_second = run.intervals[name]
        load = Histogram.sum(by_second[second].service for second in seconds if second in by_second)
        seen = account.during(name, seconds)
        if load.total and seen:
            loads.append(load)
            times += seen
            least_us = _least_us(load)
            longer += sum(time_us > least_us - allowed_us for time_us in seen)
            series += 1
    load_us = Histogram.sum(loads).percentile_us(PERCENTILE) or 0.0
    witness_us = float(np.quantile(times, SHARE * 19, method="inverted_cdf")) if times else 0.0
    return Comparison(series, len(times), longer, _allowed_ns(limit_ns), load_us, witness_us)


def _allowed_ns(limit_ns: int) -> int:
    """5 % of the limit; but reading and stamping an answer takes any client of Python's up to 2 ms."""
    return max(LEAST_ALLOWED_NS, round(limit_ns / 20))


def _least_us(load: Histogram) -> int:
    """The least that the load's p95 can be: Woodruff's lower bound, and of its bucket the lower edge."""
    percentile, _ = quantile_bounds(PERCENTILE, load.total, 2 * SHARE)
    top_us = load.percentile_us(max(percentile, 1e-6)) or 0.0
    return int(bucket_lowest_us(bucket_index(np.array([int(top_us)], dtype=np.int64)))[0])


def witness_checks(run: Run, objectives: Sequence[Objective]) -> Iterator[Check]:
    """What the witness says of the client; nothing where there was none. It never breaks a run by itself."""
    for names, name, what, remedy in (
        ([name for name in run.intervals if is_request(name)], "witness", "client", _REMEDY),
        ([DELIVER] if DELIVER in run.intervals else [], "witness of deliveries", "swarm", _SWARM_REMEDY),
    ):
        if set(names) & run.witness.times_us.keys():
            yield _check(run, objectives, names, name, what, remedy)


def _check(run: Run, objectives: Sequence[Objective], names: Sequence[str], name: str, what: str, remedy: str) -> Check:
    """The client of requests, or the swarm of deliveries."""
    bound = (o for o in objectives if o.limit_ns and any(o.matches(name) for name in names))
    found = compare(run, min((o.limit_ns for o in bound if o.limit_ns), default=DEFAULT_LIMIT_NS), names)
    limit = f"the load's p95 at most {format_ns(found.allowed_ns)} above the witness's"
    if refused := _refused(run, names):
        return Check(name, "An idle client was to look as well", refused, limit, ok=True)
    if found.n < LEAST_PROBES:
        few = f"it has {found.n:,} times of the steady state, too few to tell; {LEAST_PROBES} it takes"
        return Check(name, "An idle client was to look as well", few, limit, ok=True)
    stamps = "the kernel's" if run.witness.by_kernel else "its own"
    text = f"{found}, by {stamps} stamps" + ("" if not found.is_queueing else f"; allowed are {limit}")
    return Check(name, f"The {what} added no time of its own", text, limit, not found.is_queueing, remedy=remedy)


def _refused(run: Run, names: Collection[str]) -> str:
    """What kept the witness from seeing what the load saw; empty when hardly anything did."""
    account = run.witness
    failed: Counter[str] = Counter()
    for name in names:
        failed += account.failed.get(name, Counter())
    tried = failed.total() + sum(len(t) for name in names for t in account.times_us.get(name, {}).values())
    if failed.total() <= MOST_FAILED * tried:
        return ""
    kind, _ = failed.most_common(1)[0]
    return f"{failed.total():,} of its {tried:,} looks failed, most often: {kind}; so it says nothing"


def witnessed(run: Run, objective: Objective, verdict: Verdict) -> Verdict:
    """A FAIL that the client's own queueing may have made is INVALID; a PASS stands, since queueing only adds time.

    By the objective's own series where the witness made enough requests there, else by all: it is one client, and what
    it adds to others may be what these are over their limit by; where they are over it by more, the FAIL stands. So it
    stands where errors, which no queue makes, are more than the budget, and where the witness alone would fail the
    objective too: P(Bin(n, budget) >= K) <= 1 % of K slower than the limit.
    """
    limit_ns, budget = objective.limit_ns, objective.budget
    if verdict.status is not Status.FAIL or objective.kind is not Kind.LATENCY or not (limit_ns and budget):
        return verdict
    bound = replace(objective, series=DELIVER if verdict.series in _FAN_OUT else verdict.series)
    names = [name for name in run.intervals if (is_request(name) or name == DELIVER) and bound.matches(name)]
    if not names or not run.witness.seconds or _refused(run, names):
        return verdict
    if _errors_alone_fail(run, [verdict.series] if verdict.series in _FAN_OUT else names, budget):
        return verdict
    found = compare(run, limit_ns, names)
    if found.n < LEAST_PROBES and DELIVER in names:
        return verdict
    if found.n < LEAST_PROBES:
        found = compare(run, limit_ns, [name for name in run.intervals if is_request(name)])
        if not _explains(run, names, limit_ns / 1000, budget, found):
            return verdict
    elif _fails_alone(run, names, limit_ns / 1000, budget):
        return verdict
    if not found.is_queueing:
        return verdict
    reason = f"{verdict.reason}; but the client itself was queueing: {found}"
    remedy = _SWARM_REMEDY if names == [DELIVER] else _REMEDY
    return replace(verdict, status=Status.INVALID, reason=reason, remedy=remedy)


def _errors_alone_fail(run: Run, names: Collection[str], budget: float) -> bool:
    parts = [run.intervals[name][s] for name in names for s in run.header.steady_seconds() if s in run.intervals[name]]
    return sum(part.error_count + part.lost for part in parts) > budget * sum(part.count for part in parts)


def _explains(run: Run, names: Collection[str], limit_us: float, budget: float, found: Comparison) -> bool:
    """Whether a delay such as the client adds to others could be what these series are over their limit by."""
    seconds = set(run.header.steady_seconds())
    services = [i.service for name in names for second, i in run.intervals[name].items() if second in seconds]
    slowest_us = Histogram.sum(services).percentile_us(100 * (1 - budget)) or math.inf
    return slowest_us - (found.load_us - found.witness_us) <= limit_us


def _fails_alone(run: Run, names: Collection[str], limit_us: float, budget: float) -> bool:
    seconds = run.header.steady_seconds()
    times = [time_us for name in names for time_us in run.witness.during(name, seconds)]
    slower = sum(time_us > limit_us for time_us in times)
    return slower > 0 and 1 - float(bdtr(slower - 1, len(times), budget)) <= ALPHA
