"""Answers and frames that broke the API's own contract: how many, where, what was wrong, and whether it takes load."""

from __future__ import annotations

from typing import Final

from loadtests.breach import Breach, breaches, checked
from loadtests.run import Run
from reports.figures import count, percent

__all__ = ["contract_rows"]

_MOST: Final = 20


def contract_rows(run: Run) -> list[tuple[str, str, str, str, str]] | None:
    """Series, checked answers, broken ones, what was wrong and when, over the whole run, the worst first.

    None where no answer was held against a contract.
    """
    whole = checked(run)
    if not whole:
        return None
    found = breaches(run)
    rows = [(one.series, count(one.checked), _broken(one), one.kind, _when(one)) for one in found[:_MOST]]
    kept = sum(n for n, _ in whole.values()) - sum(one.count for one in found)
    tried = sum(n for _, n in whole.values()) - sum(one.unloaded for one in found)
    unloaded = f"{count(tried)} kept it unloaded" if tried else ""
    return [*rows, ("all others" if rows else "all", count(kept), "0", "", unloaded)]


def _broken(one: Breach) -> str:
    return f"{count(one.count)} ({percent(one.count / one.checked)})" if one.checked else "0"


def _when(one: Breach) -> str:
    return f"{one.when} ({count(one.unloaded)} of {count(one.tried)})" if one.tried else one.when
