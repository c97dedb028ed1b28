"""A Locust process of a run: local, master or worker. Started as ``python -m loadtests.locustprocess``.

It reads its Job and then orders from standard input, a JSON object a line, and answers on standard output. Nothing of
asyncio runs in here, since Locust monkey-patches with gevent as it is imported; the swarm is a child process.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import gc  # noqa: E402 -- everything else is imported patched
import json  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from flask import request  # noqa: E402
from gevent.fileobject import FileObjectPosix  # noqa: E402
from gevent.lock import RLock  # noqa: E402
from locust import log  # noqa: E402
from locust.env import Environment  # noqa: E402

from loadtests.allowance import guard  # noqa: E402
from loadtests.errors import LoadtestsError, ScenarioError  # noqa: E402
from loadtests.heap import keep_heap  # noqa: E402
from loadtests.job import Job  # noqa: E402
from loadtests.locustload import LocustLoad  # noqa: E402
from loadtests.population import environment_of, populate  # noqa: E402
from loadtests.precedence import go_first, preempt_nobody  # noqa: E402

__all__: list[str] = []

START, PUBLISHED, BATCH, STOP, FINISH = (
    f"loadtests.{word}" for word in ("start", "published", "batch", "stop", "finish")
)


class Wire:
    """JSON lines to and from the orchestrator; standard output is kept from authors' prints."""

    def __init__(self) -> None:
        self._orders = FileObjectPosix(os.dup(0), "rb")
        self._answers = FileObjectPosix(os.dup(1), "wb")
        self._writing = RLock()  # a full pipe lets other greenlets run in the middle of a line
        os.dup2(2, 1)

    def read(self) -> dict[str, Any] | None:
        """The next order; None when the orchestrator is gone."""
        line = self._orders.readline()
        return json.loads(line) if line.strip() else None

    def write(self, message: dict[str, Any]) -> None:
        """Answer; a lost orchestrator ends this process."""
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        try:
            with self._writing:
                self._answers.write(line)
                self._answers.flush()
        except OSError:
            os._exit(1)


def main() -> None:
    """Run one process to its end."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    wire = Wire()
    order = wire.read()
    if order is None:
        return
    job = Job.from_wire(json.dumps(order))
    guard(job.addresses)
    keep_heap()
    go_first()
    try:
        environment = environment_of(job)
        if job.role == "master" or not environment.user_classes:
            preempt_nobody()  # it only passes on what its workers and its child send it
        {"local": _local, "master": _master, "worker": _worker}[job.role](job, environment, wire)
    except Exception as error:
        wire.write({"type": "failed", "text": _said(job, error)})
        raise SystemExit(1) from None
    finally:
        sys.stderr.flush()
    os._exit(0)


def _said(job: Job, error: BaseException) -> str:
    return job.redactor()(str(error) if isinstance(error, LoadtestsError) else f"{type(error).__name__}: {error}")


def _prepare(job: Job, environment: Environment) -> None:
    page: Any = None
    if job.ui_port is not None and job.role != "worker":
        page = environment.create_web_ui("127.0.0.1", job.ui_port, delayed_start=True)
        page.app.before_request(_only_look)
    _fire(environment, "init", runner=environment.runner, web_ui=page)
    if log.unhandled_greenlet_exception:  # as under Locust
        raise ScenarioError("a listener of Locust's init event raised; the generator's log says what")
    if page is not None:
        page.start()
    gc.collect()
    gc.freeze()  # what is loaded by now lives for the whole run
    gc.set_threshold(50_000, 20, 100)


def _fire(environment: Any, name: str, **told: Any) -> None:
    """Tell those who listen to one of Locust's events that Locust's own command would tell them of."""
    getattr(environment.events, name).fire(environment=environment, **told)


def _only_look() -> tuple[str, int] | None:
    """The page shows a run; it must not start, stop or change one, nor let another page in the browser do so."""
    if request.method not in ("GET", "HEAD") or request.path in ("/stop", "/stats/reset", "/swarm"):
        return "this run is conducted by loadtests; its page is for looking", 403
    return None


def _local(job: Job, environment: Environment, wire: Wire) -> None:
    runner = environment.create_local_runner()
    load = LocustLoad(job, environment, lambda batch: wire.write({"type": "batch"} | batch))
    _prepare(job, environment)
    load.open_swarm()
    load.try_unloaded()
    wire.write({"type": "ready"})
    while (order := wire.read()) is not None:
        if order["order"] == "start":
            load.begin(order["t0_ns"])
            gevent.spawn(populate, job, runner, order["t0_ns"])
            driving = gevent.spawn(load.run, runner)
            driving.link_value(lambda _: wire.write({"type": "done"}))
            driving.link_exception(lambda broken: wire.write({"type": "failed", "text": _said(job, broken.exception)}))
        elif order["order"] == "stop":
            load.stop()
        elif order["order"] == "quit":
            break
    _fire(environment, "test_stop")
    load.abandon()


def _master(job: Job, environment: Environment, wire: Wire) -> None:
    """Passes orders down and batches up; Locust's own protocol carries both."""
    runner = environment.create_master_runner("127.0.0.1", job.master_port)
    finished: set[str] = set()

    def on_batch(environment: Any, msg: Any) -> None:
        wire.write({"type": "batch"} | msg.data)
        if published := msg.data.get("published"):
            for client in list(runner.clients.ready + runner.clients.running + runner.clients.spawning):
                if client.id != msg.node_id:
                    runner.send_message(PUBLISHED, published, client.id)

    def on_finish(environment: Any, msg: Any) -> None:
        finished.add(msg.node_id)
        if len(finished) == job.shards:
            wire.write({"type": "done"})

    runner.register_message(BATCH, on_batch)
    runner.register_message(FINISH, on_finish)
    _prepare(job, environment)
    with gevent.Timeout(30, RuntimeError(f"only {len(runner.clients.ready)} of {job.shards} workers came up in 30 s")):
        while len(runner.clients.ready) < job.shards:
            gevent.sleep(0.05)
    wire.write({"type": "ready"})
    while (order := wire.read()) is not None:
        if order["order"] == "start":
            runner.send_message(START, {"t0_ns": order["t0_ns"]})
            gevent.spawn(populate, job, runner, order["t0_ns"])
        elif order["order"] == "stop":
            runner.send_message(STOP, None)
        elif order["order"] == "quit":
            break
    _fire(environment, "test_stop")


def _worker(job: Job, environment: Environment, wire: Wire) -> None:
    runner = environment.create_worker_runner("127.0.0.1", job.master_port)
    load = LocustLoad(job, environment, lambda batch: runner.send_message(BATCH, batch))

    def on_start(environment: Any, msg: Any) -> None:
        load.begin(msg.data["t0_ns"])
        driving = gevent.spawn(load.run, runner)
        driving.link_value(lambda _: runner.send_message(FINISH, None))
        driving.link_exception(lambda broken: wire.write({"type": "failed", "text": _said(job, broken.exception)}))

    runner.register_message(START, on_start)
    runner.register_message(STOP, lambda environment, msg: load.stop())
    runner.register_message(PUBLISHED, lambda environment, msg: load.published_elsewhere(msg.data))
    _prepare(job, environment)
    load.open_swarm()
    load.try_unloaded()
    wire.write({"type": "ready"})
    while (order := wire.read()) is not None and order["order"] != "quit":
        pass
    _fire(environment, "test_stop")
    load.abandon()


if __name__ == "__main__":
    main()
