"""The load of one Locust process: its arrivals, its users, its recorder, its swarm child.

Runs under gevent. Time comes from CLOCK_MONOTONIC, which every process of a machine shares.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gevent
from gevent.event import Event
from gevent.hub import Waiter
from locust.env import Environment

from loadtests.answersample import AnswerSample
from loadtests.arrival import ArrivalLine
from loadtests.clientpool import PoolWaits
from loadtests.duration import NS_PER_S
from loadtests.interval import Interval
from loadtests.job import Job
from loadtests.locustrequests import Requests
from loadtests.locuststatistics import LocustStatistics, figures_of
from loadtests.locustuser import wake
from loadtests.offering import Offering
from loadtests.outbox import Outbox
from loadtests.parts import at_once, with_rests
from loadtests.plan import OpenModel
from loadtests.proberequest import GetSample
from loadtests.requestlog import RequestLog
from loadtests.sample import Outcome
from loadtests.series import is_request
from loadtests.swarmchild import SwarmChild
from loadtests.unloadedpass import UnloadedPass
from loadtests.vitals import PROBE_NS, PROBE_S, Vitals

__all__ = ["LocustLoad"]

_READ = 1


class LocustLoad:
    """Drives this process's share of the plan and reports Intervals once a second.

    Args:
        job: the share.
        environment: Locust's, with the classes of :func:`~loadtests.population.user_classes`.
        send: takes each numbered batch towards the orchestrator.

    """

    def __init__(self, job: Job, environment: Environment, send: Callable[[dict[str, Any]], None]) -> None:
        self.job = job
        self.environment = environment
        self._outbox = Outbox(job.source, send, job.spool)
        self._send = send
        self._stopping = Event()
        self._swarm: list[SwarmChild] = []
        for share in job.swarm_jobs() if job.scenario.swarm.members or job.scenario.http_members else ():
            self._swarm.append(SwarmChild(share, partial(self._from_swarm, len(self._swarm))))
        self._classes: list[Any] = list(environment.user_classes)
        self._requests: Requests = self._classes[0].requests if self._classes else Requests()
        self._model = job.scenario.load_model()
        self._sample, self._gets = AnswerSample.of(job), GetSample.of(job)
        self._unloaded = UnloadedPass(job)
        self._vitals, self._pool_waits = Vitals(), PoolWaits()
        self._statistics = LocustStatistics(environment.stats)
        self._lost_told: set[str] = set()
        self._over, self._taken_up = False, 0
        self._offered_by: Offering | None = None

    def open_swarm(self) -> None:
        """Start the swarm's processes, which connect once the run starts."""
        for child in self._swarm:
            child.open()

    def try_unloaded(self) -> None:
        """Try the users' tasks where the scenario asks for it; what came of it is posted once the run starts."""
        self._unloaded.run()

    def published_elsewhere(self, published: dict[str, Any]) -> None:
        """Tell this process's subscribers what publishers in other processes sent."""
        for child in self._swarm:
            child.tell({"order": "published", "published": published})

    def _from_swarm(self, which: int, batch: dict[str, Any]) -> None:
        """Pass a child's batch on; what it published the others here learn too, and Locust's page what it asked."""
        self._send(batch)
        for row in batch.get("intervals", ()) if self.job.scenario.http_members else ():
            if is_request(row["series"]):
                self._statistics.add_interval(Interval.from_json(row))
        for child in self._swarm[:which] + self._swarm[which + 1 :] if "published" in batch else ():
            child.tell({"order": "published", "published": batch["published"]})

    def stop(self) -> None:
        """End early: no further arrival is offered."""
        self._stopping.set()
        for child in self._swarm:
            child.tell({"order": "stop"})

    def abandon(self) -> None:
        """The orchestrator is gone or wants no more."""
        for child in self._swarm:
            child.kill()

    def begin(self, t0_ns: int) -> None:
        """Make everything that users will touch, before any of them is spawned."""
        random.seed(f"{self.job.scenario.seed} {self.job.shard}")
        self._t0_ns = t0_ns
        self._log = RequestLog(self.job, t0_ns, self._requests, self.environment.stats, self._sample, self._gets)
        self._log.listen(self.environment.events)
        for fault in self._unloaded.faults:
            self._log.event("user error", fault)
        if self._unloaded.checked:
            self._outbox.post(unloaded=self._unloaded.to_json())
        for child in self._swarm:
            child.tell({"order": "start", "t0_ns": t0_ns})
        self._line = self._make_line()
        self._vitals.watch_collector()
        self._pool_waits.watch()
        self._probing = gevent.get_hub().loop.timer(PROBE_S, PROBE_S)
        self._probe()

    def run(self, runner: Any) -> None:
        """Drive the share to its end and post the last batch; :meth:`begin` comes first."""
        folding = gevent.spawn(self._fold_each_second, runner)
        with self._offering():
            self._sleep_until(self._t0_ns + self._model.duration_ns)
        self._requests.closing = True
        self._drain()
        if not self._stopping.is_set():
            self._log.give_up()
        for which, intended_ns in self._line.close():
            self._log.never_started(self._classes[which], intended_ns, Outcome.UNSENT)
        # At one moment: users who are still under way may begin more while the rest is waited for.
        in_flight = self._log.close(self.environment.events)
        begun, under_way_ns = self._requests.begun, self._requests.in_flight_ns
        self._over = True
        folding.get()  # not killed: that could cut a line of its in half; what it raised ends the run
        counted = self._line.accounting
        accounting = {name: getattr(counted, name) for name in ("offered", "started", "dropped", "unsent")}
        accounting |= {"requests_begun": begun, "requests_in_flight": in_flight, "in_flight_us": under_way_ns // 1000}
        if (plan := self.job.plan()) and not self.job.scenario.http_members:
            accounting["planned"] = plan.fingerprint()[0]
        for child in self._swarm:
            self._tell_lost(child.finish())
        ours = self.job.scenario.http_members  # whose times Locust's page has from us
        locust = {} if ours else figures_of(self.environment.stats, self.job.redactor())
        self._outbox.post(**at_once(self._log.take(last=True)), accounting=accounting, locust=locust)

    def _tell_lost(self, how: str | None) -> None:
        if how and how not in self._lost_told:
            self._lost_told.add(how)
            self._log.event("lost", how)

    def _make_line(self) -> ArrivalLine[Waiter]:
        weights = [float(cls.weight) for cls in self._classes] or [1.0]
        line: ArrivalLine[Waiter] = ArrivalLine(
            weights,
            self.job.in_flight_cap,
            seed=self.job.scenario.seed * 1009 + self.job.shard,
            wake=wake,
            drop=lambda which, intended_ns: self._log.never_started(self._classes[which], intended_ns, Outcome.DROPPED),
        )
        for cls in self._classes:
            cls.line = line
        return line

    def _sleep_until(self, due_ns: int) -> None:
        while (left := due_ns - time.monotonic_ns()) > 0 and not self._stopping.is_set():
            self._stopping.wait(min(left / NS_PER_S, 1.0)) if left > 5_000_000 else gevent.sleep(left / NS_PER_S)

    @contextlib.contextmanager
    def _offering(self) -> Iterator[None]:
        """Offer every arrival at its intended time meanwhile, in a callback of the hub."""
        plan = self.job.plan()
        if plan is None or not self._classes:
            yield
            return
        self._offered_by = offering = Offering(plan.dues_ns(self._t0_ns), self._line.offer, self.job.spin_ns)
        watcher = gevent.get_hub().loop.io(offering.fd, _READ)
        watcher.start(offering.on_due)
        try:
            yield
            if not self._stopping.is_set():
                offering.finish()
        finally:
            watcher.stop()
            watcher.close()
            offering.close()

    def _drain(self) -> None:
        """Give what is in line and in flight its time-out to end; two seconds once the run is to stop."""
        deadline = time.monotonic_ns() + self.job.scenario.load.timeout + NS_PER_S // 2
        is_cut = False
        while time.monotonic_ns() < deadline:
            if self._stopping.is_set() and not is_cut:  # at any moment of the drain
                is_cut, deadline = True, min(deadline, time.monotonic_ns() + 2 * NS_PER_S)
            if not (self._requests.under_way or self._line.waiting or self._line.in_service > 0):
                return
            gevent.sleep(0.02)

    def _fold_each_second(self, runner: Any) -> None:
        second, offered = 0, self._offered()
        while not self._over:
            second += 1
            for child in self._swarm:
                self._tell_lost(child.lost)
            while (left := self._t0_ns + second * NS_PER_S - time.monotonic_ns()) > 0:
                gevent.sleep(left / NS_PER_S)
            before, offered = offered, self._offered()
            self._outbox.post(
                **with_rests(self._log.take()),
                vitals=self._vitals.row(self._t0_ns) | {"pool_waits": self._pool_waits.take(), **self._arrivals()},
                gauges={
                    "offered_per_s": offered - before,
                    "users": runner.user_count,
                    "waiting": self._line.waiting,
                    "in_flight": len(self._requests.under_way),
                },
            )
            if self._gets and (probes := self._gets.take()):
                self._send({"probes": probes})  # past the outbox, whose spool is on disk: these hold secrets

    def _arrivals(self) -> dict[str, float]:
        """How many arrivals a user took up since it was last asked, and how busily they were waited for."""
        if self._offered_by is None:
            return {}
        before, self._taken_up = self._taken_up, self._line.accounting.started
        return {"arrivals": self._taken_up - before, **self._offered_by.take_spin()}

    def _probe(self, due_ns: int = 0) -> None:
        """See how late this process's loop gets to what is due, again and again, in the hub's own callback."""
        if due_ns:
            self._vitals.woke(due_ns)
        if self._over:
            self._probing.stop()
        else:
            self._probing.again(self._probe, time.monotonic_ns() + PROBE_NS)

    def _offered(self) -> int:
        """Arrivals that came due so far; in a closed model, requests that began."""
        return self._line.accounting.offered if isinstance(self._model, OpenModel) else self._requests.begun
