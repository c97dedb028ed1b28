"""The swarm's process as its Locust parent holds it, under gevent."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import gevent
from gevent import subprocess as gsubprocess

from loadtests.job import Job
from loadtests.lifeline import begin_child

__all__ = ["SwarmChild"]


class SwarmChild:
    """Starts the child, passes orders down and numbered batches up, and notices its death.

    Args:
        job: the child's share.
        send: takes each batch of the child towards the orchestrator.

    """

    def __init__(self, job: Job, send: Callable[[dict[str, Any]], None]) -> None:
        self.lost: str | None = None
        """How the child died before it was done."""
        self._job = job
        self._send = send
        self._done = False
        self._process: Any = None
        self._reading: Any = None

    def open(self) -> None:
        """Start the process; it connects when it is told to start."""
        self._process = gsubprocess.Popen(
            [sys.executable, "-m", "loadtests.swarmprocess"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=begin_child,
        )
        self._write(self._job.to_wire())
        self._reading = gevent.spawn(self._read)

    def tell(self, order: dict[str, Any]) -> None:
        """Pass an order on; a dead child is noticed elsewhere."""
        self._write(json.dumps(order))

    def finish(self) -> str | None:
        """Wait for the child's own end; how it died, if it was not done."""
        scenario = self._job.scenario
        self._reading.join(timeout=(scenario.swarm.drain + scenario.load.timeout) / 1e9 + 15)
        if not self._done and self.lost is None:
            self.lost = "the swarm's process did not end in time"
        self.kill()
        return self.lost

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()

    def _write(self, line: str) -> None:
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            return

    def _read(self) -> None:
        for line in self._process.stdout:
            if not line.endswith(b"\n"):
                break  # killed in the middle of a line
            message = json.loads(line)
            if message.get("done"):
                self._done = True
            else:
                self._send(message)
        code = self._process.wait()
        if not self._done:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            self.lost = f"the swarm's process {self._process.pid} was lost ({how})"
