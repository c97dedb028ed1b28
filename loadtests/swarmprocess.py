"""The swarm's process: ``python -m loadtests.swarmprocess``, a child of a Locust process.

Reads its Job and orders from standard input, answers with batches on standard output, one JSON object a line.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import sys
import traceback
from typing import Any

from loadtests.allowance import guard
from loadtests.heap import keep_heap
from loadtests.job import Job
from loadtests.outbox import Outbox
from loadtests.precedence import go_first
from loadtests.swarm import Swarm

__all__: list[str] = []


class _Answers:
    """Lines out, without ever blocking the loop for long: a pipe to a process that only reads."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def write(self, message: dict[str, Any]) -> None:
        try:
            self._out.write(json.dumps(message, separators=(",", ":")) + "\n")
            self._out.flush()
        except OSError:
            os._exit(1)


async def _orders() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=64 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def _main(answers: _Answers) -> None:
    orders = await _orders()
    line = await orders.readline()
    if not line:
        return
    job = Job.from_wire(line)
    guard(job.addresses)
    keep_heap()
    go_first()
    outbox = Outbox(job.source, answers.write, job.spool)
    gc.collect()
    gc.freeze()
    swarm: Swarm | None = None
    running: asyncio.Task[None] | None = None
    while line := await orders.readline():
        order = json.loads(line)
        if order["order"] == "start":
            try:
                swarm = Swarm(job, order["t0_ns"], outbox)
            except Exception as error:
                text = f"the swarm cannot be made: {type(error).__name__}: {error}"
                outbox.post(events=[{"kind": "member error", "text": job.redactor()(text)[:400]}])
                break
            running = asyncio.create_task(swarm.run())
            running.add_done_callback(lambda ended: _end(answers, ended))
        elif order["order"] == "published" and swarm:
            swarm.books.published_elsewhere(order["published"])
        elif order["order"] == "stop" and swarm:
            swarm.stop()


def _end(answers: _Answers, ended: asyncio.Task[None]) -> None:
    if error := ended.exception():
        traceback.print_exception(error)
        os._exit(1)
    answers.write({"done": True})
    os._exit(0)


def main() -> None:
    """Run the swarm to its end, or until the parent is gone."""
    answers = _Answers()
    with contextlib.suppress(ImportError):
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_main(answers))
        os._exit(0)
    asyncio.run(_main(answers))
    os._exit(0)


if __name__ == "__main__":
    main()
