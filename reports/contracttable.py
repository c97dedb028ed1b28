"""Answers and frames that broke the API's own contract: how many, where, and what was wrong with them."""

from __future__ import annotations

from typing import Final

from loadtests.interval import merge
from loadtests.run import Run
from reports.figures import count, percent
from reports.subject import live, requests

__all__ = ["contract_rows"]

_MOST: Final = 20


def contract_rows(run: Run) -> list[tuple[str, str, str, str]] | None:
    """Series, checked answers, broken ones and what was wrong, over the whole run, the worst first.

    None where no answer was held against a contract.
    """
    whole = {name: merge(run.intervals[name].values(), series=name) for name in (*requests(run), *live(run))}
    if not any(one.checked for one in whole.values()):
        return None
    broken = sorted(
        ((n, name, kind) for name, one in whole.items() for kind, n in one.violations.items()),
        key=lambda row: (-row[0], *row[1:]),
    )
    rows = [
        (name, count(whole[name].checked), f"{count(n)} ({percent(n / whole[name].checked)})", kind)
        for n, name, kind in broken[:_MOST]
    ]
    kept = sum(one.checked for one in whole.values()) - sum(n for n, _, _ in broken)
    return [*rows, ("all others" if rows else "all", count(kept), "0", "")]
