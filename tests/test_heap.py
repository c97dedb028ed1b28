"""Memory that is kept from one fold to the next, counted in page faults."""

import subprocess
import sys

import pytest

FOLDS = """
import resource, sys
from loadtests.heap import keep_heap
from loadtests.recorder import Recorder

if sys.argv[1] == "kept":
    keep_heap()
recorder = Recorder(0, lambda series: (200_000_000,))
for second in range(12):
    if second == 2:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for k in range(20_000):
        recorder.record("GET /", second * 10**9 + k, second * 10**9 + k, second * 10**9 + k + 5_000 * k)
    recorder.fold()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(how):
    run = subprocess.run([sys.executable, "-c", FOLDS, how], capture_output=True, text=True, check=True)
    return int(run.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc can be told; run it on Linux")
def test_kept():
    """Ten folds of the same size need hardly a page more than the first ones, where they would need thousands."""
    assert _faults("kept") < 100
    assert _faults("given back") > 1000
