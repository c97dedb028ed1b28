"""The board on a terminal: a table that is drawn in place."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from loadtests.board import Board, PlainBoard, Progress, spent_in_words

__all__ = ["LiveBoard", "board_for"]


class LiveBoard:
    """A table that is drawn in place, for terminals."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._live.start()
        self._drawn_s = 0.0

    def show(self, progress: Progress) -> None:
        """Draw it, at most four times a second."""
        if time.monotonic() - self._drawn_s < 0.25:
            return
        self._drawn_s = time.monotonic()
        self._live.update(_draw(progress))

    def say(self, text: str) -> None:
        """Print above the table."""
        self._live.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        """Give the terminal back."""
        self._live.stop()


def board_for(console: Console) -> Board:
    """A live board on a terminal, plain lines elsewhere."""
    return LiveBoard(console) if console.is_terminal else PlainBoard()


def _draw(progress: Progress) -> Any:
    phase = progress.phase
    left_s = max(0.0, progress.end_s - progress.at_s)
    head = Table.grid(padding=(0, 2))
    head.add_row(
        Text(phase.name if phase else "draining", style="bold"),
        Text(f"{progress.at_s:.0f} s elapsed, {left_s:.0f} s left"),
        ProgressBar(total=progress.end_s, completed=min(progress.at_s, progress.end_s), width=30),
    )
    load = Table.grid(padding=(0, 2))
    if progress.over_http:
        load.add_row("offered", f"{progress.offered_per_s():.0f}/s", "users", f"{progress.gauge('users'):.0f}")
        waiting = f"{progress.gauge('in_flight'):.0f}, {progress.gauge('waiting'):.0f}"
        load.add_row("completed", f"{progress.recent(progress.completed):.0f}/s", "in flight, waiting", waiting)
        load.add_row("failed", f"{progress.failed}", "late p99", f"{progress.lateness_p99_ms():.1f} ms")
    if progress.ledger or progress.gauge("connections"):
        ledger = progress.ledger
        delivered, lost = f"{ledger.get('delivered', 0):,}", f"{ledger.get('lost', 0):,}"
        load.add_row("connections", f"{progress.gauge('connections'):.0f}", "delivered, lost", f"{delivered}, {lost}")
    cpu = f"{progress.generator_cpu_percent():.0f} %, {progress.resources.get('target_cpu_percent', 0):.0f} %"
    load.add_row("generator, target CPU", cpu)
    budgets = Table("objective", "budget spent", box=None, header_style="dim", padding=(0, 2))
    for text, spent in progress.budgets():
        style = "" if spent is None else "red" if spent > 1 else "yellow" if spent > 0.7 else "green"
        budgets.add_row(Text(text), Text(spent_in_words(spent), style=style))
    return Group(head, load, budgets)
