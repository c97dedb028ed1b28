"""The witness's process: ``python -m loadtests.witnessprocess``, idle but for a few requests a second.

Reads its Job, orders and the requests to make from standard input, answers with rows of ``witness.jsonl`` on standard
output, one JSON object a line. Each connection is a thread that sleeps until it is its turn.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import aiohttp

from loadtests.allowance import guard
from loadtests.duration import NS_PER_S
from loadtests.job import Job
from loadtests.listener import Listener, Seat, seats
from loadtests.member import Member
from loadtests.plan import Plan
from loadtests.probe import Answer, Probe
from loadtests.proberequest import ProbeRequest
from loadtests.scenario import Scenario
from loadtests.series import DELIVER

__all__ = ["Findings", "Turns"]

KEPT = 64
"""Of the load's newest requests: those that the witness chooses from."""


class Turns:
    """The planned moments, each one connection's turn, taken when it is idle; moments before ``from_ns`` are over."""

    def __init__(self, plan: Plan, t0_ns: int, from_ns: int) -> None:
        self._moments = self._each(plan, t0_ns, from_ns)
        self._lock = threading.Lock()

    @staticmethod
    def _each(plan: Plan, t0_ns: int, from_ns: int) -> Iterator[int]:
        for chunk in plan.chunks():
            yield from (due_ns for due_ns in (chunk + t0_ns).tolist() if due_ns >= from_ns)

    def take(self) -> int | None:
        """The next one's moment in ns of CLOCK_MONOTONIC; None when there is no more."""
        with self._lock:
            return next(self._moments, None)


class Findings:
    """What came of the requests, by series and second of their start, until it is taken."""

    def __init__(self, t0_ns: int) -> None:
        self._t0_ns = t0_ns
        self._lock = threading.Lock()
        self._found: list[tuple[str, Answer]] = []

    def add(self, series: str, answer: Answer) -> None:
        """One more."""
        with self._lock:
            self._found.append((series, answer))

    def take(self) -> list[dict[str, Any]]:
        """Rows of ``witness.jsonl``; see :class:`~loadtests.witnessaccount.WitnessAccount`."""
        with self._lock:
            found, self._found = self._found, []
        together: dict[tuple[int, str], list[Answer]] = {}
        for series, answer in found:
            second = (answer.started_ns - self._t0_ns) // NS_PER_S
            together.setdefault((second, series), []).append(answer)
        return [_row(second, series, answers) for (second, series), answers in sorted(together.items())]


def _row(second: int, series: str, answers: list[Answer]) -> dict[str, Any]:
    good = [a for a in answers if not a.failure]
    row: dict[str, Any] = {
        "second": second,
        "series": series,
        "us": [(a.ended_ns - a.started_ns) // 1000 for a in good],
        "by_kernel": sum(a.by_kernel for a in good),
    }
    failed = Counter(a.failure for a in answers if a.failure)
    return row | ({"failed": dict(failed)} if failed else {})


class Prepared:
    """Lets members prepare, all on one event loop, as they are used to."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def prepare(self, member: Member) -> None:
        """Wait until it has; whatever it raises is raised here."""
        asyncio.run_coroutine_threadsafe(self._prepare(member), self._loop).result()

    async def _prepare(self, member: Member) -> None:
        target, load = self._scenario.target, self._scenario.load
        async with aiohttp.ClientSession(
            base_url=target.url,
            connector=aiohttp.TCPConnector(ssl=bool(target.tls_verify)),
            timeout=aiohttp.ClientTimeout(total=load.timeout / NS_PER_S),
        ) as http:
            await member.prepare(http)


class _Process:
    """The connections, and what they have to ask."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._over = threading.Event()
        self._requests: deque[ProbeRequest] = deque(maxlen=KEPT)
        self._random = random.Random(job.scenario.seed)  # noqa: S311 -- chooses requests, not secrets
        self._threads: list[threading.Thread] = []

    def hand(self, probes: list[dict[str, Any]]) -> None:
        """Requests that the load has just made."""
        for row in probes:
            self._requests.append(ProbeRequest(row["series"], row["path"], tuple(map(tuple, row["headers"]))))

    def start(self, t0_ns: int) -> None:
        """Begin; every connection is made when it is first needed."""
        scenario = self._job.scenario
        self._findings = Findings(t0_ns)
        tasks: list[Callable[[], None]] = []
        if scenario.witness_per_s:
            plan = Plan(scenario.open_model(scenario.witness_per_s, "poisson"), scenario.seed)
            self._turns = Turns(plan, t0_ns, time.monotonic_ns())
            tasks += [self._ask] * scenario.witness.connections
        if scenario.witness_sockets:
            places, prepared = seats(self._job), Prepared(scenario)
            tasks += [partial(self._listen, seat, len(places), prepared, t0_ns) for seat in places]
        self._threads = [threading.Thread(target=task, daemon=True) for task in (*tasks, self._tell)]
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Ask no more, and tell what was found until now."""
        self._over.set()
        if self._threads:
            self._threads[-1].join(1)

    def _ask(self) -> None:
        target, load = self._job.scenario.target, self._job.scenario.load
        probe = Probe(target.url, self._job.addresses, load.timeout / NS_PER_S, tls_verify=target.tls_verify)
        while (due_ns := self._turns.take()) is not None:
            left_ns = due_ns - time.monotonic_ns()
            if self._over.wait(max(0.0, left_ns / NS_PER_S)):
                return
            if self._requests:
                request = self._random.choice(self._requests)
                # A turn that came while every connection was busy has waited for the target: its clock began then.
                self._findings.add(request.series, probe.ask(request, None if left_ns > 0 else due_ns))

    def _listen(self, seat: Seat, of: int, prepared: Prepared, t0_ns: int) -> None:
        """In the turn of the connection that it is like."""
        turn_ns = t0_ns + round(seat.number / self._job.scenario.swarm.connect_rate * NS_PER_S)
        if not self._over.wait(max(0.0, (turn_ns - time.monotonic_ns()) / NS_PER_S)):
            tell = partial(self._findings.add, DELIVER)
            Listener(self._job, seat, of, prepared.prepare, tell).run(self._over.wait)

    def _tell(self) -> None:
        over = False
        while not over:
            over = self._over.wait(1)
            try:
                for row in self._findings.take():
                    sys.stdout.write(json.dumps(row, separators=(",", ":")) + "\n")
                sys.stdout.flush()
            except OSError:
                os._exit(1)


def main() -> None:
    """Be the witness until told to quit, or until the parent is gone."""
    line = sys.stdin.readline()
    if not line:
        return
    job = Job.from_wire(line)
    guard(job.addresses)
    process = _Process(job)
    for line in sys.stdin:
        order = json.loads(line)
        if order["order"] == "start":
            process.start(order["t0_ns"])
        elif order["order"] == "probes":
            process.hand(order["probes"])
        elif order["order"] == "quit":
            process.finish()
            break
    os._exit(0)


if __name__ == "__main__":
    main()
