"""The witness's process as the orchestrator holds it; whatever becomes of it, the run goes on."""

from __future__ import annotations

import asyncio
import json
import sys
from functools import partial
from typing import Any

from loadtests.intake import Intake
from loadtests.job import Job
from loadtests.lifeline import begin_child
from loadtests.processlog import ProcessLog
from loadtests.runwriter import RunWriter

__all__ = ["Witness"]

_PATIENCE_S = 3


class Witness:
    """A few requests of the load, made again by an idle process; nothing at all where the scenario wants no witness.

    Args:
        job: the scenario and the addresses that may be connected to.

    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._process: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._ending = False

    async def start(self, log: ProcessLog) -> None:
        """Start the process; it asks nothing yet."""
        if not (self._job.scenario.witness_per_s or self._job.scenario.witness_sockets):
            return
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "loadtests.witnessprocess"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 20,
            start_new_session=True,
            preexec_fn=begin_child,
        )
        self._say(self._job.to_wire())
        self._tasks = [asyncio.create_task(log.follow(self._process.stderr))]

    def begin(self, t0_ns: int, intake: Intake, writer: RunWriter) -> None:
        """Let it ask, as soon as the load has told it what; what it sees is written down."""
        if self._process is not None:
            self._say(json.dumps({"order": "start", "t0_ns": t0_ns}))
            self._tasks.append(asyncio.create_task(self._listen(self._process, intake, writer)))

    def hand(self, probes: list[dict[str, Any]]) -> None:
        """Pass on requests that the load has made; over the pipe, never to a disk."""
        self._say(json.dumps({"order": "probes", "probes": probes}))

    async def finish(self) -> None:
        """Take in what it still has to say, and let it go."""
        self._ending = True
        if self._process is None:
            return
        self._say(json.dumps({"order": "quit"}))
        try:
            await asyncio.wait_for(self._process.wait(), _PATIENCE_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await asyncio.wait(self._tasks, timeout=_PATIENCE_S)
        for task in self._tasks:
            task.cancel()

    def _say(self, line: str) -> None:
        if self._process and self._process.stdin and not self._process.stdin.is_closing():
            self._process.stdin.write(line.encode() + b"\n")

    async def _listen(self, process: asyncio.subprocess.Process, intake: Intake, writer: RunWriter) -> None:
        assert process.stdout is not None  # noqa: S101 -- for the type checker
        async for line in process.stdout:
            if line.endswith(b"\n"):
                intake.write(partial(writer.witness, json.loads(line)))
        code = await process.wait()
        if not self._ending:
            intake.event("witness", f"the witness ended before the run did (exit code {code}); the load goes on")
