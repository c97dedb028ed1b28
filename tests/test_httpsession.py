"""What a Locust user's requests become; the cases are in locusthttpcases.py, whose process Locust patches."""

import pytest

from tests.casefile import outcomes, skipped
from tests.listening import papers


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What became of the cases."""
    return outcomes("tests.locusthttpcases", timeout_s=120, **papers(tmp_path_factory.mktemp("papers")))


def test_every_case_holds(said):
    """None fails, and there are as many as were written."""
    assert {name: told for name, told in said.items() if told and name not in skipped(said)} == {}
    assert len(said) >= 159


def test_no_case_was_skipped(said):
    """Where one was, it says why."""
    if skipped(said):
        pytest.skip(str(skipped(said)))
