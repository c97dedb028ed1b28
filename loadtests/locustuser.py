"""Locust user classes under our clock: where each request's intended start comes from.

Any Locust user class works; it is subclassed at run time with one of the two mixins here. They use Locust's own
extension points: ``wait_time`` (an arrival is awaited where think time would be), ``on_start`` (the first task waits
for an arrival too) and ``context`` (it carries the stamps to the listener). ``FastHttpUser`` asks for the context as a
request begins, ``HttpUser`` only once it is answered: the stamps are made before, and kept for both. Both tell of a
request at the end of its with-block, whatever the author's code did there: when it was answered is noted before.
A ``LoadUser`` tells of its own requests itself, and goes by ``context`` with other clients that it may have.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from operator import attrgetter
from typing import Any, ClassVar, NoReturn

import gevent
import geventhttpclient.client
from gevent.hub import Waiter, get_hub, getcurrent
from locust import TaskSet
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession
from locust.exception import InterruptTaskSet, StopUser

from loadtests.arrival import ArrivalLine
from loadtests.duration import NS_PER_S
from loadtests.errors import ScenarioError
from loadtests.feed import Feed
from loadtests.foreign import require_ours
from loadtests.httpresponse import Response
from loadtests.loaduser import LoadUser, request_event
from loadtests.locustrequests import STAMPS, Requests, Stamps, require_own

# A request is sent once. The library would send an idempotent one again, unseen, when its connection is reset: the
# target would get more load than is recorded, and its failures would vanish. A kept-alive connection that the server
# closed while it was idle is noticed by the library's pool before anything is sent.
geventhttpclient.client._may_retry_after_send_error = lambda method: False

__all__ = ["ClosedUser", "OpenUser", "UnloadedUser", "subclass", "wake"]

UNLOADED_PAUSE_S = 0.02
HAS_WAITED_S = float("-1")
"""Says to Locust that the pause asked for is over: this very object, whatever an author's own may amount to."""

_USER = property(attrgetter("_user"), doc=TaskSet.user.__doc__)
"""What Locust asks nine times for each task, without a call of Python's."""

_under_way: ContextVar[Stamps | None] = ContextVar("stamps of the HttpUser's request under way", default=None)


class _Timed:
    """What both models share: feeds and settings, time-outs, and the stamps of a request."""

    requests: ClassVar[Requests]
    feeds: ClassVar[Mapping[str, Feed]]
    settings: ClassVar[Mapping[str, Any]]
    secrets: ClassVar[Mapping[str, str]]
    timeout_s: ClassVar[float]
    tls_verify: ClassVar[bool]
    _intended_ns: int | None = None

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)  # type: ignore[call-arg]
        client = getattr(self, "client", None)
        if isinstance(client, HttpSession | FastHttpSession):
            request = client.request

            def stamped(*args: Any, **kwargs: Any) -> Any:
                require_own(kwargs.get("context") or {})
                stamps = self._stamps()
                token = _under_way.set(stamps)
                try:
                    return request(*args, **kwargs)
                finally:
                    _under_way.reset(token)
                    self.requests.answered(stamps.number)

            client.request = stamped  # type: ignore[method-assign]
        if client is not None and hasattr(client, "send") and hasattr(client, "verify"):  # a requests.Session
            send, timeout_s = client.send, self.timeout_s

            def timed(prepared: Any, **kwargs: Any) -> Any:
                kwargs["timeout"] = timeout_s if kwargs.get("timeout") is None else kwargs["timeout"]
                return send(prepared, **kwargs)

            client.send = timed
            client.verify = self.tls_verify and os.environ.get("SSL_CERT_FILE", True)  # as every other client here

    def context(self) -> dict[str, Any]:
        """Stamps for the request that begins now; its clock starts when it was meant to begin."""
        given = super().context()  # type: ignore[misc]
        return {**given, STAMPS: _under_way.get() or self._stamps()}

    def _stamps(self) -> Stamps:
        now = time.monotonic_ns()
        intended, self._intended_ns = self._intended_ns, None
        intended = now if intended is None else min(intended, now)
        return Stamps(intended, now, self.requests.begin(intended, now, self))

    def think(self, seconds: float) -> None:
        """Pause inside a task; the next request is intended at the pause's end, however late the pause returns."""
        due = time.monotonic_ns() + int(seconds * NS_PER_S)
        gevent.sleep(seconds)
        self._intended_ns = due


class _Told(_Timed):
    """A LoadUser, whose requests need no stamps in a context: whoever begins and reports them is known."""

    environment: Any

    def _begin(self, asked: Response) -> None:
        if asked.context:
            require_own(asked.context)
        asked.context = {**super(_Timed, self).context(), **asked.context}  # type: ignore[misc] # its author's
        asked.started_ns = now = time.monotonic_ns()
        intended, self._intended_ns = self._intended_ns, None
        asked.intended_ns = intended = now if intended is None or intended > now else intended
        asked.number = self.requests.begin(intended, now, self)

    def _report(self, response: Response, error: Exception | None) -> None:
        log = self.requests.log
        if log is None or log.answered(response, error):
            stamps = Stamps(response.intended_ns, response.started_ns, response.number)
            told = request_event(response, error)
            self.environment.events.request.fire(**told | {"context": {**response.context, STAMPS: stamps}})


