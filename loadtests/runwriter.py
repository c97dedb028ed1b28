"""Writing a run directory while it is made: appended to and flushed, so that a killed run still reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from loadtests.errors import RunError
from loadtests.header import RunHeader
from loadtests.hlog import HistogramLine, write_header, write_line
from loadtests.interval import Interval
from loadtests.verdict import RunVerdict

__all__ = ["RunWriter"]


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
            self._resources, self._target, self._vitals, self._witness = (
                self._append(name) for name in ("resources.csv", "target.jsonl", "vitals.jsonl", "witness.jsonl")
            )
            self._fan_outs, self._swarm = (self._append(name) for name in ("fanout.jsonl", "swarm.jsonl"))
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

    def swarm(self, account: Mapping[str, object]) -> None:
        """Append what the swarm says of itself; the last line counts."""
        self._swarm.write(json.dumps(account) + "\n")
        self._swarm.flush()

    def fan_out(self, row: Mapping[str, int]) -> None:
        """Append what one second's messages to as many subscribers took."""
        self._fan_outs.write(json.dumps(row) + "\n")
        self._fan_outs.flush()

    def resources(self, row: Mapping[str, float]) -> None:
        """Append one reading; the first decides the columns."""
        if not self._columns:
            self._columns = list(row)
            self._resources.write(",".join(self._columns) + "\n")
        cells = (f"{row[column]:.6g}" if column in row else "" for column in self._columns)
        self._resources.write(",".join(cells) + "\n")
        self._resources.flush()

    def target(self, row: Mapping[str, object]) -> None:
        """Append what the target's own metrics said, or why they could not be read."""
        self._target.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._target.flush()

    def vitals(self, source: str, row: Mapping[str, float]) -> None:
        """Append how a process of ours fared."""
        self._vitals.write(json.dumps({"source": source, **{n: float(f"{v:.6g}") for n, v in row.items()}}) + "\n")
        self._vitals.flush()

    def witness(self, row: Mapping[str, object]) -> None:
        """Append what the witness saw in a second."""
        self._witness.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._witness.flush()

    def close(self, header: RunHeader) -> None:
        """Write the final header; the caller has set its state."""
        self.header = header
        logs = (
            self._hlog,
            self._counts,
            self._events,
            self._exemplars,
            self._deliveries,
            self._fan_outs,
            self._swarm,
            self._resources,
            self._target,
            self._vitals,
            self._witness,
        )
        for log in logs:
            log.close()
        self._write_json("run.json", _header_json(header))

    def verdict(self, verdict: RunVerdict) -> None:
        """Write ``verdict.json``."""
        self._write_json("verdict.json", verdict.to_json())

    def summary(self, summary: Mapping[str, object]) -> None:
        """Write ``summary.json``."""
        self._write_json("summary.json", summary)


def _header_json(header: RunHeader) -> dict[str, Any]:
    return asdict(header) | {"t0_wall": datetime.fromtimestamp(header.started_wall_s, UTC).isoformat()}
