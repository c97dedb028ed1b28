"""Cases that need a process of their own, since Locust patches it: run there, told here."""

import json
import os
import subprocess
import sys
from pathlib import Path


def outcomes(module: str, timeout_s: float, *arguments: str, **environment: str) -> dict[str, str]:
    """What failed in each case of a module, with more in its environment: nothing, or a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        cwd=Path(__file__).parents[1],
        env=os.environ | environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, str] = json.loads(done.stdout)
    return told


def skipped(said: dict[str, str]) -> dict[str, str]:
    """The cases that could not be tried here, and why."""
    return {name: told for name, told in said.items() if told.startswith("skipped: ")}