class ClosedUser(_Timed):
    """A member of a fixed population: it sends again when it is answered, after its own think time."""

    def wait_time(self) -> float:
        """The author's think time; at the run's end the user leaves instead."""
        self._intended_ns = None  # a pause that ended a task says nothing of the next one's start
        if self.requests.closing:
            raise StopUser
        return float(super().wait_time())  # type: ignore[misc]


class OpenUser(_Timed):
    """Starts one task per arrival; between arrivals it is idle."""

    line: ClassVar[ArrivalLine[Waiter]]
    line_index: ClassVar[int]
    _at_task = False

    def on_start(self) -> None:
        """Run the author's own start, then wait for the first arrival."""
        super().on_start()  # type: ignore[misc]
        self._intended_ns = None
        self.wait()  # type: ignore[attr-defined]

    def wait_time(self) -> float:
        """Block until an arrival is this user's, and start its clock."""
        if self._at_task:
            self.line.finish()
            self._at_task = False
        woken = Waiter()
        intended, rest_s = self.line.take(self.line_index, woken), 0.0
        if intended is None:
            try:
                intended, rest_s = woken.get(), HAS_WAITED_S
            except BaseException:
                self.line.leave(self.line_index, woken)
                raise
        self._at_task = True
        self._intended_ns = intended
        return rest_s


def wake(waiter: Waiter, intended_ns: int) -> None:
    """Let an idle user go on: at once where the hub itself says so, as it does when arrivals come due."""
    hub = get_hub()
    if getcurrent() is hub:
        waiter.switch(intended_ns)
    else:
        hub.loop.run_callback(waiter.switch, intended_ns)


class UnloadedUser(_Timed):
    """Alone at the target: its tasks in turn, again and again. A TaskSet, which chooses for itself, comes last."""

    tasks: list[Any]
    leaving = False
    """Set from outside: the task under way is the last."""

    def on_start(self) -> None:
        """Run the author's own start, then begin with the first task."""
        super().on_start()  # type: ignore[misc]
        each = dict.fromkeys(self.tasks)
        self._turns = itertools.cycle(sorted(each, key=lambda task: isinstance(task, type)))
        self.tasks = [next(self._turns)]

    def wait_time(self) -> float:
        """Move on to the next task after a moment."""
        self._intended_ns = None
        if self.leaving:
            raise StopUser
        self.tasks = [next(self._turns)]
        return UNLOADED_PAUSE_S


def _sleep(_: TaskSet, seconds: float) -> None:
    """Let others go on, but where that has just been done: a turn of the hub has its price."""
    if seconds is not HAS_WAITED_S:
        gevent.sleep(seconds)


def _interrupt(task_set: TaskSet, reschedule: bool = True) -> NoReturn:
    """Leave a nested TaskSet; what comes next waits for its own arrival, whatever ``reschedule`` says."""
    raise InterruptTaskSet(reschedule=False)  # type: ignore[no-untyped-call]


def subclass(author: type, mixin: type[_Timed], **attributes: Any) -> type:
    """The author's user class with a mixin before it, under its own name.

    Raises:
        ScenarioError: when a TaskSet of an open model's user has a ``wait_time`` of its own, past which no
            arrival would ever be awaited; when the class asks in vain for what another client would do.

    """
    require_ours(author)
    TaskSet.user = _USER  # type: ignore[assignment, method-assign]
    if mixin is OpenUser:
        TaskSet._sleep = _sleep  # type: ignore[method-assign]
        TaskSet.interrupt = _interrupt  # type: ignore[method-assign] # an arrival starts one task, also after a nested TaskSet has been left
        for task_set in _task_sets(author):
            if task_set.wait_time is not TaskSet.wait_time:
                raise ScenarioError(
                    f"{author.__name__}: {task_set.__name__} has a wait_time of its own, but in an open model tasks "
                    "start when arrivals are due; remove it, or pause inside a task with self.user.think(SECONDS)"
                )
    if hasattr(author, "network_timeout"):  # FastHttpUser: 60 s and no TLS verification unless told otherwise
        timeout_s, verify = attributes["timeout_s"], attributes["tls_verify"]
        attributes |= {
            name: timeout_s for name in ("network_timeout", "connection_timeout") if getattr(author, name, None) == 60.0
        } | {"insecure": not verify}
    bases = (mixin, _Told, author) if issubclass(author, LoadUser) else (mixin, author)
    return type(author.__name__, bases, {"__module__": author.__module__, "abstract": False, **attributes})


def _task_sets(of: type) -> Iterator[type[TaskSet]]:
    for task in getattr(of, "tasks", ()):
        if isinstance(task, type):
            yield task
            yield from _task_sets(task)
