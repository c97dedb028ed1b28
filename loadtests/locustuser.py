"""Locust user classes under our clock: where each request's intended start comes from.

Any Locust user class works; it is subclassed at run time with one of the mixins here. They use Locust's own
extension points: ``wait_time`` (an arrival is awaited where think time would be), ``on_start`` (the first task waits
for an arrival too) and ``context`` (it carries the stamps to the listener). ``FastHttpUser`` asks for the context as a
request begins, ``HttpUser`` only once it is answered: the stamps are made before, and kept for both. Both tell of a
request at the end of its with-block, whatever the author's code did there: when it was answered is noted before.
A ``LoadUser`` says itself when a request begins.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, ClassVar

import gevent
import geventhttpclient.client
from gevent.hub import Waiter, get_hub, getcurrent
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession
from locust.exception import StopUser

from loadtests.arrival import ArrivalLine
from loadtests.asked import Asked
from loadtests.duration import NS_PER_S
from loadtests.feed import Feed
from loadtests.foreign import require_ours
from loadtests.loaduser import LoadUser
from loadtests.locustrequests import STAMPS, Requests, Stamps, require_own
from loadtests.locusttasks import HAS_WAITED_S, let_arrivals_start, shorten

# A request is sent once. The library would send an idempotent one again, unseen, when its connection is reset: the
# target would get more load than is recorded, and its failures would vanish. A kept-alive connection that the server
# closed while it was idle is noticed by the library's pool before anything is sent.
geventhttpclient.client._may_retry_after_send_error = lambda method: False

__all__ = ["ClosedUser", "OpenUser", "UnloadedUser", "subclass", "wake"]

UNLOADED_PAUSE_S = 0.02

_under_way: ContextVar[Stamps | None] = ContextVar("stamps of the HttpUser's request under way", default=None)


class _Timed:
    """What all models share: feeds and settings, time-outs, and when a request was meant to begin."""

    requests: ClassVar[Requests]
    feeds: ClassVar[Mapping[str, Feed]]
    settings: ClassVar[Mapping[str, Any]]
    secrets: ClassVar[Mapping[str, str]]
    timeout_s: ClassVar[float]
    tls_verify: ClassVar[bool]
    _intended_ns: int | None = None

    def begins(self, asked: Asked) -> None:
        """A LoadUser's request does; its clock started when it was meant to."""
        intended_ns, self._intended_ns = self._intended_ns, None
        if intended_ns is not None and intended_ns < asked.started_ns:
            asked.intended_ns = intended_ns
        self.requests.begin(asked, asked.intended_ns, asked.started_ns, self)

    def think(self, seconds: float) -> None:
        """Pause inside a task; the next request is intended at the pause's end, however late the pause returns."""
        due = time.monotonic_ns() + int(seconds * NS_PER_S)
        gevent.sleep(seconds)
        self._intended_ns = due


class _Stamped(_Timed):
    """Beside it what Locust's own clients need, and others that tell of their requests by its event."""

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
        number = self.requests.number()
        self.requests.begin(number, intended, now, self)
        return Stamps(intended, now, number)


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


def subclass(author: type, mixin: type[_Timed], **attributes: Any) -> type:
    """The author's user class with a mixin before it, under its own name.

    Raises:
        ScenarioError: when a TaskSet of an open model's user has a ``wait_time`` of its own, past which no
            arrival would ever be awaited; when the class asks in vain for what another client would do.

    """
    require_ours(author)
    shorten()
    if mixin is OpenUser:
        let_arrivals_start(author)
    if hasattr(author, "network_timeout"):  # FastHttpUser: 60 s and no TLS verification unless told otherwise
        timeout_s, verify = attributes["timeout_s"], attributes["tls_verify"]
        attributes |= {
            name: timeout_s for name in ("network_timeout", "connection_timeout") if getattr(author, name, None) == 60.0
        } | {"insecure": not verify}
    bases = (mixin, author) if issubclass(author, LoadUser) else (mixin, _Stamped, author)
    return type(author.__name__, bases, {"__module__": author.__module__, "abstract": False, **attributes})
