"""What is read of processes, held against what this one just did."""

from __future__ import annotations

import os

import psutil
import pytest

from loadtests.monitor import Monitor


@pytest.mark.skipif(not psutil.POSIX, reason="descriptors are a POSIX notion; run this on Linux or macOS")
def test_open_descriptors_of_the_target() -> None:
    """Ten more files are ten more descriptors, over all of the target's processes."""
    monitor, us = Monitor(), [os.getpid()]
    before = monitor.read([], [], us)["target_fds"]
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(10)]
    after = monitor.read([], [], us)["target_fds"]
    for file in files:
        os.close(file)
    assert after - before == 10


def test_a_target_that_cannot_be_read_has_no_figures() -> None:
    """No zeros in their place."""
    row = Monitor().read([], [], [2**22 + 1])  # beyond any process's number
    assert not [name for name in row if name.startswith("target")]
