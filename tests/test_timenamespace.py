"""Servers that live by another CLOCK_MONOTONIC, as the kernel gives it to them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from loadtests.timenamespace import ahead_ns

S = 1_000_000_000
SERVER = "import socket; one = socket.create_server(('127.0.0.1', 0)); print(one.getsockname()[1], flush=True); input()"


UNSHARE = shutil.which("unshare") or ""


def _may() -> bool:
    """Whether this process may make time namespaces."""
    return bool(UNSHARE) and not subprocess.run([UNSHARE, "--time", "true"], capture_output=True).returncode


@contextmanager
def server(*apart: str) -> Iterator[int]:
    """Somebody who listens, until the block is over; the port."""
    command: Sequence[str] = [*apart, sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield int(process.stdout.readline())
        process.communicate("over\n", timeout=10)


@pytest.mark.skipif(not _may(), reason="needs root and util-linux's unshare: run it as root on Linux 5.6 or newer")
@pytest.mark.parametrize("seconds", [-1, 1, 1000])
def test_another_clock(seconds: int) -> None:
    """It is told to the nanosecond, whatever name the machine goes by."""
    with server(UNSHARE, "--time", "--monotonic", str(seconds), "--fork") as port:
        assert ahead_ns(f"http://127.0.0.1:{port}/x") == seconds * S
        assert ahead_ns(f"https://localhost:{port}") == seconds * S
        assert ahead_ns(f"http://198.51.100.7:{port}") == 0


def test_the_same_clock() -> None:
    """A server beside this process, and nobody."""
    with server() as port:
        assert ahead_ns(f"http://127.0.0.1:{port}") == 0
    assert ahead_ns(f"http://127.0.0.1:{port}") == 0
