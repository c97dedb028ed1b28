"""What a hostile server's answers become; the cases are in httpcases.py, which Locust may patch."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("httpcases.py")
NAMES = re.findall(r'^    "([^"]+)": \($', PROGRAM.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def said():
    """What failed in each case: nothing, or a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.httpcases"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=PROGRAM.parents[1],
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_case_holds(said):
    """None fails, and there are as many as were written."""
    assert {name: told for name, told in said.items() if told} == {}
    assert len(said) >= 50
