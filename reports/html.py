"""The page of one run: one HTML file that needs no script, no network and no running target."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from loadtests.run import Run
from loadtests.series import DELIVER, is_swarm
from reports.affected import affected_tables
from reports.charts.canvas import Chart
from reports.charts.curve import curve
from reports.charts.heatmap import heatmap
from reports.charts.overtime import over_time
from reports.charts.rates import failures_over_time, offered_and_achieved
from reports.charts.resources import resource_charts
from reports.charts.swarm import swarm_charts
from reports.charts.target import target_charts
from reports.contracttable import contract_rows
from reports.exemplarrow import slowest
from reports.failures import failure_rows
from reports.figures import clock
from reports.headline import headline, status_view
from reports.incident import Incident, incidents
from reports.ledger import ledger, ledger_sentence
from reports.objectiverow import BAR_LIMIT_PX, BAR_PX, objective_rows
from reports.page import render
from reports.phasetable import phase_rows
from reports.seriestable import FAILED_PERCENTILES, PERCENTILES, failed_rows, series_rows
from reports.servertable import server_table
from reports.subject import Subject, live, offered, requests, subjects
from reports.surroundings import facts, raw_files
from reports.targettable import target_table
from reports.timeline import Steady, Timeline
from reports.witnesstable import WITNESSED, witness_rows

__all__ = ["render_report"]

_FIRST_ROWS: Final = 6
_MOST_SUBJECTS: Final = 6
_MOST_FAILURES: Final = 12
_MOST_VALUE: Final = 48
"""Characters of evidence that a line has room for; the table of self-checks has all."""


def render_report(run: Run, directory: Path | None = None) -> str:
    """The page as text; ``directory`` is where it will stand, so that links to raw files are right."""
    timeline = Timeline(run)
    steady = Steady(run, timeline)
    happened = incidents(run)
    about = subjects(run)
    head = headline(run)
    rows = objective_rows(run)
    failures = failure_rows(run)
    return render(
        "report.html.jinja",
        run=run,
        header=run.header,
        verdict=run.verdict,
        head=head,
        closed=run.header.model == "closed",
        clock=clock,
        objectives=rows,
        first_rows=_first_rows(len(rows), len(head.banners)),
        bar_px=BAR_PX,
        bar_limit_px=BAR_LIMIT_PX,
        failures=failures,
        most_failures=_MOST_FAILURES,
        most_value=_MOST_VALUE,
        failed=failed_rows(steady),
        failed_percentiles=FAILED_PERCENTILES,
        series=series_rows(run, steady),
        percentiles=PERCENTILES,
        subjects=_subject_charts(run, [one for one in about if not _live(one)], timeline, steady, happened, "s"),
        live=_subject_charts(run, [one for one in about if _live(one)], timeline, steady, happened, "w"),
        left_out=max(0, sum(not _live(one) for one in about) - _MOST_SUBJECTS),
        charts=_run_charts(run, about, timeline, happened),
        ledger=ledger(run),
        ledger_sentence=ledger_sentence(run),
        affected=affected_tables(run),
        swarm=swarm_charts(run, "l"),
        phases=phase_rows(run),
        server=server_table(run, steady),
        witness=witness_rows(run),
        witnessed=[f"p{p:g}" for p, _ in WITNESSED],
        target=target_table(run, steady.seconds),
        contract=contract_rows(run),
        slowest=slowest(run),
        incidents=happened,
        facts=facts(run),
        files=raw_files(run, directory or run.directory),
    )


def _first_rows(objectives: int, banners: int) -> int:
    """How many objectives have room on the first screen, beside banners and the line that opens the rest."""
    room = _FIRST_ROWS - banners
    return room if objectives <= room else room - 1


def _live(subject: Subject) -> bool:
    return all(is_swarm(name) for name in subject.series)


def _subject_charts(
    run: Run, about: Sequence[Subject], timeline: Timeline, steady: Steady, happened: Sequence[Incident], key: str
) -> list[dict[str, Any]]:
    closed = run.header.model == "closed"
    word = "service time" if closed else "response time"
    drawn: list[dict[str, Any]] = []
    for i, subject in enumerate(about[:_MOST_SUBJECTS]):
        charts = [
            curve(subject, steady.pool(subject.series), f"{key}{i}-curve", closed=closed),
            over_time(subject, timeline, happened, f"{key}{i}-time", word),
        ]
        view = status_view(subject.status) if subject.status else None
        drawn.append({"subject": subject, "status": view, "charts": [chart for chart in charts if chart]})
    return drawn


def _run_charts(run: Run, about: Sequence[Subject], timeline: Timeline, happened: Sequence[Incident]) -> list[Chart]:
    """What the whole run looked like: density, rates, failures, resources, all on one time axis."""
    names = requests(run) or tuple(name for name in live(run) if name == DELIVER) or live(run)
    limits = [limit for one in about if set(one.series) <= set(names) for limit in one.limits]
    word = "service time" if run.header.model == "closed" else "response time"
    pool = Subject("All requests", names)
    already = any(set(one.series) == set(names) for one in about)
    charts = [
        heatmap(names, limits, timeline, happened, "r-density", word),
        None if already else over_time(pool, timeline, happened, "r-time", word),
        offered_and_achieved(run, offered(run) or names, timeline, happened, "r-rates"),
        failures_over_time(offered(run) or names, timeline, happened, "r-failures"),
        *resource_charts(run, timeline, happened, "r"),
        *target_charts(run, timeline, happened, "r"),
    ]
    return [chart for chart in charts if chart]
