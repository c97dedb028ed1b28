"""Conducts one run from its scenario to a closed run directory; imports neither locust nor aiohttp."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from loadtests.allowance import allowed_addresses
from loadtests.board import Board, Progress
from loadtests.description import advice, commit, host, load_in_words, phase_spans, versions
from loadtests.duration import NS_PER_S
from loadtests.errors import RunError, TargetError, UsageError
from loadtests.generator import Generator
from loadtests.interval import Interval
from loadtests.job import Job
from loadtests.monitor import Monitor
from loadtests.outbox import Inbox, read_spool
from loadtests.plan import OpenModel, Plan
from loadtests.processlog import ProcessLog
from loadtests.redaction import Redactor
from loadtests.run import RunHeader, RunWriter
from loadtests.scenario import Scenario
from loadtests.scenariofile import dump_scenario
from loadtests.target import EmbeddedTarget, answers, free_port, is_taken

__all__ = ["Conducted", "Options", "conduct"]

LEAD_NS = NS_PER_S
UNREACHABLE = ("connection refused", "connection reset", "connection closed", "name not resolved")
UNREACHABLE_S = 5


@dataclass(frozen=True)
class Options:
    """How a run is made, beside its scenario."""

    out: Path
    command: str = ""
    processes: int = 1
    ui_port: int | None = None


@dataclass(frozen=True)
class Conducted:
    """A run that was made."""

    writer: RunWriter
    locust: dict[str, Any] = field(default_factory=dict)
    interrupted: bool = False


async def conduct(scenario: Scenario, options: Options, board: Board) -> Conducted:
    """Make a run; what was measured is on disk however it ends.

    Raises:
        UsageError: before any load, when target, directory or scenario code do not allow it.
        GeneratorError: before any load, when our own processes do not come up.
        asyncio.CancelledError: when interrupted before any load.

    """
    redactor = Redactor([secret.get_secret_value() for secret in scenario.secrets.values()])
    _require_modest(scenario)
    if options.ui_port is not None and is_taken(options.ui_port):
        raise UsageError(f"port {options.ui_port} is taken by another program; name a free one with --ui-port")
    task = asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, lambda: task and task.cancel())
    async with contextlib.AsyncExitStack() as stack:
        if scenario.target.embedded is None:
            addresses = allowed_addresses(scenario.target.url, scenario.target.allow)
            await _require_answer(scenario)
        _claim(options.out)
        embedded: EmbeddedTarget | None = None
        if scenario.target.embedded is not None:
            log = ProcessLog(options.out / "target.log", redactor)
            embedded = await EmbeddedTarget.start(scenario.target.embedded, log)
            stack.push_async_callback(embedded.stop)
            scenario = scenario.model_copy(update={"target": scenario.target.model_copy(update={"url": embedded.url})})
            addresses = allowed_addresses(embedded.url, scenario.target.allow)
        conductor = _Conductor(scenario, options, board, tuple(addresses), embedded, redactor)
        return await conductor.conduct()


def _require_modest(scenario: Scenario) -> None:
    model = scenario.load_model()
    if isinstance(model, OpenModel):
        peak = max(max(stage.start_per_s, stage.end_per_s) for stage in model.stages)
        if peak > scenario.target.max_rate:
            raise TargetError(
                f"the plan peaks at {peak:g} arrivals/s, above the cap of {scenario.target.max_rate:g}/s; "
                "raise target.max_rate (or --max-rate) if the target may take that"
            )


async def _require_answer(scenario: Scenario) -> None:
    target = scenario.target
    url = scenario.settings.get("url") or target.url.rstrip("/") + (target.check or "/")
    problem = await asyncio.to_thread(answers, str(url), tls_verify=target.tls_verify)
    if problem:
        raise TargetError(f"the target does not answer at {url}: {problem}; start it, or name another URL")


def _claim(directory: Path) -> None:
    """Make the run directory, before anything is started for it."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        probe = directory / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        reason = error.strerror or error
        raise RunError(f"cannot write the run directory {directory}: {reason}; name another with --out") from None
    if (directory / "run.json").exists():
        raise RunError(f"{directory} already holds a run; name another directory with --out")


