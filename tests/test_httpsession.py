"""What a hostile server's answers become; the cases are in httpcases.py, which Locust may patch."""

from tests.casefile import outcomes


def test_every_case_holds():
    """None fails, and there are as many as were written."""
    said = outcomes("tests.httpcases", timeout_s=120)
    assert {name: told for name, told in said.items() if told} == {}
    assert len(said) >= 140
