"""Runs that several tests read."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests.run import Run
from reports import render_report
from tests.reports.synthetic import Truth, build


@pytest.fixture(scope="session")
def passed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Truth]:
    """A realistic run that passed, and the raw samples behind it."""
    return build(tmp_path_factory.mktemp("passed"))


@pytest.fixture(scope="session")
def page(passed: tuple[Run, Truth]) -> str:
    """Its page."""
    return render_report(passed[0])


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A directory for one more run."""
    return tmp_path / "run"
