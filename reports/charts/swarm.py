"""The swarm's pictures: the ledger, how connections ended, how lost ones came back, what fan-out costs."""

from __future__ import annotations

from collections.abc import Iterator

from loadtests.mishap import failures, planned
from loadtests.run import Run
from loadtests.series import CONNECT
from reports.charts.bars import Bar, bars
from reports.charts.canvas import Chart
from reports.charts.fanout import fan_out_curve, fan_out_faults
from reports.charts.recovery import recovery_curve
from reports.figures import count, percent

__all__ = ["swarm_charts"]


def swarm_charts(run: Run, key: str) -> list[Chart]:
    """Those of them for which there is anything to show."""
    found = (
        _ledger(run, f"{key}-ledger"),
        fan_out_curve(run, f"{key}-fanout"),
        fan_out_faults(run, f"{key}-fanlost"),
        recovery_curve(run, f"{key}-recovery"),
        _closes(run, f"{key}-closes"),
    )
    return [chart for chart in found if chart]


def _ledger(run: Run, name: str) -> Chart | None:
    kept = run.deliveries
    due = kept.get("expected", 0)
    if not due:
        return None
    lost = kept.get("lost", 0)
    title = f"{count(kept.get('delivered', 0))} of {count(due)} due deliveries arrived"
    title += f"; {count(lost)} were lost ({percent(lost / due)})" if lost else "; none was lost"
    desc = f"What the ledger counted. {title}."
    caption = "Every delivery is counted once, but for those out of order. Not due: close to a coming or going."
    return bars(list(_ledger_bars(kept)), name, title, desc, caption)


def _ledger_bars(kept: dict[str, int]) -> Iterator[Bar]:
    for word, said, role, always in (
        ("delivered", "arrived", "accent", True),
        ("lost", "lost", "failure", True),
        ("duplicated", "came twice", "failure", True),
        ("reordered", "out of order", "failure", True),
        ("late", "after it was given up", "failure", False),
        ("foreign", "sent by nobody", "failure", False),
        ("outside", "arrived, not due", "muted", False),
        ("recovered", "recovered afterwards", "ink", False),
    ):
        n = kept.get(word, 0)
        if n or always:
            yield Bar(said, n, role if n else "muted")
    if missed := kept.get("away", 0) - kept.get("recovered", 0):
        yield Bar("missed while away", missed, "warning")


def _closes(run: Run, name: str) -> Chart | None:
    ended = sorted(run.swarm.closes.items(), key=lambda pair: -pair[1])
    unplanned = sum(n for why, n in ended if not planned(why))
    title = f"{count(unplanned)} connections ended that nobody had planned to end" if unplanned else ""
    title = title or "No connection ended but as planned"
    for refused in (one for one in failures(run) if one.series == CONNECT):
        title += f"; {count(refused.count)} of {count(refused.of)} handshakes failed ({refused.kind})"
    found = [Bar(why, n, "muted" if planned(why) else "failure") for why, n in ended]
    caption = "Who ended each connection, and why: by the close frame's code, or by what stood in its place."
    return bars(found, name, title, f"How connections ended. {title}.", caption)
