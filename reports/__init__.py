"""Runs into what people and machines read: HTML, trend, Markdown, JUnit; all of it pure functions of Runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loadtests.run import Run
from reports.html import render_report
from reports.junit import render_junit
from reports.summary import render_summary
from reports.trend import render_trend

__all__ = ["render_junit", "render_report", "render_summary", "render_trend", "write_report", "write_trend"]


def write_report(run: Run, directory: Path) -> list[Path]:
    """Write ``report.html``, ``summary.md`` and ``junit.xml`` into a directory; returns their paths.

    The page comes last, so that its list of files beside it names the other two.
    """
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / name for name in ("report.html", "summary.md", "junit.xml")]
    paths[1].write_text(render_summary(run), encoding="utf-8")
    paths[2].write_bytes(render_junit(run))
    paths[0].write_text(render_report(run, directory), encoding="utf-8")
    return paths


def write_trend(runs: Sequence[Run], path: Path) -> Path:
    """Write the trend page of one or more runs, in any order, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_trend(runs, path.parent), encoding="utf-8")
    return path
