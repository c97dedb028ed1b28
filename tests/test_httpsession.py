"""What a Locust user's requests become; the cases are in locusthttpcases.py, whose process Locust patches."""

from tests.casefile import outcomes
from tests.listening import papers


def test_every_case_holds(tmp_path):
    """None fails, and there are as many as were written."""
    said = outcomes("tests.locusthttpcases", timeout_s=120, **papers(tmp_path))
    assert {name: told for name, told in said.items() if told} == {}
    assert len(said) >= 148
