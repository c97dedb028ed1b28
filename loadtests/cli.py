"""The command ``loadtests``."""

from __future__ import annotations

import asyncio
import re
import shlex
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console

from loadtests import __version__
from loadtests.duration import parse_duration_ns, parse_rate_per_s
from loadtests.errors import ExitCode, LoadtestsError, RunError, UsageError
from loadtests.judge import judge as judge_run
from loadtests.liveboard import board_for
from loadtests.objective import parse_objective
from loadtests.orchestrator import Conducted, Options, conduct
from loadtests.overrides import Overrides
from loadtests.run import Run
from loadtests.scenario import Load, ObjectiveGroup, Phase, Scenario, Target, UserClass
from loadtests.scenariocheck import meaning_mistakes
from loadtests.scenariofile import read_scenario
from loadtests.series import series_name
from loadtests.summary import summarise
from loadtests.verdicttable import print_verdict
from reports import write_report, write_trend

__all__ = ["app", "main"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Load tests that doubt themselves first. Exit codes: 0 PASS, 1 internal error, 2 usage or invalid file, "
    "3 FAIL, 4 INCONCLUSIVE, 5 INVALID (the generator's own fault), 130 interrupted.",
)
_err = Console(stderr=True)


def main() -> None:
    """Entry point: every failure a user can cause is one message, never a traceback."""
    try:
        code = app(standalone_mode=False)
    except LoadtestsError as error:
        _fail(str(error))
        code = error.exit_code
    except typer.Abort:
        code = ExitCode.INTERRUPTED
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except Exception as error:
        if type(error).__module__.startswith(("click", "typer")) and hasattr(error, "format_message"):
            _fail(error.format_message())
            code = ExitCode.USAGE
        else:
            raise
    sys.exit(int(code or 0))


def _fail(message: str) -> None:
    _err.print(f"loadtests: {message}", style="red", markup=False, highlight=False, soft_wrap=True)


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(f"loadtests {__version__}")
        raise typer.Exit


