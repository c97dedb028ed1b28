"""The verdict as a table in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from loadtests.duration import format_fraction, format_ns
from loadtests.run import Run
from loadtests.verdict import RunVerdict, Status, Verdict

__all__ = ["print_verdict"]

_STYLE = {
    Status.PASS: "bold green",
    Status.FAIL: "bold red",
    Status.INCONCLUSIVE: "bold yellow",
    Status.INVALID: "bold magenta",
}


def print_verdict(console: Console, run: Run, verdict: RunVerdict) -> None:
    """Objectives with limit, observed value, bounds and n; the self-checks; the sentence."""
    table = Table(box=None, header_style="dim", padding=(0, 1), pad_edge=False)
    for heading in ("objective", "series"):
        table.add_column(heading, no_wrap=False)
    for heading in ("observed", "bounds", "n", "budget spent"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for v in verdict.verdicts:
        spent = "" if v.budget_spent is None else f"{v.budget_spent:.0%}"
        word = Text(v.status.value, style=_STYLE[v.status])
        cells = (v.objective, v.series, _value(v, v.observed), _bounds(v), f"{v.n:,}", spent)
        table.add_row(*(Text(cell) for cell in cells), word)
    if verdict.verdicts:
        console.print(table)
    for v in verdict.verdicts:
        if v.status is not Status.PASS:
            console.print(
                Text(f"{v.status.value} {v.objective} [{v.series}]: {v.reason}"), soft_wrap=not console.is_terminal
            )
    console.print(Text("Can this run be trusted?", style="bold"))
    for check in verdict.checks:
        mend = "" if check.ok or not check.remedy else f"; to mend it: {check.remedy}"
        console.print(
            Text(f"  {'yes' if check.ok else 'NO '}  {check.title}: {check.value}{mend}"),
            soft_wrap=not console.is_terminal,
        )
    if run.header.model == "closed":
        console.print("  note  closed model: a slow target slows the load, so its worst times are seen too seldom")
    console.print(Text(verdict.sentence, style=_STYLE[verdict.status]), soft_wrap=not console.is_terminal)


def _value(verdict: Verdict, value: float | None) -> str:
    if value is None:
        return "over" if verdict.unit == "ns" and verdict.n else ""
    if verdict.unit == "ns":
        return format_ns(value)
    if verdict.unit == "fraction":
        return format_fraction(value)
    if verdict.unit == "index":
        return f"{value:.3g}"
    return f"{value:.4g}/s" if verdict.unit == "per_s" else f"{value:,.0f}"


def _bounds(verdict: Verdict) -> str:
    if verdict.lower is None and verdict.upper is None:
        return ""
    return f"{_value(verdict, verdict.lower)} to {_value(verdict, verdict.upper)}"