class _Conductor:
    """The state of one run while it is made."""

    def __init__(
        self,
        scenario: Scenario,
        options: Options,
        board: Board,
        addresses: tuple[str, ...],
        embedded: EmbeddedTarget | None,
        redactor: Redactor,
    ) -> None:
        self._scenario = scenario
        self._options = options
        self._board = board
        self._addresses = addresses
        self._embedded = embedded
        self._redactor = redactor
        self._spool = options.out / ".spool"
        self._run_id = secrets.token_hex(4)
        self._objectives = scenario.parsed_objectives()
        self._inbox = Inbox()
        self._accounting: Counter[str] = Counter()
        self._ledgers: dict[str, dict[str, int]] = {}
        self._locust: dict[str, Any] = {}
        self._ok: Counter[int] = Counter()
        self._unreachable: Counter[int] = Counter()
        self._partial: str | None = None
        self._fault = ""
        self._interrupted = False
        self._broken_disk = False

    async def conduct(self) -> Conducted:
        self._spool.mkdir(exist_ok=True)
        log = ProcessLog(self._options.out / "generator.log", self._redactor)
        self._generator = Generator(list(self._jobs()), self._accept, self._lost)
        try:
            self._board.say(f"starting the generator for {self._scenario.name} on {self._scenario.target.url}")
            await self._generator.start(log)
            await self._run()
        finally:
            await self._generator.finish()
            self._board.close()
        return self._close()

    def _jobs(self) -> Iterator[Job]:
        count = self._options.processes
        port = free_port() if count > 1 else 0
        if count > 1:
            yield self._job("master", "master", 0, count, port)
        for shard in range(count):
            name = "local" if count == 1 else f"worker-{shard}"
            yield self._job("local" if count == 1 else "worker", name, shard, count, port)

    def _job(self, role: Any, source: str, shard: int, shards: int, port: int) -> Job:
        ui = self._options.ui_port if role != "worker" else None
        spool = self._spool.resolve()
        return Job(self._scenario, self._run_id, role, source, shard, shards, spool, self._addresses, port, ui)

    def _header(self, t0_ns: int) -> RunHeader:
        scenario, model = self._scenario, self._scenario.load_model()
        planned = plan_hash = None
        if isinstance(model, OpenModel) and scenario.users:
            shards = self._options.processes
            prints = [Plan(model, scenario.seed, shard, shards).fingerprint() for shard in range(shards)]
            planned, plan_hash = sum(count for count, _ in prints), "+".join(digest for _, digest in prints)
        return RunHeader(
            name=scenario.name,
            run_id=self._run_id,
            started_wall_s=time.time() + (t0_ns - time.monotonic_ns()) / NS_PER_S,
            t0_ns=t0_ns,
            target=self._redactor(scenario.target.url),
            model=scenario.load.model,
            load=load_in_words(scenario),
            users=scenario.load.users if scenario.users else 0,
            seed=scenario.seed,
            phases=phase_spans(scenario),
            objectives=tuple({"text": o.text, "series": o.series, "scope": o.scope} for o in self._objectives),
            planned=planned,
            plan_hash=plan_hash or "",
            connections=sum(member.count for member in scenario.swarm.members),
            timeout_s=scenario.load.timeout / NS_PER_S,
            command=self._redactor(self._options.command),
            commit=commit(),
            versions=versions(),
            host=host(),
            scenario=dump_scenario(scenario),
            advice=tuple(advice(scenario, self._objectives)),
        )

    async def _run(self) -> None:
        header = await asyncio.to_thread(self._header, time.monotonic_ns() + LEAD_NS)
        t0_ns = time.monotonic_ns() + LEAD_NS
        header = replace(header, t0_ns=t0_ns, started_wall_s=time.time() + LEAD_NS / NS_PER_S)
        self._writer = RunWriter(self._options.out, header)
        self._progress = Progress(header.phases, self._objectives)
        for said in header.advice:
            self._board.say(f"note: {said}")
        if self._options.ui_port is not None:
            self._board.say(f"Locust's own web page: http://127.0.0.1:{self._options.ui_port}")
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupt)
        self._t0_ns = t0_ns
        self._generator.order("start", t0_ns=t0_ns)
        for phase in header.phases:
            self._write(lambda phase=phase: self._writer.event(phase.start_s, "phase", phase.name))
        watching = asyncio.create_task(self._watch())
        try:
            patience_s = (self._scenario.duration_ns + self._scenario.load.timeout + self._scenario.swarm.drain) / 1e9
            await self._until_done(patience_s + 40)
        finally:
            watching.cancel()

    async def _until_done(self, patience_s: float) -> None:
        """Wait for the generator's own end; once the run is cut short, only so long."""
        deadline = time.monotonic() + patience_s
        while not self._generator.done.is_set():
            if self._partial is not None:
                deadline = min(deadline, time.monotonic() + 12)
                self._generator.order("stop")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._generator.done.wait(), max(0.1, deadline - time.monotonic()))
                return
            if time.monotonic() > deadline:
                self._cut("the generator did not end in time", "generator")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._generator.done.wait(), 0.1)

    async def _watch(self) -> None:
        monitor = Monitor()
        port = urlsplit(self._scenario.target.url).port
        target = [self._embedded.process.pid] if self._embedded else monitor.listener(port) if port else []
        while True:
            await asyncio.sleep(1 - time.monotonic() % 1)
            at_s = (time.monotonic_ns() - self._t0_ns) / NS_PER_S
            pids = self._generator.pids
            swarm = [child for pid in pids for child in monitor.children(pid)]
            row = await asyncio.to_thread(monitor.read, pids, swarm, target)
            gauges = {n: self._progress.gauge(n) for n in ("users", "waiting", "in_flight", "connections")}
            if at_s >= 0:
                self._write(lambda row=row, at_s=at_s, g=gauges: self._writer.resources({"at_s": at_s, **row, **g}))
            self._progress.at_s, self._progress.resources = max(0.0, at_s), row
            self._board.show(self._progress)
            if self._embedded and self._embedded.process.returncode is not None:
                self._cut(f"the target ended with code {self._embedded.process.returncode}", "target")
            self._look_for_answers(int(at_s))

    def _look_for_answers(self, second: int) -> None:
        """A target that refuses every connection for seconds on end is dead; more load shows nothing."""
        last = range(second - UNREACHABLE_S - 1, second - 1)
        if last.start >= 0 and all(self._unreachable[s] and not self._ok[s] for s in last):
            self._cut(f"the target could not be reached for {UNREACHABLE_S} s", "target")

    def _accept(self, batch: dict[str, Any]) -> None:
        if not self._inbox.accept(batch):
            return
        intervals = [Interval.from_json(row) for row in batch.get("intervals", ())]
        self._write(lambda: self._writer.intervals(intervals))
        self._progress.add(intervals)
        for interval in intervals:
            if not interval.series.startswith("ws "):
                self._ok[interval.second] += interval.ok
                self._unreachable[interval.second] += sum(interval.errors.get(kind, 0) for kind in UNREACHABLE)
        for row in batch.get("exemplars", ()):
            self._write(lambda row=row: self._writer.exemplar(row))
        for event in batch.get("events", ()):
            self._event(event["kind"], event["text"])
            if event["kind"] in ("lost", "member error"):
                self._cut(event["text"], "generator")
        if "gauges" in batch:
            self._progress.gauges[batch["source"]] = batch["gauges"]
        if "ledger" in batch:
            self._ledgers[batch["source"]] = batch["ledger"]
            self._progress.ledger = dict(sum((Counter(ledger) for ledger in self._ledgers.values()), Counter()))
            self._write(lambda: self._writer.deliveries(self._ledger()))
        if "accounting" in batch:
            self._accounting.update(batch["accounting"])
        if "locust" in batch:
            self._locust[batch["source"]] = batch["locust"]

    def _ledger(self) -> dict[str, int]:
        names = next(iter(self._ledgers.values()), {})
        return {name: sum(ledger[name] for ledger in self._ledgers.values()) for name in names}

    def _lost(self, text: str) -> None:
        self._event("lost", text)
        self._cut(text, "generator")

    def _interrupt(self) -> None:
        if self._interrupted:
            self._generator.done.set()
        self._interrupted = True
        self._cut("interrupted", "")

    def _cut(self, reason: str, fault: str) -> None:
        """End the run early; the first reason counts."""
        if self._partial is None:
            at_s = max(0.0, (time.monotonic_ns() - self._t0_ns) / NS_PER_S)
            self._partial, self._fault = f"{reason} at {at_s:.0f} s", fault
            self._event("cut", self._partial)
            self._board.say(f"ending early: {self._partial}")

    def _event(self, kind: str, text: str) -> None:
        at_s = (time.monotonic_ns() - self._t0_ns) / NS_PER_S
        self._write(lambda: self._writer.event(at_s, kind, text))

    def _write(self, action: Any) -> None:
        """Do something to the run directory; a disk that refuses ends the run."""
        if self._broken_disk:
            return
        try:
            action()
        except OSError as error:
            self._broken_disk = True
            self._cut(f"the run directory cannot be written ({error.strerror or error})", "generator")

    def _close(self) -> Conducted:
        recovered = 0
        for batch in read_spool(self._spool):
            if batch["sequence"] not in self._inbox.seen(batch["source"]):
                recovered += 1
                self._accept(batch)
        if recovered:
            self._event("recovered", f"{recovered} batches were read from a lost process's own log")
        shutil.rmtree(self._spool, ignore_errors=True)
        header = self._writer.header
        end_s = (time.monotonic_ns() - self._t0_ns) / NS_PER_S
        self._writer.close(
            replace(
                header,
                state="partial" if self._partial else "complete",
                partial=self._partial,
                fault=self._fault,
                phases=tuple(_cut_phases(header.phases, end_s)) if self._partial else header.phases,
                ended_wall_s=time.time(),
                accounting=dict(self._accounting),
            )
        )
        return Conducted(self._writer, self._locust, self._interrupted)


def _cut_phases(phases: Any, end_s: float) -> Iterator[Any]:
    for phase in phases:
        if phase.start_s < end_s:
            yield replace(phase, end_s=min(phase.end_s, end_s))
