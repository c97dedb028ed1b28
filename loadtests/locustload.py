"""The load of one Locust process: its arrivals, its users, its recorder, its swarm child.

Runs under gevent. Time comes from CLOCK_MONOTONIC, which every process of a machine shares.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import AsyncResult, Event
from locust.env import Environment

from loadtests.arrival import ArrivalLine
from loadtests.duration import NS_PER_S
from loadtests.exemplar import Exemplars
from loadtests.job import Job
from loadtests.locustuser import Requests
from loadtests.outbox import Outbox
from loadtests.outcome import classify
from loadtests.plan import OpenModel, Plan
from loadtests.recorder import Recorder
from loadtests.sample import Outcome
from loadtests.series import raised_in, series_name, stray_of
from loadtests.swarmchild import SwarmChild

__all__ = ["LocustLoad"]


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
        self._stopping = Event()
        self._swarm = SwarmChild(job, send) if job.scenario.swarm.members else None
        self._classes: list[Any] = list(environment.user_classes)
        self._listeners: Any = environment.events
        self._requests: Requests = self._classes[0].requests if self._classes else Requests()
        self._model = job.scenario.load_model()
        self._events: list[dict[str, Any]] = []
        self._names: dict[tuple[str, str], str] = {}
        self._redact = job.redactor()
        self._swarm_lost_told = False
        self._over = False

    def open_swarm(self) -> None:
        """Start the swarm child, which connects once the run starts."""
        if self._swarm:
            self._swarm.open()

    def published_elsewhere(self, published: dict[str, Any]) -> None:
        """Tell this process's subscribers what publishers in other processes sent."""
        if self._swarm:
            self._swarm.tell({"order": "published", "published": published})

    def stop(self) -> None:
        """End early: no further arrival is offered."""
        self._stopping.set()
        if self._swarm:
            self._swarm.tell({"order": "stop"})

    def abandon(self) -> None:
        """The orchestrator is gone or wants no more."""
        if self._swarm:
            self._swarm.kill()

    def begin(self, t0_ns: int) -> None:
        """Make everything that users will touch, before any of them is spawned."""
        random.seed(f"{self.job.scenario.seed} {self.job.shard}")
        self._t0_ns = t0_ns
        self.recorder = Recorder(t0_ns, self.job.limits_ns)
        self._exemplars = Exemplars(t0_ns, self._redact)
        self._listeners.request.add_listener(self._on_request)
        self._listeners.user_error.add_listener(self._on_user_error)
        if self._swarm:
            self._swarm.tell({"order": "start", "t0_ns": t0_ns})
        self._line = self._make_line()

    def run(self, runner: Any) -> None:
        """Drive the share to its end and post the last batch; :meth:`begin` comes first."""
        folding = gevent.spawn(self._fold_each_second, runner)
        if isinstance(self._model, OpenModel) and self._classes:
            self._offer()
        self._sleep_until(self._t0_ns + self._model.duration_ns)
        self._requests.closing = True
        self._drain()
        if not self._stopping.is_set():
            self._give_up()
        in_flight = len(self._requests.under_way)
        unsent = self._line.close()
        for which, intended_ns in unsent:
            self._never_started(which, intended_ns, Outcome.UNSENT)
        self._listeners.request.remove_listener(self._on_request)
        self._over = True
        folding.join()  # not killed: that could cut a line of its in half
        accounting = {
            name: getattr(self._line.accounting, name) for name in ("offered", "started", "dropped", "unsent")
        }
        accounting |= {"requests_begun": self._requests.begun, "requests_in_flight": in_flight}
        if isinstance(self._model, OpenModel):
            accounting["planned"] = self._plan().fingerprint()[0]
        swarm_dead = self._swarm.finish() if self._swarm else None
        if swarm_dead and not self._swarm_lost_told:
            self._events.append({"kind": "lost", "text": swarm_dead})
        self._post(accounting=accounting, locust=self._locust_statistics(), slowest=self._exemplars.take_slowest())

    def _plan(self) -> Plan:
        assert isinstance(self._model, OpenModel)  # noqa: S101 -- for the type checker
        return Plan(self._model, self.job.scenario.seed, self.job.shard, self.job.shards)

    def _make_line(self) -> ArrivalLine[AsyncResult]:
        weights = [float(cls.weight) for cls in self._classes] or [1.0]
        line: ArrivalLine[AsyncResult] = ArrivalLine(
            weights,
            self.job.in_flight_cap,
            seed=self.job.scenario.seed * 1009 + self.job.shard,
            wake=lambda waiter, intended_ns: waiter.set(intended_ns),
            drop=lambda which, intended_ns: self._never_started(which, intended_ns, Outcome.DROPPED),
        )
        for cls in self._classes:
            cls.line = line
        return line

    def _never_started(self, which: int, intended_ns: int, outcome: Outcome) -> None:
        cls = self._classes[which]
        series = getattr(cls, "arrival_series", None) or cls.settings.get("arrival_series")
        now = time.monotonic_ns()
        self.recorder.record(series or stray_of(cls.__name__), intended_ns, now, now, int(outcome))

    def _sleep_until(self, due_ns: int) -> None:
        while (left := due_ns - time.monotonic_ns()) > 0 and not self._stopping.is_set():
            self._stopping.wait(min(left / NS_PER_S, 1.0)) if left > 5_000_000 else gevent.sleep(left / NS_PER_S)

    def _offer(self) -> None:
        """Offer every arrival at its intended time; nothing re-bases the plan after an overrun."""
        clock, offer, sleep, stopping = time.monotonic_ns, self._line.offer, gevent.sleep, self._stopping
        self._sleep_until(self._t0_ns)
        for chunk in self._plan().chunks():
            for due_ns in (chunk + self._t0_ns).tolist():
                while (left := due_ns - clock()) > 0:
                    sleep(left / NS_PER_S)
                    if stopping.is_set():
                        return
                offer(due_ns)

    def _drain(self) -> None:
        """Give what is in line and in flight its time-out to end."""
        deadline = time.monotonic_ns() + self.job.scenario.load.timeout + NS_PER_S // 2
        if self._stopping.is_set():
            deadline = min(deadline, time.monotonic_ns() + 2 * NS_PER_S)
        while time.monotonic_ns() < deadline:
            if not (self._requests.under_way or self._line.waiting or self._line.in_service > 0):
                return
            gevent.sleep(0.02)

    def _series(self, method: str, name: str) -> str:
        """The series of a request; few names, so each is made and redacted once."""
        series = self._names.get((method, name))
        if series is None:
            series = self._redact(series_name(method, name))
            if len(self._names) < 1000:
                self._names[method, name] = series
        return series

    def _give_up(self) -> None:
        """What is still under way after its time-out and a little more is one: it never ended."""
        now = time.monotonic_ns()
        for number, (intended_ns, started_ns, user) in list(self._requests.under_way.items()):
            self.recorder.record(stray_of(type(user).__name__), intended_ns, started_ns, now, int(Outcome.TIMEOUT))
            self._requests.end(number)

    def _on_request(
        self,
        request_type: str,
        name: str,
        response_time: float,
        response_length: int,
        exception: BaseException | None = None,
        context: dict[str, Any] | None = None,
        response: Any = None,
        status: int | None = None,
        **_: Any,
    ) -> None:
        elapsed_ns = round(response_time * 1e6)
        if context and "started_ns" in context:
            self._requests.end(context["request"])
            intended_ns, started_ns = context["intended_ns"], context["started_ns"]
        else:  # fired by an author's own client: it began when it says it did
            started_ns = intended_ns = time.monotonic_ns() - elapsed_ns
            self._requests.end(None)
        outcome, error = Outcome.OK, ""
        if exception is not None:
            outcome, error = classify(exception, status or getattr(response, "status_code", None))
            error = self._redact(error)
        series = self._series(request_type, name)
        ended_ns = started_ns + elapsed_ns
        self.recorder.record(series, intended_ns, started_ns, ended_ns, outcome, int(response_length or 0), error)
        if self._exemplars.wants(series, ended_ns - intended_ns, outcome, error):
            detail = f"{exception!r}" if exception is not None else ""
            headers = getattr(response, "headers", None)
            given = dict(headers.items()) if headers is not None and hasattr(headers, "items") else None
            self._exemplars.keep(series, intended_ns, ended_ns - intended_ns, elapsed_ns, outcome, error, detail, given)

    def _on_user_error(self, user_instance: Any, exception: BaseException, **_: Any) -> None:
        name, now = type(user_instance).__name__, time.monotonic_ns()
        kind = f"raised {type(exception).__name__}"
        self._requests.forget(user_instance)
        self.recorder.record(raised_in(name), now, now, now, int(Outcome.ERROR), 0, kind)
        if len(self._events) < 50:
            text = f"{name} raised {type(exception).__name__}: {exception}"
            self._events.append({"kind": "user error", "text": self._redact(text)[:300]})

    def _fold_each_second(self, runner: Any) -> None:
        second, offered = 0, self._offered()
        while not self._over:
            second += 1
            if self._swarm and self._swarm.lost and not self._swarm_lost_told:
                self._swarm_lost_told = True
                self._events.append({"kind": "lost", "text": self._swarm.lost})
            while (left := self._t0_ns + second * NS_PER_S - time.monotonic_ns()) > 0:
                gevent.sleep(left / NS_PER_S)
            before, offered = offered, self._offered()
            self._post(
                gauges={
                    "offered_per_s": offered - before,
                    "users": runner.user_count,
                    "waiting": self._line.waiting,
                    "in_flight": len(self._requests.under_way),
                }
            )

    def _offered(self) -> int:
        """Arrivals that came due so far; in a closed model, requests that began."""
        return self._line.accounting.offered if isinstance(self._model, OpenModel) else self._requests.begun

    def _post(self, **more: Any) -> None:
        events, self._events = self._events, []
        if self.recorder.overflowing:
            names = ", ".join(sorted(self.recorder.overflowing)[:3])
            events.append({"kind": "series", "text": f"too many series, pooled as (other): {names} ..."})
            self.recorder.overflowing.clear()
        self._outbox.post(
            intervals=[interval.to_json() for interval in self.recorder.fold()],
            exemplars=self._exemplars.take_failed() + more.pop("slowest", []),
            events=events,
            **more,
        )

    def _locust_statistics(self) -> dict[str, Any]:
        """Locust's own figures, warm-up included: from the actual send, rounded; for comparison only."""
        redact = self._redact
        return {
            redact(series_name(entry.method, entry.name)): {
                "count": entry.num_requests,
                "failures": entry.num_failures,
                "max": entry.max_response_time,
            }
            | {f"p{p * 100:g}": entry.get_response_time_percentile(p) for p in (0.5, 0.9, 0.95, 0.99, 0.999)}
            for entry in list(self.environment.stats.entries.values())[:50]
        }
