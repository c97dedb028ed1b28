"""What a pause does to the work after it: the same piece of Python's at once, after a millisecond awake, and asleep.

A load at a fixed rate is such work. Where the second is far from the first, as on a processor whose caches are shared
with strangers, what a request costs says more of the machine than of the client.
"""

from __future__ import annotations

import json
import re
import statistics
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

PAUSE_S, TIMES = 0.001, 1000


def work() -> None:
    """Some microseconds, in many places of the interpreter."""
    json.dumps({"a": [1, 2, 3], "b": "x"})
    re.sub("a+", "b", "caaat")
    f"{Decimal('1.1') + 1:>10}"
    statistics.mean(sorted([4, 3, 2, 1]))


def awake() -> None:
    """A pause in which the process counts to itself."""
    until_ns = time.perf_counter_ns() + round(PAUSE_S * 1e9)
    while time.perf_counter_ns() < until_ns:
        pass


def mean_us(pause: Callable[[], Any]) -> float:
    """Of the work alone."""
    took_ns = 0
    for _ in range(TIMES):
        pause()
        begun_ns = time.perf_counter_ns()
        work()
        took_ns += time.perf_counter_ns() - begun_ns
    return took_ns / TIMES / 1000


def test_gaps(benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """As multiples of what it takes without a pause."""
    at_once = mean_us(lambda: None)
    after_awake = mean_us(awake) if benchmark.enabled else at_once
    asleep = benchmark.pedantic(lambda: mean_us(lambda: time.sleep(PAUSE_S)), rounds=1)
    with capsys.disabled():
        for pause, us in (("none", at_once), ("1 ms awake", after_awake), ("1 ms asleep", asleep)):
            print(f"\n{pause:>12} {us:6.1f} us: {us / at_once:.1f} of that without a pause", end="")