@app.command()
def run(
    scenario: Annotated[Path | None, typer.Argument(help="A scenario file; or --url instead.")] = None,
    url: Annotated[str, typer.Option(help="GET this URL; no file needed.")] = "",
    rate: Annotated[str, typer.Option(help="Arrivals, such as 120/s. Without it --url is a closed loop.")] = "",
    users: Annotated[int, typer.Option(min=0, help="Users; in an open model at most so many tasks at a time.")] = 0,
    duration: Annotated[str, typer.Option(help="Length of the steady state, such as 60s or 8h.")] = "",
    objective: Annotated[list[str] | None, typer.Option(help='Such as "p95 < 200ms"; may be repeated.')] = None,
    arrivals: Annotated[str, typer.Option(help="With --url: constant or poisson.")] = "constant",
    warm_up: Annotated[str, typer.Option(help="With --url: load before the steady state, not judged.")] = "5s",
    timeout: Annotated[str, typer.Option(help="With --url: when a request is given up.")] = "10s",
    host: Annotated[str, typer.Option(help="Put the scenario's load on this URL instead.")] = "",
    allow: Annotated[list[str] | None, typer.Option(help="Host, address or network that may be loaded.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.")] = None,
    processes: Annotated[int, typer.Option(min=1, help="Locust processes: 1, or a master and so many workers.")] = 1,
    max_rate: Annotated[str, typer.Option(help="Refuse a plan that peaks above this.")] = "",
    stop_early: Annotated[bool, typer.Option(help="End the run once it is certainly failing.")] = False,
    insecure: Annotated[bool, typer.Option(help="With --url: do not verify TLS certificates.")] = False,
    witness: Annotated[bool, typer.Option(help="Let an idle process make a few of the load's GETs again.")] = True,
    ui: Annotated[bool, typer.Option(help="Serve Locust's own web page on loopback.")] = False,
    ui_port: Annotated[int, typer.Option(min=1, max=65535, help="Its port.")] = 8089,
    out: Annotated[Path | None, typer.Option(help="The run directory; default runs/NAME-TIME.")] = None,
) -> None:
    """Make a run, judge it, write its pages."""
    if (scenario is None) == (not url):
        raise UsageError("name a scenario file or --url, one of the two")
    if url:
        made = _url_scenario(url, rate, users, duration, arrivals, warm_up, timeout, insecure)
        cap = parse_rate_per_s(max_rate) if max_rate else None
        made = Overrides(
            seed=seed, allow=tuple(allow or ()), max_rate=cap, witness=witness, stop_early=stop_early
        ).applied(made)
        for mistake in meaning_mistakes(made):
            raise UsageError(f"--url {url}: {mistake.text}")
        lines = tuple(objective or ("errors < 1%",))
        made = made.model_copy(update={"objectives": (ObjectiveGroup(must=lines),)})
    else:
        assert scenario is not None  # noqa: S101 -- for the type checker
        changes = Overrides(
            users=users or None,
            rate=parse_rate_per_s(rate) if rate else None,
            duration_ns=parse_duration_ns(duration) if duration else None,
            host=host or None,
            seed=seed,
            allow=tuple(allow or ()),
            max_rate=parse_rate_per_s(max_rate) if max_rate else None,
            witness=witness,
            stop_early=stop_early,
        )
        made = read_scenario(scenario, changes)
        if objective:
            extra = ObjectiveGroup(must=tuple(objective))
            made = made.model_copy(update={"objectives": (*made.objectives, extra)})
    directory = out or Path("runs") / f"{made.name.replace(' ', '-')}-{datetime.now():%Y%m%d-%H%M%S}"
    options = Options(directory, shlex.join(["loadtests", *sys.argv[1:]]), processes, ui_port if ui else None)
    try:
        conducted = asyncio.run(conduct(made, options, board_for(_err)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        _fail(f"interrupted before any load; nothing was measured ({directory})")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    raise typer.Exit(_close(conducted, directory))


def _wide() -> Console:
    """Standard output; where it is no terminal, wide enough that a table's cells are not broken."""
    console = Console()
    return console if console.is_terminal else Console(width=160)


def _close(conducted: Conducted, directory: Path) -> ExitCode:
    """Judge a run that was made, write its pages, say how it came out."""
    finished = Run(directory)
    finished.verdict = verdict = judge_run(finished)
    print_verdict(_wide(), finished, verdict)
    code = ExitCode.INTERRUPTED if conducted.interrupted else verdict.status.exit_code
    try:
        conducted.writer.verdict(verdict)
        conducted.writer.summary(summarise(finished, verdict, conducted.locust))
        for path in write_report(finished, directory):
            print(f"  {path}")
    except OSError as error:
        _fail(
            f"cannot write all of {directory}: {error.strerror or error}; make room, then: loadtests report {directory}"
        )
        return code or ExitCode.INTERNAL
    return code


def _url_scenario(
    url: str, rate: str, users: int, duration: str, arrivals: str, warm_up: str, timeout: str, insecure: bool
) -> Scenario:
    if arrivals not in ("constant", "poisson"):
        raise UsageError(f'--arrivals "{arrivals}": expected constant or poisson')
    if "://" not in url:
        url = f"http://{url}"
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"--url {url}: {error}") from None
    path = parts.path or "/"
    return Scenario(
        name=re.sub(r"[^A-Za-z0-9._-]+", "-", parts.netloc + path).strip("-"),
        target=Target(url=f"{parts.scheme}://{parts.netloc}", tls_verify=not insecure),
        load=Load.model_validate(
            {"timeout": parse_duration_ns(timeout), "users": users or (100 if rate else 10)}
            | ({"rate": parse_rate_per_s(rate), "arrivals": arrivals} if rate else {"model": "closed"})
        ),
        phases=(
            *((Phase(kind="warm-up", duration=parse_duration_ns(warm_up)),) if warm_up not in ("0", "0s", "") else ()),
            Phase(kind="steady", duration=parse_duration_ns(duration or "60s")),
        ),
        users=(UserClass.model_validate({"class": "loadtests.urluser:UrlUser"}),),
        settings={"url": url, "arrival_series": series_name("GET", path)},
    )


@app.command()
def judge(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    objective: Annotated[list[str] | None, typer.Option(help="Judge on this as well; nothing is stored then.")] = None,
) -> None:
    """Judge a run again, from what is on disk."""
    stored = Run(run)
    verdict = judge_run(stored, [parse_objective(line) for line in objective or ()])
    print_verdict(_wide(), stored, verdict)
    raise typer.Exit(verdict.status.exit_code)


@app.command()
def report(run: Annotated[Path, typer.Argument(help="A run directory.")]) -> None:
    """Write a run's pages again: report.html, summary.md, junit.xml."""
    stored = Run(run)
    stored.verdict = judge_run(stored)
    try:
        for path in write_report(stored, run):
            print(path)
    except OSError as error:
        raise RunError(f"cannot write the pages into {run}: {error.strerror or error}") from None


@app.command()
def trend(
    runs: Annotated[list[Path], typer.Argument(help="Run directories, oldest first or in any order.")],
    out: Annotated[Path, typer.Option(help="The page.")] = Path("trend.html"),
) -> None:
    """Write one page over several runs."""
    stored = sorted((_judged(path) for path in runs), key=lambda r: r.header.started_wall_s)
    print(write_trend(stored, out))


def _judged(directory: Path) -> Run:
    """A run with a verdict; one that was killed before it was judged is judged now."""
    stored = Run(directory)
    if stored.verdict is None:
        stored.verdict = judge_run(stored)
    return stored
