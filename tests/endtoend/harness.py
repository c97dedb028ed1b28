"""The command as a user runs it: a process, a directory, an exit code."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import psutil

ROOT = Path(__file__).resolve().parents[2]
SERVERS = Path(__file__).parent / "servers"


def free_port() -> int:
    """A port that nothing listened on a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def server(name: str, *arguments: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """One of ``servers/*.py`` on loopback; yields its URL and process once it accepts connections."""
    with listening(lambda port: [str(SERVERS / f"{name}.py"), str(port), *arguments]) as found:
        yield found


@contextmanager
def null_server() -> Iterator[str]:
    """The null server on loopback; yields its URL."""
    with listening(lambda port: ["-m", "loadtests.nullserver", "--port", str(port)]) as (url, _):
        yield url


@contextmanager
def listening(command: Callable[[int], list[str]]) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """What Python makes of these arguments, given a port; yields URL and process once it accepts connections there."""
    port = free_port()
    process = subprocess.Popen([sys.executable, *command(port)], cwd=ROOT)
    try:
        wait_for(lambda: accepts(port) or process.poll() is not None)
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()


def accepts(port: int) -> bool:
    """Whether somebody listens there on loopback."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition: Any, timeout_s: float = 30.0) -> None:
    """Poll until a condition holds; a test that waits for ever says so."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("what the test waits for did not come")
        time.sleep(0.05)


def start(arguments: Sequence[str | Path], *, package: Path = ROOT, **environment: str) -> subprocess.Popen[str]:
    """Start ``loadtests`` with arguments; ``package`` is where the code is imported from."""
    return subprocess.Popen(
        [sys.executable, "-m", "loadtests", *map(str, arguments)],
        cwd=package,
        env=os.environ | {"PYTHONPATH": str(package), "COLUMNS": "200"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def loadtests(
    *arguments: str | Path, timeout_s: float = 120.0, package: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``loadtests`` to its end."""
    process = start(arguments, package=package, **environment)
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"loadtests did not end in {timeout_s} s:\n{out}\n{err}") from None
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def summary(directory: Path) -> dict[str, Any]:
    """A run's figures."""
    loaded: dict[str, Any] = json.loads((directory / "summary.json").read_text(encoding="utf-8"))
    return loaded


def verdict(directory: Path) -> dict[str, Any]:
    """A run's verdict."""
    loaded: dict[str, Any] = json.loads((directory / "verdict.json").read_text(encoding="utf-8"))
    return loaded


def children(pid: int, word: str) -> list[int]:
    """Pids of a process's descendants whose command line holds a word."""
    found, line = [], [pid]
    while line:
        parent = line.pop()
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            line += [int(child) for child in task.read_text().split()]
        command = Path(f"/proc/{parent}/cmdline")
        if parent != pid and command.exists() and word in command.read_text():
            found.append(parent)
    return found


def kill(pid: int) -> None:
    """End one process of ours for good."""
    os.kill(pid, signal.SIGKILL)


class Portal:
    """A portal of the test's own on loopback; its laboratory's switches are set over HTTP."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.process = psutil.Process(pid)
        form = urlencode({"username": "admin", "password": "agents-at-work"}).encode()
        self._headers: dict[str, str] = {}
        token = self._ask("POST", "/api/v1/auth/token", form)["access_token"]
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def switch(self, **switches: Any) -> None:
        """Replace all switches."""
        self._ask("PUT", "/lab", json.dumps(switches).encode())

    def done(self) -> dict[str, int]:
        """How often each fault was made since."""
        counts: dict[str, int] = self._ask("GET", "/lab")["done"]
        return counts

    def _ask(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        request = Request(self.url + path, body, self._headers, method=method)  # noqa: S310 -- our own address
        with urlopen(request, timeout=10) as answer:  # noqa: S310 -- likewise
            told: dict[str, Any] = json.load(answer)
            return told


@contextmanager
def portal(**environment: str) -> Iterator[Portal]:
    """A portal with its laboratory open."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "portal", "--port", str(port)],
        cwd=ROOT,
        env=os.environ | {"PORTAL_LAB": "1"} | environment,
    )
    try:
        wait_for(lambda: accepts(port) or process.poll() is not None)
        yield Portal(f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
