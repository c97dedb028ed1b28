"""Machine instructions that a request takes in the process that sends: a count, the same on a noisy machine.

Valgrind counts those of a process in user space, the kernel's not. Of two runs that differ by 5,000 requests the
difference tells what one of them takes, start and end left out. One client asks: it sleeps and wakes for each answer.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.endtoend.harness import null_server

FEW, MORE = 200, 5200
COUNTER = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
STEADY = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}  # numpy's threads turn while they wait, here for nothing
ROOT = Path(__file__).resolve().parents[1]


def instructions(kind: str, requests: int, url: str) -> int:
    """Of the whole process."""
    ran = subprocess.run(
        [*COUNTER, sys.executable, "benchmarks/oneclient.py", kind, str(requests), url],
        cwd=ROOT,
        env=os.environ | STEADY | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert int(ran.stdout) == requests
    found = re.search(r"I\s+refs:\s+([\d,]+)", ran.stderr)
    assert found, ran.stderr
    return int(found[1].replace(",", ""))


@pytest.mark.skipif(not shutil.which(COUNTER[0]), reason="needs valgrind: apt-get install valgrind")
def test_a_request(benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """As multiples of the member's, and a loop's beside it that does nothing but send and parse."""

    def each(kind: str) -> float:
        return (instructions(kind, MORE, url) - instructions(kind, FEW, url)) / (MORE - FEW)

    with null_server() as url:
        member = benchmark.pedantic(lambda: each("member"), rounds=1)
        peers = {kind: each(kind) for kind in ("FastHttpUser", "LoadUser", "bare")} if benchmark.enabled else {}
    with capsys.disabled():
        for kind, count in (peers | {"member": member}).items():
            print(f"\n{kind:>12} {count:9,.0f} instructions a request: {count / member:.2f} of the member's", end="")
