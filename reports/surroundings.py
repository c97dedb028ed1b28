"""How a run can be repeated and checked: environment, seeds, command, raw files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from loadtests.header import RunHeader
from loadtests.run import Run
from reports.figures import count, duration, size, span

__all__ = ["RawFile", "facts", "raw_files"]

_FILES: Final = {
    "run.json": "what, where, versions, seed, plan",
    "intervals.hlog": "histograms per second and series (HdrHistogram log 1.3)",
    "counts.jsonl": "exact counts per second and series",
    "events.jsonl": "phases, errors, faults",
    "resources.csv": "generator and target, once a second",
    "vitals.jsonl": "how the generator's processes fared, once a second",
    "target.jsonl": "the target's own metrics, about once a second",
    "exemplars.jsonl": "slowest and failed requests, redacted",
    "deliveries.jsonl": "the swarm's ledger",
    "swarm.jsonl": "how its connections ended, how evenly they were served, and whose deliveries went wrong",
    "fanout.jsonl": "what messages took to reach so many subscribers",
    "verdict.json": "objectives and self-checks",
    "summary.json": "the figures, for machines",
    "summary.md": "this page in short",
    "junit.xml": "the objectives as test cases",
}


@dataclass(frozen=True)
class RawFile:
    """A file that the page was made of, or that stands beside it."""

    name: str
    link: str
    meaning: str
    size: str


def raw_files(run: Run, beside: Path) -> list[RawFile]:
    """The run's files that exist, linked relative to where the page stands."""
    found = []
    for name, meaning in _FILES.items():
        path = run.directory / name
        if path.is_file() and (length := path.stat().st_size):
            link = quote(Path(os.path.relpath(path, beside)).as_posix())
            found.append(RawFile(name, link, meaning, size(length)))
    return found


def facts(run: Run) -> list[tuple[str, str]]:
    """What the run ran on and with, as terms and values; nothing unknown is listed."""
    header = run.header
    rows = [
        ("Run", f"{header.name}, {header.run_id}"),
        (
            "Model",
            f"{header.model} ({'arrivals by plan' if header.model == 'open' else 'each user waits for its answer'})",
        ),
        ("Users", count(header.users)),
        ("Connections", count(header.connections) if header.connections else ""),
        ("Planned arrivals", "" if header.planned is None else count(header.planned)),
        ("Time-out", span(header.timeout_s)),
        ("Calibration", _calibration(header)),
        ("Seed", str(header.seed)),
        ("Plan hash", header.plan_hash),
        ("Commit", header.commit),
        *((f"Host: {name}", str(value)) for name, value in header.host.items()),
        *((f"Version: {name}", str(value)) for name, value in header.versions.items()),
    ]
    return [(term, value) for term, value in rows if value]


def _calibration(header: RunHeader) -> str:
    """What the harness measures where there is nothing to measure: to be read beside every time on the page."""
    cited = header.calibration
    if not cited:
        return "none speaks for this run, so its floor is not known (loadtests doctor)"
    floor = ", ".join(f"{'max' if p == '100' else f'p{p}'} {duration(ms * 1e6)}" for p, ms in cited["floor_ms"].items())
    return f"{cited['id']}: floor {floor}; drove {cited['headroom']:.1f} times {cited['rate_per_s']:g}/s"
