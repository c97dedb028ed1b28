"""A run on disk: append-only while it runs, so that a killed run still reads.

    run.json          what, where, versions, commit, seed, plan, phases; rewritten when the run ends
    intervals.hlog    histograms per second and series (HdrHistogram log 1.3)
    counts.jsonl      the exact counts beside them
    events.jsonl      phases, errors, lost workers, one JSON object a line
    resources.csv     generator and target once a second
    exemplars.jsonl   slowest and failed requests, redacted
    deliveries.jsonl  the swarm's ledger, the last line counts
    verdict.json      objectives and self-checks
    summary.json      the figures, for machines

Everything after a Run is a pure function of Runs.
"""

from __future__ import annotations

import csv
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

from loadtests.errors import RunError
from loadtests.hlog import HistogramLine, read_hlog, write_header, write_line
from loadtests.interval import Interval, merge
from loadtests.verdict import RunVerdict

__all__ = ["PhaseSpan", "Run", "RunHeader", "RunWriter"]


@dataclass(frozen=True)
class PhaseSpan:
    """A phase of the run in seconds from its start; ``kind`` is warm-up, steady or cool-down."""

    name: str
    kind: str
    start_s: float
    end_s: float
    load: str = ""
    """Its load in words, such as ``120/s``."""


@dataclass(frozen=True)
class RunHeader:
    """What ``run.json`` holds."""

    name: str
    run_id: str
    started_wall_s: float
    t0_ns: int
    target: str
    model: str
    """``open`` or ``closed``."""
    load: str
    """The load in words, such as ``120 users, 120 arrivals/s (Poisson), 60 connections``."""
    users: int
    seed: int
    phases: tuple[PhaseSpan, ...]
    objectives: tuple[dict[str, str], ...] = ()
    """Each as ``{"text", "series", "scope"}``."""
    planned: int | None = None
    """Arrivals that the plan holds over all phases; None in a closed model."""
    plan_hash: str = ""
    connections: int = 0
    timeout_s: float = 10.0
    command: str = ""
    commit: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    host: Mapping[str, str] = field(default_factory=dict)
    scenario: Mapping[str, Any] = field(default_factory=dict)
    advice: tuple[str, ...] = ()
    """What was said before the load about objectives that the plan is too short for."""
    state: str = "running"
    """``running``, ``complete`` or ``partial``."""
    partial: str | None = None
    """Why the run ended early."""
    fault: str = ""
    """Whose fault that was: ``target``, ``generator``, or nobody's (an interruption)."""
    ended_wall_s: float | None = None
    accounting: Mapping[str, int] = field(default_factory=dict)
    """Arrivals and requests counted at their source, for the accounting identities."""
    format: int = 1

    @property
    def steady(self) -> tuple[PhaseSpan, ...]:
        """The phases that are judged."""
        return tuple(phase for phase in self.phases if phase.kind == "steady")

    def steady_seconds(self) -> list[int]:
        """The whole seconds of all steady phases, ascending; objectives are judged on these alone."""
        spans = ((round(phase.start_s, 6), round(phase.end_s, 6)) for phase in self.steady)  # 0.7 + 0.2 + 0.1 s is 1 s
        return [second for start_s, end_s in spans for second in range(math.ceil(start_s), math.floor(end_s))]


class RunWriter:
    """Writes a run directory.

    Raises:
        RunError: from the constructor, when the directory cannot be made or already holds a run.

    """

    def __init__(self, directory: Path, header: RunHeader) -> None:
        self.directory = directory
        self.header = header
        try:
            directory.mkdir(parents=True, exist_ok=True)
            if (directory / "run.json").exists():
                raise RunError(f"{directory} already holds a run; name another directory with --out")
            self._write_json("run.json", _header_json(header))
            self._hlog, self._counts, self._events, self._exemplars, self._deliveries = (
                self._append(name)
                for name in ("intervals.hlog", "counts.jsonl", "events.jsonl", "exemplars.jsonl", "deliveries.jsonl")
            )
            self._resources = self._append("resources.csv")
        except OSError as error:
            raise RunError(
                f"cannot write the run directory {directory}: {error.strerror or error}; name a writable one with --out"
            ) from None
        self._columns: list[str] = []
        started = datetime.fromtimestamp(header.started_wall_s, UTC).isoformat(timespec="seconds")
        write_header(self._hlog, header.started_wall_s, started)

    def _append(self, name: str) -> TextIO:
        # A name out of a target's JSON may hold half a character; written as its escape, it reads back as it was.
        return (self.directory / name).open("a", encoding="utf-8", errors="backslashreplace")

    def _write_json(self, name: str, value: object) -> None:
        whole = self.directory / f".{name}.tmp"
        text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
        whole.write_text(text, encoding="utf-8", errors="backslashreplace")
        whole.replace(self.directory / name)

    def intervals(self, intervals: Iterable[Interval]) -> None:
        """Append what a process folded."""
        for interval in intervals:
            self._counts.write(json.dumps(interval.counts_json(), ensure_ascii=False) + "\n")
            for name, histogram in interval.histograms():
                start_s = self.header.started_wall_s + interval.second
                write_line(self._hlog, HistogramLine(interval.series, name, start_s, histogram))
        self._counts.flush()
        self._hlog.flush()

    def event(self, at_s: float, kind: str, text: str, **more: object) -> None:
        """Append an event at seconds from the run's start."""
        row = {"at_s": round(at_s, 3), "kind": kind, "text": text, **more}
        self._events.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._events.flush()

    def exemplar(self, row: Mapping[str, object]) -> None:
        """Append one slow or failed request; the caller has redacted it."""
        self._exemplars.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._exemplars.flush()

    def deliveries(self, ledger: Mapping[str, int]) -> None:
        """Append the swarm's ledger as it stands; the last line counts."""
        self._deliveries.write(json.dumps(ledger) + "\n")
        self._deliveries.flush()

    def resources(self, row: Mapping[str, float]) -> None:
        """Append one reading; the first decides the columns."""
        if not self._columns:
            self._columns = list(row)
            self._resources.write(",".join(self._columns) + "\n")
        cells = (f"{row[column]:.6g}" if column in row else "" for column in self._columns)
        self._resources.write(",".join(cells) + "\n")
        self._resources.flush()

    def close(self, header: RunHeader) -> None:
        """Write the final header; the caller has set its state."""
        self.header = header
        for log in (self._hlog, self._counts, self._events, self._exemplars, self._deliveries, self._resources):
            log.close()
        self._write_json("run.json", _header_json(header))

    def verdict(self, verdict: RunVerdict) -> None:
        """Write ``verdict.json``."""
        self._write_json("verdict.json", verdict.to_json())

    def summary(self, summary: Mapping[str, object]) -> None:
        """Write ``summary.json``."""
        self._write_json("summary.json", summary)


