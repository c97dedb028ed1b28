"""A calibration in the terminal: the machine's limits, each check as it is found, and what it all comes to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from loadtests.calibration import Calibration
from loadtests.hostlimits import Limit
from loadtests.scenario import Scenario
from loadtests.trial import Trials
from loadtests.verdict import Check

__all__ = ["print_calibration", "print_check", "print_intent", "print_limits"]


def print_limits(console: Console, limits: Sequence[Limit]) -> bool:
    """Each limit, and the command that mends it; whether all that is needed is there."""
    console.print(Text("What this machine allows", style="bold"))
    for limit in limits:
        word = "yes" if limit.ok else "NO " if limit.needed else "hm "
        mend = "" if limit.ok else f"; to mend it: {limit.command}"
        _line(console, f"  {word}  {limit.name}: {limit.value}{mend}")
    return all(limit.ok for limit in limits if limit.needed)


def print_intent(console: Console, trials: Trials, scenario: Scenario) -> None:
    """What is calibrated for, before it is."""
    intent = trials.intent
    connections = f", {intent.connections:,} connections" if intent.connections else ""
    guessed = " (a closed model plans no rate, so this is one request of each user a second; or give --rate)"
    _line(
        console,
        f"Calibrating for {intent.rate_per_s:g}/s ({intent.arrivals}), {intent.users:,} users{connections}, "
        f"a limit of {intent.limit_ns / 1e6:g} ms{guessed if scenario.load.model == 'closed' else ''}: "
        f"some {trials.whole_s / 60:.0f} minutes",
    )


def print_check(console: Console, check: Check) -> None:
    """One check, as it is found."""
    mend = "" if check.ok or not check.remedy else f"; to mend it: {check.remedy}"
    _line(
        console,
        f"  {'yes' if check.ok else 'NO '}  {check.name} {check.title}: {check.value} (due: {check.limit}){mend}",
    )


def print_calibration(console: Console, calibration: Calibration, path: Path) -> None:
    """What it comes to, and where it is kept."""
    floor = calibration.floor_ms
    style = "bold green" if calibration.holds else "bold magenta"
    word = "Calibrated" if calibration.holds else "Not fit to measure"
    until = time.strftime("%d %b %H:%M", time.localtime(calibration.made_wall_s + 24 * 3600))
    _line(
        console,
        f"{word}: this machine drives {calibration.headroom:.1f} times {calibration.rate_per_s:g}/s, with a floor of "
        f"p95 {floor['95']:.2g} ms and p99 {floor['99']:.2g} ms",
        style,
    )
    _line(console, f"  {path}, cited by runs on this class of host until {until}")


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style), soft_wrap=not console.is_terminal)
