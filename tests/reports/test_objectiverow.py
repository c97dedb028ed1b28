"""An objective's row: its figures in the objective's own words, and its bar."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from loadtests.verdict import Status, Verdict
from reports.objectiverow import BAR_LIMIT_PX, ObjectiveRow, objective_rows


def row(**fields: Any) -> ObjectiveRow:
    """The row of one verdict."""
    verdict = Verdict("", "ws deliver", Status.PASS, "it was", n=1000, **fields)
    (one,) = objective_rows(SimpleNamespace(verdict=SimpleNamespace(verdicts=(verdict,))))  # type: ignore[arg-type]
    return one


def test_a_least_share() -> None:
    """99.95 % of at least 99.9 % is said so; the bar is of what is missing, which is half of what may be."""
    told = row(
        kind="least",
        unit="fraction",
        limit=0.999,
        observed=0.9995,
        lower=0.999,
        upper=0.9998,
        bad_fraction=0.0005,
        bad_lower=0.0002,
        bad_upper=0.001,
        budget=0.001,
        budget_spent=0.5,
    )
    assert (told.observed, told.bounds, told.limit) == ("99.95 %", "99.9 to 99.98 %", "99.9 %")
    assert told.bar is not None
    assert (told.bar.lower, told.bar.observed, told.bar.upper) == pytest.approx(
        [BAR_LIMIT_PX * k for k in (0.2, 0.5, 1)]
    )
    assert not told.bar.beyond


def test_displacement() -> None:
    """Numbers are counted."""
    told = row(kind="displacement", unit="numbers", limit=1200.0, observed=1500.0)
    assert (told.observed, told.limit) == ("1,500", "1,200")
    assert told.bar is not None
    assert told.bar.observed == pytest.approx(1.25 * BAR_LIMIT_PX)
    assert told.bar.lower is None
