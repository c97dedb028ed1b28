"""A run on disk: append-only while it runs, so that a killed run still reads.

    run.json          what, where, versions, commit, seed, plan, phases; rewritten when the run ends
    intervals.hlog    histograms per second and series (HdrHistogram log 1.3)
    counts.jsonl      the exact counts beside them
    events.jsonl      phases, errors, lost workers, one JSON object a line
    resources.csv     generator and target once a second
    vitals.jsonl      how the generator's processes fared, once a second each
    target.jsonl      the target's own metrics once a second, where the scenario names them
    witness.jsonl     what an idle process saw of the same target, once a second
    exemplars.jsonl   slowest and failed requests, redacted
    deliveries.jsonl  the swarm's ledger, the last line counts
    swarm.jsonl       how connections ended, how evenly they were served, whose deliveries went wrong; the last counts
    fanout.jsonl      what messages took to reach the first, the middle and the last of so many subscribers
    verdict.json      objectives and self-checks
    summary.json      the figures, for machines

Everything after a Run is a pure function of Runs.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import Any

from loadtests.errors import RunError
from loadtests.header import PhaseSpan, RunHeader
from loadtests.hlog import read_hlog
from loadtests.interval import Interval, merge
from loadtests.swarmaccount import SwarmAccount
from loadtests.targetaccount import TargetAccount
from loadtests.verdict import RunVerdict
from loadtests.witnessaccount import WitnessAccount

__all__ = ["Run"]


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
        found: dict[str, dict[int, Interval]] = defaultdict(dict)
        with self._reading("counts.jsonl"):
            for line in self._lines("counts.jsonl"):
                interval = Interval.from_json(json.loads(line))
                before = found[interval.series].get(interval.second)
                found[interval.series][interval.second] = before + interval if before else interval
        with self._reading("intervals.hlog"):
            for series, name, start_wall_s, histogram in read_hlog(self._lines("intervals.hlog")):
                second = round(start_wall_s - self.header.started_wall_s)
                if second not in found[series]:
                    found[series][second] = Interval(series, second)
                interval = found[series][second]
                setattr(interval, name, getattr(interval, name) + histogram)
        return {series: dict(sorted(seconds.items())) for series, seconds in sorted(found.items())}

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
    def fan_outs(self) -> list[dict[str, int]]:
        """What messages took by second and number of subscribers (see :meth:`loadtests.fanout.FanOuts.take`)."""
        return self._jsonl("fanout.jsonl")

    @cached_property
    def swarm(self) -> SwarmAccount:
        """How the swarm's connections ended, and how evenly they were served."""
        with self._reading("swarm.jsonl"):
            return SwarmAccount.together(self._jsonl("swarm.jsonl")[-1:])

    @cached_property
    def resources(self) -> list[dict[str, float]]:
        """One row a second, ``at_s`` and what was read; unread values are left out."""
        with self._reading("resources.csv"):
            rows = csv.DictReader(self._lines("resources.csv"))
            return [{name: float(value) for name, value in row.items() if value and name} for row in rows]

    @cached_property
    def vitals(self) -> list[dict[str, Any]]:
        """How each process of the generator fared, second by second (see :mod:`loadtests.vitals`)."""
        return self._jsonl("vitals.jsonl")

    @cached_property
    def target_account(self) -> TargetAccount:
        """What the target's own metrics said; empty where they were not asked."""
        with self._reading("target.jsonl"):
            return TargetAccount.from_rows(self._jsonl("target.jsonl"))

    @cached_property
    def witness(self) -> WitnessAccount:
        """What the witness saw; empty without one."""
        with self._reading("witness.jsonl"):
            return WitnessAccount.from_rows(self._jsonl("witness.jsonl"))

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