class Run:
    """A run read back.

    Raises:
        RunError: when the directory holds no run.

    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        path = directory / "run.json"
        try:
            row = json.loads(path.read_text(encoding="utf-8"))
            phases = tuple(
                PhaseSpan(**phase | {"start_s": float(phase["start_s"]), "end_s": float(phase["end_s"])})
                for phase in row.pop("phases")
            )
            known = {f.name for f in fields(RunHeader)}
            values: dict[str, Any] = {
                name: tuple(v) if isinstance(v, list) else v for name, v in row.items() if name in known
            }
            self.header = RunHeader(phases=phases, **values)
        except FileNotFoundError:
            raise RunError(f"{directory} holds no run: there is no run.json in it") from None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise RunError(f"{path} cannot be read: {error}") from None

    @cached_property
    def intervals(self) -> dict[str, dict[int, Interval]]:
        """Every Interval, merged, by series (sorted) and second."""
        parts: dict[tuple[str, int], list[Interval]] = defaultdict(list)
        with self._reading("counts.jsonl"):
            for row in self._jsonl("counts.jsonl"):
                interval = Interval.from_json(row)
                parts[interval.series, interval.second].append(interval)
        with self._reading("intervals.hlog"):
            for line in read_hlog(self._lines("intervals.hlog")):
                second = round(line.start_wall_s - self.header.started_wall_s)
                part = Interval(line.series, second)
                setattr(part, line.name, line.histogram)
                parts[line.series, second].append(part)
        merged: dict[str, dict[int, Interval]] = defaultdict(dict)
        for (series, second), several in sorted(parts.items()):
            merged[series][second] = merge(several, series=series, second=second)
        return dict(merged)

    def steady(self, series: str) -> Interval:
        """All steady seconds of one series together."""
        seconds = self.intervals.get(series, {})
        return merge((seconds[s] for s in self.header.steady_seconds() if s in seconds), series=series)

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """Events in the order in which they were written."""
        return self._jsonl("events.jsonl")

    @cached_property
    def exemplars(self) -> list[dict[str, Any]]:
        """Slow and failed requests."""
        return self._jsonl("exemplars.jsonl")

    @cached_property
    def deliveries(self) -> dict[str, int]:
        """The swarm's ledger; empty without a swarm."""
        rows = self._jsonl("deliveries.jsonl")
        return rows[-1] if rows else {}

    @cached_property
    def resources(self) -> list[dict[str, float]]:
        """One row a second, ``at_s`` and what was read; unread values are left out."""
        with self._reading("resources.csv"):
            rows = csv.DictReader(self._lines("resources.csv"))
            return [{name: float(value) for name, value in row.items() if value and name} for row in rows]

    @cached_property
    def verdict(self) -> RunVerdict | None:
        """The stored verdict; None of a run that was never judged."""
        path = self.directory / "verdict.json"
        with self._reading("verdict.json"):
            return RunVerdict.from_json(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        """A file that is not what a run writes is one clear failure."""
        try:
            yield
        except (ValueError, TypeError, KeyError, AttributeError, csv.Error) as error:
            raise RunError(f"{self.directory / name} is damaged: {error}") from None

    def _jsonl(self, name: str) -> list[dict[str, Any]]:
        with self._reading(name):
            return [json.loads(line) for line in self._lines(name)]

    def _lines(self, name: str) -> Iterator[str]:
        """Every whole line of a file; one cut short by a kill is left out, within a character as well."""
        path = self.directory / name
        if path.exists():
            with path.open(encoding="utf-8", errors="replace", newline="\n") as lines:
                yield from (line for line in lines if line.endswith("\n"))


def _header_json(header: RunHeader) -> dict[str, Any]:
    return asdict(header) | {"t0_wall": datetime.fromtimestamp(header.started_wall_s, UTC).isoformat()}
