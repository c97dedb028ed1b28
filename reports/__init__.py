"""Runs into what people and machines read: HTML, trend, Markdown, JUnit; all of it pure functions of Runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loadtests.run import Run
from reports.html import render_report
from reports.junit import render_junit
from reports.ledger import render_ledger
from reports.summary import render_summary
from reports.trend import render_trend

__all__ = [
    "render_junit",
    "render_ledger",
    "render_report",
    "render_summary",
    "render_trend",
    "write_report",
    "write_trend",
]


def write_report(run: Run, directory: Path) -> list[Path]:
    """Write ``report.html``, ``summary.md`` and ``junit.xml`` into a directory; returns their paths.

    The page comes last, so that its list of files beside it names the other two.
    """
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / name for name in ("report.html", "summary.md", "junit.xml")]
    _write(paths[1], render_summary(run).encode())
    _write(paths[2], render_junit(run))
    _write(paths[0], render_report(run, directory).encode())
    return paths


def write_trend(runs: Sequence[Run], path: Path) -> Path:
    """Write the trend page of one or more runs, in any order, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, render_trend(runs, path.parent).encode())
    return path


def _write(path: Path, content: bytes) -> None:
    """All of a file or nothing: a full disk leaves no half page."""
    whole = path.with_name(f".{path.name}.tmp")
    try:
        whole.write_bytes(content)
        whole.replace(path)
    finally:
        whole.unlink(missing_ok=True)
