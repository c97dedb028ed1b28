"""The command ``loadtests``."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from loadtests import __version__
from loadtests.adapter import parse_adapter
from loadtests.calibration import CALIBRATIONS, cited
from loadtests.commandsecrets import command_secrets
from loadtests.doctorcommand import doctor
from loadtests.duration import parse_duration_ns, parse_rate_per_s
from loadtests.errors import ExitCode, LoadtestsError, RunError, UsageError
from loadtests.judge import judge as judge_run
from loadtests.member import Due
from loadtests.objective import parse_objective
from loadtests.orchestrator import Options
from loadtests.overrides import Overrides
from loadtests.run import Run
from loadtests.scenario import ObjectiveGroup
from loadtests.scenariocheck import meaning_mistakes
from loadtests.scenariofile import read_scenario
from loadtests.swarmscenario import DEFAULT_ADAPTER, DEFAULT_OBJECTIVES, swarm_scenario
from loadtests.trial import Intent
from loadtests.urlscenario import url_scenario
from loadtests.wholerun import fail, tell, whole_run
from reports import render_ledger, write_report, write_trend

__all__ = ["app", "main"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Load tests that doubt themselves first. Exit codes: 0 PASS, 1 internal error, 2 usage or invalid file, "
    "3 FAIL, 4 INCONCLUSIVE, 5 INVALID (the generator's own fault), 130 interrupted.",
)


def main() -> None:
    """Entry point: every failure a user can cause is one message, never a traceback."""
    try:
        code = app(standalone_mode=False)
    except LoadtestsError as error:
        fail(str(error))
        code = error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = ExitCode.INTERRUPTED
    except Exception as error:
        if type(error).__module__.startswith(("click", "typer")) and hasattr(error, "format_message"):
            fail(error.format_message())
            code = ExitCode.USAGE
        else:
            raise
    sys.exit(int(code or 0))


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
    driver: Annotated[str, typer.Option(help="With --url: users (of Locust) or members (of asyncio).")] = "users",
    allow: Annotated[list[str] | None, typer.Option(help="Host, address or network that may be loaded.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.")] = None,
    processes: Annotated[int, typer.Option(min=1, help="Locust processes: 1, or a master and so many workers.")] = 1,
    swarm_processes: Annotated[int, typer.Option(min=1, help="Of each Locust process, to share its swarm.")] = 1,
    max_rate: Annotated[str, typer.Option(help="Refuse a plan that peaks above this.")] = "",
    stop_early: Annotated[bool, typer.Option(help="End the run once it is certainly failing.")] = False,
    insecure: Annotated[bool, typer.Option(help="With --url: do not verify TLS certificates.")] = False,
    witness: Annotated[bool, typer.Option(help="Let an idle process make a few of the load's GETs again.")] = True,
    ui: Annotated[bool, typer.Option(help="Serve Locust's own web page on loopback.")] = False,
    ui_port: Annotated[int, typer.Option(min=1, max=65535, help="Its port.")] = 8089,
    out: Annotated[Path | None, typer.Option(help="The run directory; default runs/NAME-TIME.")] = None,
    kept: Annotated[Path, typer.Option("--calibrations", help="Where doctor keeps calibrations.")] = CALIBRATIONS,
    require_calibration: Annotated[
        bool, typer.Option("--require-calibration", help="Refuse to run without one that is fresh and holds.")
    ] = False,
) -> None:
    """Make a run, judge it, write its pages."""
    if (scenario is None) == (not url):
        raise UsageError("name a scenario file or --url, one of the two")
    if str(scenario).lower().startswith(("http:", "https:")):
        raise UsageError("expected a scenario file, and this is a URL: --url loads one")
    cap = parse_rate_per_s(max_rate) if max_rate else None
    changes = Overrides(seed=seed, allow=tuple(allow or ()), max_rate=cap, witness=witness, stop_early=stop_early)
    if url:
        given = url, rate, users, duration, arrivals, warm_up, timeout, driver
        made = changes.applied(url_scenario(*given, insecure=insecure))
        for mistake in meaning_mistakes(made):
            raise UsageError(f"--url {url}: {mistake.text}")
        made = made.model_copy(update={"objectives": (ObjectiveGroup(must=tuple(objective or ("errors < 1%",))),)})
    else:
        assert scenario is not None  # noqa: S101 -- for the type checker
        changes = replace(
            changes,
            users=users or None,
            rate=parse_rate_per_s(rate) if rate else None,
            duration_ns=parse_duration_ns(duration) if duration else None,
            host=host or None,
        )
        made = read_scenario(scenario, changes)
        if objective:
            made = made.model_copy(update={"objectives": (*made.objectives, ObjectiveGroup(must=tuple(objective)))})
    directory = out or Path("runs") / f"{made.name.replace(' ', '-')}-{datetime.now():%Y%m%d-%H%M%S}"
    intent = Intent.of(made)
    calibration = cited(kept, intent, processes, time.time(), required=require_calibration)
    command = shlex.join(["loadtests", *sys.argv[1:]])
    citation = calibration.citation if calibration else {}
    options = Options(directory, command, processes, swarm_processes, ui_port if ui else None, citation)
    raise typer.Exit(whole_run(made, options, write_report, render_ledger))


@app.command()
def swarm(
    url: Annotated[str, typer.Argument(help="ws://HOST/PATH or wss://HOST/PATH.")],
    connections: Annotated[int, typer.Option(min=1, help="How many subscribers.")] = 100,
    connect_rate: Annotated[str, typer.Option(help="New connections while they come up, such as 500/s.")] = "200/s",
    duration: Annotated[str, typer.Option(help="How long they all listen.")] = "30s",
    adapter: Annotated[
        str,
        typer.Option(
            help="Where a message has its number, and perhaps its times (CLOCK_MONOTONIC, ns), channel, publisher and "
            "run: json:seq=FIELD,sent_ns=FIELD,intended_ns=FIELD,channel=FIELD,publisher=FIELD,run=FIELD, "
            "bytes:seq=OFFSET:u64 or python:MODULE:FUNCTION."
        ),
    ] = DEFAULT_ADAPTER,
    due: Annotated[
        Due, typer.Option(help="Whom a number is due to: all, who has heard its channel, or its connection alone.")
    ] = "everybody",
    echo: Annotated[str, typer.Option(help="Send so often on each, such as 10/s; the server sends it back.")] = "",
    send: Annotated[list[str] | None, typer.Option(help="Sent once connected; ${NAME} is of the environment.")] = None,
    header: Annotated[list[str] | None, typer.Option(help='Of the handshake, "Name: ${TOKEN}".')] = None,
    objective: Annotated[list[str] | None, typer.Option(help='Without, "lost == 0" and "connected >= 99%".')] = None,
    allow: Annotated[list[str] | None, typer.Option(help="Host, address or network that may be loaded.")] = None,
    processes: Annotated[int, typer.Option(min=1, help="Processes to share the connections.")] = 1,
    insecure: Annotated[bool, typer.Option(help="Do not verify TLS certificates.")] = False,
    compress: Annotated[bool, typer.Option(help="Let the server compress its messages.")] = False,
    out: Annotated[Path | None, typer.Option(help="The run directory; default runs/swarm-TIME.")] = None,
) -> None:
    """Listen to a server's broadcasts, or its echoes, with many connections, and account for every delivery."""
    parse_adapter(adapter)
    given = command_secrets(header or (), send or ())
    made = swarm_scenario(
        url,
        connections,
        parse_rate_per_s(connect_rate),
        parse_duration_ns(duration),
        {"adapter": adapter, "due": due, "compress": compress, **given.settings},
        tuple(objective or DEFAULT_OBJECTIVES),
        tls_verify=not insecure,
        echo_per_s=parse_rate_per_s(echo) if echo else None,
        secrets=given.secrets,
    )
    made = Overrides(allow=tuple(allow or ())).applied(made)
    directory = out or Path("runs") / f"swarm-{datetime.now():%Y%m%d-%H%M%S}"
    options = Options(directory, shlex.join(["loadtests", *map(given.hidden, sys.argv[1:])]), swarm_processes=processes)
    raise typer.Exit(whole_run(made, options, write_report, render_ledger))


app.command()(doctor)


@app.command()
def judge(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    objective: Annotated[list[str] | None, typer.Option(help="Judge on this as well; nothing is stored then.")] = None,
) -> None:
    """Judge a run again, from what is on disk."""
    stored = Run(run)
    verdict = judge_run(stored, [parse_objective(line) for line in objective or ()])
    tell(stored, verdict, render_ledger)
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
