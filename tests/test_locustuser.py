"""Locust users under our clock. The cases are in locustcases.py; they run in a process that Locust may patch."""

import re
from pathlib import Path

import pytest

from tests.casefile import outcomes

PROGRAM = Path(__file__).with_name("locustcases.py")
CASES = re.findall(r"^def case_(\w+)\(\):$", PROGRAM.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def said():
    """What failed in each case: nothing, or a traceback."""
    return outcomes("tests.locustcases", timeout_s=60)


@pytest.mark.parametrize("case", CASES)
def test_case(said, case):
    """The case holds."""
    assert not said[case], said[case]


def test_every_case_ran(said):
    """No case is left out."""
    assert said.keys() == set(CASES)
    assert len(CASES) > 15
