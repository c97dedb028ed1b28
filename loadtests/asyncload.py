"""An HTTP load of asyncio members in one process: its arrivals, its members, what became of their requests."""

from __future__ import annotations

import asyncio
import contextlib
import time
import types
from collections.abc import Generator, Sequence

from loadtests.arrival import ArrivalLine
from loadtests.asyncrequests import AsyncRequests
from loadtests.duration import NS_PER_S
from loadtests.feed import read_feeds
from loadtests.httpmember import HttpMember
from loadtests.job import Job
from loadtests.offering import Offering
from loadtests.plan import ClosedModel, OpenModel
from loadtests.roster import Seat, member_classes, seats
from loadtests.sample import Outcome

__all__ = ["AsyncLoad"]

AFTER_RAISE_S = 0.01
REST_S = 0.1
LEAVE_S = 1.0

CODES = Exception, asyncio.CancelledError
"""What a member's own code may raise."""

Waiter = asyncio.Future[int]


@types.coroutine
def turn() -> Generator[None, None, None]:
    """Let the loop go on: ``asyncio.sleep(0)``, at a third of its price."""
    yield


class AsyncLoad:
    """Drives this process's share of the plan.

    Args:
        job: the share.
        requests: makes the members' sessions, and files what becomes of them.
        t0_ns: CLOCK_MONOTONIC of the run's second 0.

    Raises:
        ScenarioError: when a class of the scenario is no HttpMember.

    """

    def __init__(self, job: Job, requests: AsyncRequests, t0_ns: int) -> None:
        scenario = job.scenario
        self._job, self._requests, self._t0_ns = job, requests, t0_ns
        self._model = scenario.load_model()
        self._classes = member_classes(job)
        self._seats = list(seats(job))
        self._feeds = read_feeds(scenario)
        self._secrets = scenario.plain_secrets()
        self._members = self._taken_up = self._offered = 0
        self._population = self._model.stages[0].users if isinstance(self._model, ClosedModel) else 0
        self._closing = False
        self._offered_by: Offering | None = None
        self._line: ArrivalLine[Waiter] = ArrivalLine(
            [user.weight for user in scenario.users],
            job.in_flight_cap,
            seed=scenario.seed * 1009 + job.shard,
            wake=asyncio.Future.set_result,
            drop=lambda which, intended_ns: self._never_started(which, intended_ns, Outcome.DROPPED),
        )

    async def run(self, stopping: asyncio.Event) -> None:
        """Drive the share to its end, drain, and give up what is left."""
        tasks = [asyncio.create_task(self._serve(place, seat)) for place, seat in enumerate(self._seats)]
        if isinstance(self._model, ClosedModel):
            tasks.append(asyncio.create_task(self._follow_stages()))
        loop, plan = asyncio.get_running_loop(), self._job.plan()
        offering = Offering(plan.dues_ns(self._t0_ns), self._line.offer, self._job.spin_ns) if plan else None
        self._offered_by = offering
        if offering:
            loop.add_reader(offering.fd, offering.on_due)
        await self._until_the_end(stopping)
        self._closing = True
        if offering:
            loop.remove_reader(offering.fd)
            if not stopping.is_set():
                offering.finish()
            offering.close()
        await self._drain(stopping)
        if not stopping.is_set():
            self._requests.give_up()
        for which, intended_ns in self._line.close():
            self._never_started(which, intended_ns, Outcome.UNSENT)
        self._requests.over = True
        await self._leave(tasks)

    async def _leave(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """End what members are at; code that passes over its cancellation is not waited for."""
        for task in tasks:
            task.cancel()
        left = (await asyncio.wait(tasks, timeout=LEAVE_S))[1] if tasks else ()
        if left:
            said = f"{len(left)} members did not end with the run: their code catches its cancellation (a bare except?)"
            self._requests.answers.event("user error", said)

    async def _until_the_end(self, stopping: asyncio.Event) -> None:
        end_ns = self._t0_ns + self._model.duration_ns
        while (left_ns := end_ns - time.monotonic_ns()) > 0 and not stopping.is_set():  # loops' timers may be early
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), left_ns / NS_PER_S)

    def accounting(self) -> dict[str, int]:
        """Arrivals counted at the source."""
        counted = self._line.accounting
        told = {name: getattr(counted, name) for name in ("offered", "started", "dropped", "unsent")}
        plan = self._job.plan()
        return told | ({"planned": plan.fingerprint()[0]} if plan else {})

    def gauges(self) -> dict[str, int]:
        """What the board shows; once a second."""
        offered = self._line.accounting.offered if isinstance(self._model, OpenModel) else self._requests.begun
        before, self._offered = self._offered, offered
        return {
            "offered_per_s": offered - before,
            "users": self._members,
            "waiting": self._line.waiting,
            "in_flight": self._requests.in_flight,
        }

    def arrivals(self) -> dict[str, float]:
        """How many arrivals a member took up since it was last asked, and how busily they were waited for."""
        if self._offered_by is None:
            return {}
        before, self._taken_up = self._taken_up, self._line.accounting.started
        return {"arrivals": self._taken_up - before, **self._offered_by.take_spin()}

    async def _serve(self, place: int, seat: Seat) -> None:
        """One member, from its turn to come up to the end."""
        await asyncio.sleep(self._job.scenario.come_up_s * place / len(self._seats))
        try:
            member = seat.cls(seat.index, self._feeds, self._job.scenario.settings, self._secrets)
        except Exception as error:
            self._requests.answers.raised(seat.cls, error)
            return
        member.http = self._requests.session(member)
        self._members += 1
        try:
            await member.prepare()
        except CODES as error:
            self._raised(seat.cls, error)
        try:
            if isinstance(self._model, OpenModel):
                await self._serve_arrivals(seat, member)
            else:
                await self._serve_again(seat, member)
        finally:
            self._members -= 1
            member.http.close()

    async def _serve_arrivals(self, seat: Seat, member: HttpMember) -> None:
        loop, line, act = asyncio.get_running_loop(), self._line, member.act
        while not self._requests.over:
            waiter: Waiter = loop.create_future()
            intended_ns = line.take(seat.which, waiter)
            if intended_ns is None:
                intended_ns = await waiter
            else:
                await turn()  # where many wait, the loop must go on between two that await nothing
            member.intended_ns = intended_ns
            try:
                await act()
            except CODES as error:
                self._raised(seat.cls, error)
            line.finish()

    async def _serve_again(self, seat: Seat, member: HttpMember) -> None:
        """A member above the population of the stage that is on rests."""
        act, pause_s = member.act, member.pause_s
        while not self._closing:
            if seat.number >= self._population:
                await asyncio.sleep(REST_S)
                continue
            member.intended_ns = None
            try:
                await act()
                # Also where there is no pause: one that awaits nothing must let the loop go on. And members that let it
                # go on ask together, which costs this process and the server a fifth less than each when answered.
                await (asyncio.sleep(rest_s) if (rest_s := pause_s()) > 0 else turn())
            except CODES as error:
                self._raised(seat.cls, error)
                await asyncio.sleep(AFTER_RAISE_S)

    def _raised(self, cls: type[HttpMember], error: BaseException) -> None:
        """A member's own code raised; a cancellation that is not ours is its own too."""
        if self._requests.over and isinstance(error, asyncio.CancelledError):
            raise error
        self._requests.answers.raised(cls, error)

    async def _follow_stages(self) -> None:
        """Of a closed model: how many members are at work in all processes, stage by stage."""
        assert isinstance(self._model, ClosedModel)  # noqa: S101 -- for the type checker
        until_ns = self._t0_ns
        for stage in self._model.stages:
            self._population, until_ns = stage.users, until_ns + stage.duration_ns
            while (left_ns := until_ns - time.monotonic_ns()) > 0:
                await asyncio.sleep(left_ns / NS_PER_S)
        self._population = 0

    async def _drain(self, stopping: asyncio.Event) -> None:
        """Give what is in line and under way its time-out to end; two seconds once the run is to stop."""
        deadline_ns = time.monotonic_ns() + self._job.scenario.load.timeout + NS_PER_S // 2
        while time.monotonic_ns() < deadline_ns and (
            self._requests.in_flight or self._line.waiting or self._line.in_service
        ):
            if stopping.is_set():
                deadline_ns = min(deadline_ns, time.monotonic_ns() + 2 * NS_PER_S)
                stopping = asyncio.Event()  # once is enough
            await asyncio.sleep(0.02)

    def _never_started(self, which: int, intended_ns: int, outcome: Outcome) -> None:
        self._requests.answers.never_started(self._classes[which], self._job.scenario.settings, intended_ns, outcome)
