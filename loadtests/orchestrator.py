"""Makes a run from a scenario: checks it, starts its target, conducts it; imports neither locust nor aiohttp."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from dataclasses import replace

from loadtests.allowance import allowed_addresses
from loadtests.board import Board
from loadtests.conductor import Conducted, Conductor, Options
from loadtests.duration import format_ns
from loadtests.precedence import preempt_as_usual, preempt_nobody
from loadtests.preflight import claim, read_promises, require_answer, require_free, require_modest, require_room
from loadtests.processlog import ProcessLog
from loadtests.redaction import Redactor
from loadtests.roster import require_seats
from loadtests.scenario import Scenario
from loadtests.target import EmbeddedTarget

__all__ = ["Conducted", "Options", "conduct"]


async def conduct(scenario: Scenario, options: Options, board: Board) -> Conducted:
    """Make a run; what was measured is on disk however it ends.

    Raises:
        UsageError: before any load, when target, directory or scenario code do not allow it.
        GeneratorError: before any load, when our own processes do not come up.
        asyncio.CancelledError: when interrupted before any load.

    """
    redactor = Redactor([secret.get_secret_value() for secret in scenario.secrets.values()])
    require_modest(scenario)
    connections = sum(member.count for member in scenario.swarm.members)
    each = min(options.swarm_processes, connections // options.processes) if connections else options.swarm_processes
    options = replace(options, swarm_processes=max(1, each))  # as few as need be without a subscriber
    shares = options.processes * options.swarm_processes
    require_room(scenario, shares)
    require_seats(scenario, shares if scenario.http_members else options.processes)
    require_free(options.ui_port)
    task = asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, lambda: task and task.cancel())
    async with contextlib.AsyncExitStack() as stack:
        preempt_nobody()
        stack.callback(preempt_as_usual)
        embedded: EmbeddedTarget | None = None
        if scenario.target.embedded is None:
            allowed_addresses(scenario.target.url, scenario.target.allow, named=scenario.address)
            await require_answer(scenario)
            claim(options.out)
        else:
            claim(options.out)
            log = ProcessLog(options.out / "target.log", redactor)
            embedded = await EmbeddedTarget.start(scenario.target.embedded, log)
            stack.push_async_callback(embedded.stop)
            scenario = scenario.model_copy(update={"target": scenario.target.model_copy(update={"url": embedded.url})})
        addresses = allowed_addresses(scenario.target.url, scenario.target.allow)
        if scenario.target.metrics:
            allowed_addresses(scenario.target.metrics_url, scenario.target.allow)
        promises = await read_promises(scenario)
        if scenario.contract is not None and scenario.contract.unloaded is not None:
            unloaded = format_ns(scenario.contract.unloaded)
            board.say(f"before the load, the users' tasks are tried one request at a time for {unloaded}")
        return await Conductor(scenario, options, board, addresses, embedded, redactor, promises).conduct()
