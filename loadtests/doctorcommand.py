"""The command ``loadtests doctor``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from loadtests.calibration import CALIBRATIONS
from loadtests.calibrationtable import print_calibration, print_check, print_intent, print_limits
from loadtests.doctor import Doctor
from loadtests.duration import parse_rate_per_s
from loadtests.errors import ExitCode
from loadtests.hostlimits import host_limits
from loadtests.liveboard import board_for
from loadtests.scenariofile import read_scenario
from loadtests.trial import Intent, Trials
from loadtests.urlscenario import url_scenario
from loadtests.wholerun import ERR, fail, wide

__all__ = ["doctor"]


def doctor(
    scenario: Annotated[Path | None, typer.Argument(help="A scenario file whose load is to be calibrated for.")] = None,
    rate: Annotated[str, typer.Option(help="Calibrate for this rate instead, such as 500/s.")] = "",
    processes: Annotated[int, typer.Option(min=1, help="Locust processes, as in the runs to come.")] = 1,
    limits: Annotated[bool, typer.Option("--limits", help="Only look at this machine's limits.")] = False,
    kept: Annotated[Path, typer.Option("--calibrations", help="Where calibrations are kept.")] = CALIBRATIONS,
) -> None:
    """Examine this machine and the harness itself, against a server that does nothing; later runs cite it."""
    planned = read_scenario(scenario) if scenario else url_scenario("127.0.0.1", rate or "200/s", arrivals="poisson")
    intent = Intent.of(planned, parse_rate_per_s(rate) if rate else None)
    mended = print_limits(wide(), host_limits(planned, processes))
    if limits:
        raise typer.Exit(ExitCode.PASS if mended else ExitCode.INVALID)
    trials = Trials(intent)
    console = wide()
    print_intent(console, trials, planned)
    examined = Doctor(trials, processes, lambda: board_for(ERR), lambda check: print_check(console, check))
    try:
        calibration = asyncio.run(examined.calibrate())
    except (KeyboardInterrupt, asyncio.CancelledError):
        fail("interrupted; no calibration was kept")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    path = calibration.write(kept)
    print_calibration(console, calibration, path)
    raise typer.Exit(ExitCode.PASS if calibration.holds and mended else ExitCode.INVALID)
