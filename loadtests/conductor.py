"""One run while it is made: generator started, batches taken in, the end or an early end seen to."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from loadtests.board import Board, Progress
from loadtests.description import run_header
from loadtests.duration import NS_PER_S
from loadtests.earlystop import EarlyStop
from loadtests.ending import Ending
from loadtests.fanout import FanOuts
from loadtests.generator import Generator
from loadtests.header import RunHeader
from loadtests.intake import Intake
from loadtests.job import Job
from loadtests.monitor import Monitor
from loadtests.processlog import ProcessLog
from loadtests.promises import NO_PROMISES, Promises
from loadtests.redaction import Redactor
from loadtests.runwriter import RunWriter
from loadtests.scenario import Scenario
from loadtests.scrape import Scrape, fetch_metrics
from loadtests.target import EmbeddedTarget, free_port
from loadtests.vitals import Vitals
from loadtests.witness import Witness

__all__ = ["Conducted", "Conductor", "Options"]

LEAD_NS = NS_PER_S
PATIENCE_S = 40
PATIENCE_WHEN_CUT_S = 12


@dataclass(frozen=True)
class Options:
    """How a run is made, beside its scenario."""

    out: Path
    command: str = ""
    processes: int = 1
    swarm_processes: int = 1
    ui_port: int | None = None
    calibration: Mapping[str, Any] = field(default_factory=dict)  # the citation of the one that speaks for the run


@dataclass(frozen=True)
class Conducted:
    """A run that was made."""

    writer: RunWriter
    locust: dict[str, Any] = field(default_factory=dict)
    interrupted: bool = False


class Conductor:
    """Makes one run on a target that is there; nothing of it is used twice."""

    def __init__(
        self,
        scenario: Scenario,
        options: Options,
        board: Board,
        addresses: Sequence[str],
        embedded: EmbeddedTarget | None,
        redactor: Redactor,
        promises: Promises = NO_PROMISES,
    ) -> None:
        self._scenario = scenario
        self._options = options
        self._board = board
        self._addresses = tuple(addresses)
        self._embedded = embedded
        self._redactor = redactor
        self._promises = promises
        self._spool = options.out / ".spool"
        self._run_id = secrets.token_hex(4)
        self._ending: Ending | None = None
        self._interrupted = False

    async def conduct(self) -> Conducted:
        """Start the generator, run, and close the run directory."""
        self._spool.mkdir(exist_ok=True)
        options, made = self._options, self._scenario
        shares = options.processes * (options.swarm_processes if made.http_members else 1)  # that the plan is cut into
        header = await asyncio.to_thread(run_header, made, self._run_id, options.command, shares, self._redactor)
        log = ProcessLog(self._options.out / "generator.log", self._redactor)
        whole, processes = self._job(), options.processes
        jobs = [whole] if processes == 1 else whole.shared(processes, free_port())
        self._generator = Generator(jobs, self._accept, self._lost)
        self._witness = Witness(whole.named("witness"))
        try:
            self._board.say(f"starting the generator for {made.name} on {self._redactor(made.address)}")
            await self._witness.start(log)
            await self._generator.start(log)
            await self._run(header)
        finally:
            await self._generator.finish()
            await self._witness.finish()
            self._board.close()
        return self._close()

    def _job(self) -> Job:
        """All of the load, as one process would have it."""
        spool, port = self._spool.resolve(), self._options.ui_port
        whole = Job(self._scenario, self._run_id, "local", "generator", 0, 1, spool, self._addresses, 0, port)
        return replace(whole, promises=self._promises, swarm_processes=self._options.swarm_processes)

    async def _run(self, header: RunHeader) -> None:
        options = self._options  # nothing is awaited until all is there that takes in what the generator says
        self._t0_ns = time.monotonic_ns() + LEAD_NS
        started_s, cited = time.time() + LEAD_NS / NS_PER_S, options.calibration
        header = replace(header, t0_ns=self._t0_ns, started_wall_s=started_s, calibration=cited)
        self._writer = RunWriter(options.out, header)
        objectives = self._scenario.parsed_objectives()
        self._progress = Progress(header.phases, objectives, users=bool(self._scenario.users))
        early = EarlyStop(header.phases, objectives) if self._scenario.stop_early else None
        fanouts = FanOuts(self._t0_ns, self._job().limits_ns, options.processes * options.swarm_processes)
        self._intake = Intake(self._writer, self._progress, self._clock_s, self._cut, fanouts, early)
        for said in header.advice:
            self._board.say(f"note: {said}")
        if options.ui_port is not None:
            self._board.say(f"Locust's own web page: http://127.0.0.1:{options.ui_port}")
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._interrupt)
        self._generator.order("start", t0_ns=self._t0_ns)
        self._witness.begin(self._t0_ns, self._intake, self._writer)
        for phase in header.phases:
            self._intake.write(partial(self._writer.event, phase.start_s, "phase", phase.name))
        restarts = [self._t0_ns + storm.at for storm in self._scenario.swarm.storms if storm.how == "restart"]
        restarting = asyncio.create_task(self._embedded.restart_at(restarts)) if self._embedded and restarts else None
        watching = asyncio.create_task(self._watch())
        watching.add_done_callback(self._watched)
        try:
            await self._until_done()
        finally:
            for task in (watching, *([restarting] if restarting else [])):
                task.cancel()
                await asyncio.wait([task])

    async def _until_done(self) -> None:
        """Wait for the generator's own end; once the run is cut short, only so long."""
        scenario, done = self._scenario, self._generator.done
        whole_s = (scenario.duration_ns + scenario.load.timeout + scenario.swarm.drain) / NS_PER_S
        deadline = time.monotonic() + whole_s + PATIENCE_S
        while not done.is_set() and self._ending is None:
            if time.monotonic() > deadline:
                self._cut("the generator did not end in time", "generator")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), 0.1)
        if not done.is_set():
            self._generator.order("stop")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), PATIENCE_WHEN_CUT_S)

    async def _watch(self) -> None:
        """Once a second: resources, the board, and whether the target still lives."""
        monitor, scrape, vitals = Monitor(), self._scrape(), Vitals()
        port = urlsplit(self._scenario.target.url).port
        embedded, target = self._embedded, monitor.listener(port) if port and not self._embedded else []
        while True:
            due_ns = (time.monotonic_ns() // NS_PER_S + 1) * NS_PER_S
            await asyncio.sleep((due_ns - time.monotonic_ns()) / NS_PER_S)
            vitals.woke(due_ns)
            pids, target = self._generator.pids, [embedded.process.pid] if embedded else target
            swarm = [child for pid in pids for child in monitor.children(pid)]
            row = await asyncio.to_thread(monitor.read, pids, swarm, target)
            gauges = {n: self._progress.gauge(n) for n in ("users", "waiting", "in_flight", "connections")}
            if scrape:
                scrape.poll()
            at_s = self._clock_s()
            if at_s >= 0:
                self._intake.write(partial(self._writer.resources, {"at_s": at_s, **row, **gauges}))
                self._intake.write(partial(self._writer.vitals, "orchestrator", vitals.row(self._t0_ns)))
            self._progress.at_s, self._progress.resources = max(0.0, at_s), row
            self._board.show(self._progress)
            if embedded and embedded.ended is not None:
                self._cut(f"the target ended with code {embedded.ended}", "target")
            elif self._intake.unreachable() and not (embedded and embedded.restarting):
                self._cut("the target could not be reached for some seconds", "target")
            elif stop := self._intake.failing():
                self._end(Ending(max(0.0, self._clock_s()), "stopped early, certainly failing", stop=stop))

    def _scrape(self) -> Scrape | None:
        if not self._scenario.target.metrics:
            return None
        ask = fetch_metrics(self._scenario)
        write = lambda row: self._intake.write(partial(self._writer.target, row))  # noqa: E731
        tell = partial(self._intake.event, "metrics")
        return Scrape(ask, self._clock_s, write, tell, self._redactor)

    def _watched(self, watching: asyncio.Task[None]) -> None:
        """Who no longer watches must not say that all was well."""
        if not watching.cancelled() and (error := watching.exception()):
            self._cut(f"the run could no longer be watched ({type(error).__name__}: {error})", "generator")

    def _clock_s(self) -> float:
        return (time.monotonic_ns() - self._t0_ns) / NS_PER_S

    def _accept(self, batch: dict[str, Any]) -> None:
        self._witness.hand(batch["probes"]) if "probes" in batch else self._intake.accept(batch)

    def _lost(self, text: str) -> None:
        self._intake.event("lost", text)
        self._cut(text, "generator")

    def _interrupt(self) -> None:
        if self._interrupted:
            self._generator.done.set()  # asked twice: what is in flight is given up
        self._interrupted = True
        self._cut("interrupted", "")

    def _cut(self, reason: str, fault: str) -> None:
        self._end(Ending(max(0.0, self._clock_s()), reason, fault))

    def _end(self, ending: Ending) -> None:
        """End the run early; the first reason counts."""
        if self._ending is None:
            self._ending = ending
            self._intake.event("cut", str(ending))
            self._board.say(f"ending early: {ending}")

    def _close(self) -> Conducted:
        self._intake.recover(self._spool)
        self._intake.finish()
        shutil.rmtree(self._spool, ignore_errors=True)
        header = self._writer.header
        self._writer.close(
            replace(
                self._ending.of(header) if self._ending else replace(header, state="complete"),
                ended_wall_s=time.time(),
                accounting=dict(self._intake.accounting),
                unloaded=self._intake.unloaded,
            )
        )
        return Conducted(self._writer, self._intake.locust, self._interrupted)
