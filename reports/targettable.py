"""The target's own account of the steady state: sentences where a name is known, a table of every series."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from loadtests.run import Run
from loadtests.targetaccount import COUNTER, GAUGE, TargetAccount
from reports.figures import NOTHING, count, duration, percent, rate, significant, size

__all__ = ["TargetTable", "cache_pairs", "named", "target_table"]

_ANSWERED = re.compile(r"(?:^|_)cache_hits(?=_total(?:\{|$)|\{|$)")


@dataclass(frozen=True)
class TargetTable:
    """What is said of the target in its own numbers."""

    sentences: tuple[str, ...]
    gaps: tuple[str, ...]
    """What could not be read or was not kept, and why."""
    counters: tuple[tuple[str, ...], ...]
    """Series, growth, growth per second, and the mean where a sum stands beside its count."""
    gauges: tuple[tuple[str, ...], ...]
    """Series, mean, most."""


def target_table(run: Run, seconds: Sequence[int]) -> TargetTable | None:
    """Over the given seconds; None where the target's metrics were never asked for."""
    account = run.target_account
    if not account.series and not account.missing:
        return None
    return TargetTable(
        tuple(_sentences(account, seconds)),
        tuple(_gaps(account, seconds)),
        tuple(_counters(account, seconds)),
        tuple(_gauges(account, seconds)),
    )


def cache_pairs(account: TargetAccount) -> list[tuple[str, str]]:
    """Names of the hits and the misses of each cache."""
    pairs = [(name, _ANSWERED.sub(lambda m: m[0].replace("hits", "misses"), name)) for name in account.series]
    return [(found, missed) for found, missed in pairs if found != missed and missed in account.series]


def named(account: TargetAccount, ending: str) -> str | None:
    """The first series without labels whose name ends so."""
    return next((name for name in account.series if f"_{name}".endswith(f"_{ending}")), None)


def _sentences(account: TargetAccount, seconds: Sequence[int]) -> Iterator[str]:
    pairs = cache_pairs(account)
    for found, missed in pairs:
        had, had_not = (_growth(account, name, seconds) for name in (found, missed))
        which = "The cache" if len(pairs) == 1 else f"The cache of {found}"
        if had is not None and had_not is not None and had + had_not > 0:
            yield f"{which} had {percent(had / (had + had_not))} of {count(had + had_not)} answers."
    if lent := _values(account, "database_connections_in_use", seconds):
        yield f"Of the database connections {_mean(lent)} were in use on average, {count(max(lent))} at most."
    if waits := _mean_of(account, "database_wait_seconds", seconds):
        waited = f"Requests waited {duration(waits[0] * 1e9)} for a database connection on average"
        yield f"{waited}, over {count(waits[1])} of them."
    if lags := _mean_of(account, "loop_lag_seconds", seconds):
        latest = _values(account, "loop_lag_last_seconds", seconds)
        most = f", {duration(max(latest) * 1e9)} in the worst reading" if latest else ""
        yield f"The event loop woke {duration(lags[0] * 1e9)} late on average{most}."
    if queued := _values(account, "frames_queued", seconds):
        yield f"{_mean(queued)} frames waited for a socket on average, {count(max(queued))} at most."
    if sockets := _values(account, "sockets_open", seconds):
        yield f"{_mean(sockets)} WebSockets were open on average, {count(max(sockets))} at most."
    dropped = _growth(account, named(account, "events_dropped_total"), seconds)
    if dropped is not None:
        yield f"{count(dropped)} deliveries were dropped by a full outbox." if dropped else "No delivery was dropped."


def _gaps(account: TargetAccount, seconds: Sequence[int]) -> Iterator[str]:
    if not account.read_at_s:
        yield "The target's metrics were never read."
    if account.left_out:
        yield f"Not everything was kept: {account.left_out}."
    within = set(seconds)
    reasons = Counter(why for at_s, why in account.missing if at_s // 1 in within)
    if total := reasons.total():
        why = "; ".join(f"{reason} ({n} times)" if n > 1 else reason for reason, n in reasons.most_common(3))
        yield f"In {total} of {len(within)} steady seconds they could not be read: {why}."


def _counters(account: TargetAccount, seconds: Sequence[int]) -> Iterator[tuple[str, ...]]:
    for name, series in account.series.items():
        grown = series.growth(seconds) if series.kind == COUNTER else None
        whole = _sum_of(name)
        if grown is None or _count_of(name) in account.series:
            continue  # a sum is told as the mean beside its count
        mean = NOTHING
        if whole in account.series and grown[0]:
            total = account.series[whole].growth(seconds)
            mean = _unit(whole)(total[0] / grown[0]) if total else NOTHING
        yield name, significant(grown[0]), rate(grown[0] / grown[1]), mean


def _gauges(account: TargetAccount, seconds: Sequence[int]) -> Iterator[tuple[str, ...]]:
    for name, series in account.series.items():
        if series.kind == GAUGE and (values := series.values(seconds)):
            write = _unit(name)
            yield name, write(sum(values) / len(values)), write(max(values))


def _growth(account: TargetAccount, name: str | None, seconds: Sequence[int]) -> float | None:
    grown = account.series[name].growth(seconds) if name is not None else None
    return None if grown is None else grown[0]


def _values(account: TargetAccount, ending: str, seconds: Sequence[int]) -> list[float]:
    name = named(account, ending)
    return account.series[name].values(seconds) if name is not None else []


def _mean_of(account: TargetAccount, ending: str, seconds: Sequence[int]) -> tuple[float, float] | None:
    """Mean and number of what a histogram was given in the seconds."""
    total, n = (_growth(account, named(account, f"{ending}_{part}"), seconds) for part in ("sum", "count"))
    return (total / n, n) if total is not None and n else None


def _mean(values: Sequence[float]) -> str:
    return significant(sum(values) / len(values))


def _sum_of(name: str) -> str:
    return re.sub(r"_count(?=\{|$)", "_sum", name, count=1) if re.search(r"^[^{]*_count(\{|$)", name) else ""


def _count_of(name: str) -> str:
    return re.sub(r"_sum(?=\{|$)", "_count", name, count=1) if re.search(r"^[^{]*_sum(\{|$)", name) else ""


def _unit(name: str) -> Callable[[float], str]:
    """How a value is written, by the unit in its name (Prometheus naming practice: base units)."""
    words = name.partition("{")[0].removesuffix("_sum")
    if words.endswith("_bytes"):
        return size
    return (lambda value: duration(value * 1e9)) if words.endswith("_seconds") else significant
