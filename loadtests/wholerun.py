"""A whole run as a command makes it: conducted, judged, its pages written, and told how it came out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console

from loadtests.errors import ExitCode
from loadtests.judge import judge
from loadtests.liveboard import board_for
from loadtests.mishap import mishap_lines
from loadtests.orchestrator import Conducted, Options, conduct
from loadtests.run import Run
from loadtests.scenario import Scenario
from loadtests.summary import summarise
from loadtests.verdict import RunVerdict
from loadtests.verdicttable import print_verdict

__all__ = ["ERR", "Account", "Pages", "fail", "tell", "whole_run", "wide"]

Pages = Callable[[Run, Path], Iterable[Path]]
"""Writes a run's pages into a directory, and says which."""
Account = Callable[[Run], str]
"""What came of a swarm's deliveries, as lines; empty without a swarm."""

ERR = Console(stderr=True)


def fail(message: str) -> None:
    """One message of a failure."""
    ERR.print(f"loadtests: {message}", style="red", markup=False, highlight=False, soft_wrap=True)


def wide() -> Console:
    """Standard output; where it is no terminal, wide enough that a table's cells are not broken."""
    console = Console()
    return console if console.is_terminal else Console(width=160)


def whole_run(scenario: Scenario, options: Options, write_pages: Pages, account: Account) -> ExitCode:
    """Make it, judge it, let its pages be written; what the command is to say to the shell.

    Raises:
        LoadtestsError: before any load, where it cannot be made.

    """
    try:
        conducted = asyncio.run(conduct(scenario, options, board_for(ERR)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        fail(f"interrupted before any load; nothing was measured ({options.out})")
        return ExitCode.INTERRUPTED
    return _close(conducted, options.out, write_pages, account)


def tell(run: Run, verdict: RunVerdict, account: Account) -> None:
    """Print what became of a run: its deliveries, where it had any, what went wrong in it, and its verdict."""
    for told in (account(run), mishap_lines(run)):
        if told:
            print(told, end="\n\n")
    print_verdict(wide(), run, verdict)


def _close(conducted: Conducted, directory: Path, write_pages: Pages, account: Account) -> ExitCode:
    finished = Run(directory)
    finished.verdict = verdict = judge(finished)
    tell(finished, verdict, account)
    code = ExitCode.INTERRUPTED if conducted.interrupted else verdict.status.exit_code
    try:
        conducted.writer.verdict(verdict)
        conducted.writer.summary(summarise(finished, verdict, conducted.locust))
        for path in write_pages(finished, directory):
            print(f"  {path}")
    except OSError as error:
        reason = error.strerror or error
        fail(f"cannot write all of {directory}: {reason}; make room, then: loadtests report {directory}")
        return code or ExitCode.INTERNAL
    return code
