"""The generator's processes as the orchestrator holds them: started, given orders, listened to, ended."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from loadtests.errors import GeneratorError, LoadtestsError, UsageError
from loadtests.job import Job
from loadtests.lifeline import begin_child
from loadtests.processlog import ProcessLog

__all__ = ["Generator"]

_LINE_LIMIT = 256 << 20


class Generator:
    """Locust processes: one, or a master and its workers.

    Args:
        jobs: a share for each process; the one that is not a worker takes the orders.
        on_batch: gets every batch, in the order of arrival.
        on_lost: told when a process ended that should not have.

    """

    def __init__(
        self,
        jobs: Sequence[Job],
        on_batch: Callable[[dict[str, Any]], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self._jobs = jobs
        self._on_batch = on_batch
        self._on_lost = on_lost
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._ready: dict[str, asyncio.Event] = {}
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._started = self._ending = False
        self.done = asyncio.Event()

    @property
    def pids(self) -> list[int]:
        """Of the processes that live."""
        return [p.pid for p in self._processes.values() if p.returncode is None]

    async def start(self, log: ProcessLog, timeout_s: float = 60.0) -> None:
        """Start all processes and wait until each is ready.

        Raises:
            UsageError: when the scenario's own code cannot be loaded there.
            GeneratorError: when a process does not come up.

        """
        for job in self._jobs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "loadtests.locustprocess"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=_LINE_LIMIT,
                start_new_session=True,
                preexec_fn=begin_child,
            )
            self._processes[job.source] = process
            self._ready[job.source] = asyncio.Event()
            self._tell(process, job.to_wire())
            self._tasks.append(asyncio.create_task(self._listen(job.source, process)))
            self._tasks.append(asyncio.create_task(log.follow(process.stderr)))
        timeout_s += max((job.unloaded_most_s for job in self._jobs), default=0.0)
        everyone: asyncio.Future[Any] = asyncio.gather(*(event.wait() for event in self._ready.values()))
        waiting: set[asyncio.Future[Any]] = {everyone, self._failed}
        await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if self._failed.done():
            everyone.cancel()
            self._failed.result()
        if not everyone.done():
            everyone.cancel()
            raise GeneratorError(f"the generator did not come up in {timeout_s:.0f} s; its log is {log.path}")
        self._started = True

    def order(self, order: str, **more: Any) -> None:
        """Give an order to the process that takes them."""
        for job in self._jobs:
            if job.role != "worker":
                self._tell(self._processes[job.source], json.dumps({"order": order, **more}))

    async def finish(self) -> None:
        """Let every process go, and end those that do not."""
        self._ending = True
        for process in self._processes.values():
            self._tell(process, json.dumps({"order": "quit"}))
        waits: list[Awaitable[Any]] = [process.wait() for process in self._processes.values()]
        if waits:
            await asyncio.wait([asyncio.ensure_future(wait) for wait in waits], timeout=5)
        for process in self._processes.values():
            if process.returncode is None:
                process.kill()
                await process.wait()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)  # a grandchild may hold a pipe open
        for task in self._tasks:
            task.cancel()

    def _tell(self, process: asyncio.subprocess.Process, line: str) -> None:
        if process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(line.encode() + b"\n")

    async def _listen(self, source: str, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 -- for the type checker
        async for line in process.stdout:
            if not line.endswith(b"\n"):
                break  # killed in the middle of a line
            try:
                self._take(source, json.loads(line))
            except Exception as error:
                self._broken(f"what {source} said could not be taken in ({type(error).__name__}: {error})")
        code = await process.wait()
        if not self._ending:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            self._broken(f"generator process {source} (pid {process.pid}) was lost ({how})")

    def _take(self, source: str, message: dict[str, Any]) -> None:
        kind = message.pop("type")
        if kind == "batch":
            self._on_batch(message)
        elif kind == "ready":
            self._ready[source].set()
        elif kind == "done":
            self.done.set()
        elif kind == "failed" and self._ready[source].is_set():
            self._broken(f"generator process {source} failed: {message['text']}")
        elif kind == "failed":
            self._fail(UsageError(message["text"]))

    def _broken(self, text: str) -> None:
        """A process is of no more use: the start fails, or the run that has started ends early."""
        if self._started:
            self._on_lost(text)
        else:
            self._fail(GeneratorError(f"{text} before the run started"))

    def _fail(self, error: LoadtestsError) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)
