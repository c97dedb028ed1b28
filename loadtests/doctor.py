"""The harness examines itself and its machine: it makes a calibration's runs, one after another, and reads them."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from loadtests.board import Board
from loadtests.calibration import Calibration, host_class
from loadtests.errors import GeneratorError
from loadtests.orchestrator import Options, conduct
from loadtests.processlog import ProcessLog
from loadtests.redaction import Redactor
from loadtests.run import Run
from loadtests.scenario import Embedded, Scenario
from loadtests.target import EmbeddedTarget
from loadtests.trial import Trials
from loadtests.trialcheck import (
    check_floor,
    check_known,
    check_sabotaged,
    check_swarm,
    check_sweep,
    floor_ms,
    headroom,
)
from loadtests.verdict import Check

__all__ = ["Doctor"]


class Doctor:
    """Calibrates the harness on this machine.

    Args:
        trials: what is run.
        processes: Locust processes of each run, as in the runs that the calibration is for.
        board: shows each run while it is made.
        say: takes each check as it is found.

    """

    def __init__(
        self, trials: Trials, processes: int, board: Callable[[], Board], say: Callable[[Check], None]
    ) -> None:
        self._trials = trials
        self._processes = processes
        self._board = board
        self._say = say
        self._checks: list[Check] = []

    async def calibrate(self) -> Calibration:
        """Make every run.

        Raises:
            GeneratorError: when our own processes do not come up.
            asyncio.CancelledError: when interrupted; nothing is kept then.

        """
        intent = self._trials.intent
        with tempfile.TemporaryDirectory(prefix="loadtests-doctor-") as scratch:
            self._folder = Path(scratch)
            floor = floor_ms(await self._made(self._trials.floor()))
            self._found([check_floor(floor, intent.limit_ns)])
            times, stopped = headroom(await self._made(self._trials.sweep()), intent.limit_ns)
            self._found([check_sweep(times, stopped)])
            self._found(check_known(await self._made(self._trials.known())))
            if intent.connections:
                async with self._hub() as url:
                    beside = floor_ms(await self._made(self._trials.beside_a_swarm(url)))
                self._found([check_swarm(floor, beside)])
            self._found([check_sabotaged(await self._made(self._trials.sabotaged()))])
        made_s = time.time()
        return Calibration(
            id=f"{time.strftime('%Y%m%d-%H%M%S', time.localtime(made_s))}-{secrets.token_hex(2)}",
            made_wall_s=made_s,
            host=host_class(),
            rate_per_s=intent.rate_per_s,
            processes=self._processes,
            connections=intent.connections,
            floor_ms=floor,
            headroom=times,
            checks=tuple(self._checks),
        )

    def _found(self, checks: Iterable[Check]) -> None:
        for check in checks:
            self._checks.append(check)
            self._say(check)

    async def _made(self, scenario: Scenario) -> Run:
        out = self._folder / scenario.name
        conducted = await conduct(scenario, Options(out, "loadtests doctor", self._processes), self._board())
        if conducted.interrupted:
            raise KeyboardInterrupt
        run = Run(out)
        if run.header.state != "complete":
            raise GeneratorError(f"the calibration's run {scenario.name!r} ended early: {run.header.partial}")
        return run

    @contextlib.asynccontextmanager
    async def _hub(self) -> AsyncIterator[str]:
        log = ProcessLog(self._folder / "hub.log", Redactor([]))
        hub = await EmbeddedTarget.start(Embedded(module="loadtests.nullhub", ready="/"), log)
        try:
            yield hub.url
        finally:
            await hub.stop()
