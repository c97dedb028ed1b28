"""What is asked of Locust users under our clock.

A program that test_locustuser.py runs, since Locust patches its process (before anything imports ssl: of requests only
names are imported). Time is virtual: it passes only in ``sleep`` and where a case says so.
"""

import contextlib
import itertools
import json
import logging
import os
import socket
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import gevent
import locust
import locust.stats
from gevent.server import StreamServer
from locust import FastHttpUser, HttpUser, TaskSet, User, between, constant, task
from locust.env import Environment
from locust.event import Events
from locust.exception import InterruptTaskSet, StopUser
from locust.runners import WorkerNode
from locust.stats import RequestStats
from requests import ConnectionError as NoConnection
from requests import Response
from requests.adapters import BaseAdapter

from loadtests import locustload, locustrequests, locuststatistics, locustuser
from loadtests import parts as work
from loadtests.answersample import AnswerSample
from loadtests.arrival import ArrivalLine
from loadtests.dispatcher import Dispatcher
from loadtests.errors import ScenarioError
from loadtests.histogram import Histogram
from loadtests.interval import Interval
from loadtests.job import Job
from loadtests.loaduser import LoadUser
from loadtests.locustload import LocustLoad
from loadtests.locustrequests import STAMPS, Requests
from loadtests.locuststatistics import LocustStatistics
from loadtests.locustuser import ClosedUser, OpenUser, UnloadedUser, subclass, wake
from loadtests.offering import Offering
from loadtests.parts import WORK_NS, at_once, with_rests
from loadtests.population import environment_of, populate, user_classes
from loadtests.promises import Promises
from loadtests.requestlog import RequestLog
from loadtests.scenario import ContractCheck, Scenario
from loadtests.timerfd import TimerFd
from loadtests.unloadedpass import UnloadedPass

MS = 1_000_000
S = 1_000_000_000


class Clock:
    """The virtual clock, in place of the modules ``time`` and ``gevent``."""

    now = 0
    oversleep_ns = 0

    def monotonic_ns(self):
        """The virtual moment."""
        return self.now

    def sleep(self, seconds):
        """Pass the time, and somewhat more."""
        self.now += round(seconds * S) + self.oversleep_ns


class Author:
    """A user class as somebody might write it, without Locust around it."""

    tasks = ()

    def __init__(self, environment):
        self.environment = environment
        self.started = []

    def context(self):
        """Something of the author's own."""
        return {"tenant": "t1", "started_ns": "never mind"}

    def wait_time(self):
        """The author's think time."""
        return 3

    def on_start(self):
        """A login."""
        self.started.append(self.context())

    def wait(self):
        """What Locust does: ask for the pause and sleep."""
        assert self.wait_time() in (0.0, -1.0)


def clocked():
    """Return a fresh clock, put under the module."""
    clock = Clock()
    clock.now = 1000 * S
    locustuser.time = locustuser.gevent = locustrequests.time = clock
    return clock


def line_of(cap=100):
    """Return a line that wakes as the harness does."""
    return ArrivalLine([1.0], cap, 1, wake=wake, drop=lambda which, at: None)


def open_user(author=Author, line=None, **more):
    """Return an open-model user of an author's class, and its line."""
    line = line or line_of()
    settings = {"timeout_s": 5.0, "tls_verify": True, "requests": Requests(), "line": line, "line_index": 0} | more
    return subclass(author, OpenUser, **settings)(Environment()), line


def closed_user(author=Author, **more):
    """Return a closed-model user of an author's class."""
    settings = {"timeout_s": 5.0, "tls_verify": True, "requests": Requests()} | more
    return subclass(author, ClosedUser, **settings)(Environment())


def stamps(user):
    """Return the stamps that a request would get now."""
    return user.context()[STAMPS][:2]


def said_of(kind, act):
    """Return what an exception says that has to come."""
    try:
        act()
    except kind as error:
        return str(error)
    raise AssertionError(f"no {kind.__name__}")


def case_first_request_is_due_at_its_arrival():
    """The first request of a task is intended when its arrival was due, however long that waited."""
    clock = clocked()
    user, line = open_user()
    line.offer(clock.now)
    clock.now += 70 * MS
    assert user.wait_time() == 0.0
    clock.now += 5 * MS
    assert stamps(user) == (clock.now - 75 * MS, clock.now)


def case_later_requests_are_due_when_they_are_made():
    """Those after it follow from the answers, so they are intended when the task makes them."""
    clock = clocked()
    user, line = open_user()
    line.offer(clock.now - S)
    user.wait_time()
    stamps(user)
    clock.now += 40 * MS
    assert stamps(user) == (clock.now, clock.now)


def case_request_after_a_pause_is_due_at_its_end():
    """After think() a request is intended when the pause was to end, not when the sleep came back."""
    clock = clocked()
    user, line = open_user()
    line.offer(clock.now)
    user.wait_time()
    stamps(user)
    clock.oversleep_ns = 30 * MS
    before = clock.now
    user.think(2)
    assert stamps(user) == (before + 2 * S, before + 2 * S + 30 * MS)
    assert stamps(user) == (clock.now, clock.now)


def case_nothing_is_sent_before_it_is_due():
    """A sleep that came back early makes no negative lateness."""
    clock = clocked()
    user, _ = open_user()
    clock.oversleep_ns = -20 * MS
    user.think(1)
    assert stamps(user) == (clock.now, clock.now)


def case_idle_user_waits_for_its_arrival():
    """An idle user sleeps until an arrival is its own; each task that ends makes room for another."""
    clock = clocked()
    user, line = open_user()
    taken = []
    idle = gevent.spawn(lambda: [taken.append((user.wait_time(), stamps(user))) for _ in range(2)])
    gevent.sleep(0)
    assert taken == []
    for at in (clock.now - 3, clock.now - 2):
        line.offer(at)
        gevent.sleep(0)
        gevent.sleep(0)
    assert [intended for _, (intended, _) in taken] == [clock.now - 3, clock.now - 2]
    assert (line.accounting.started, line.accounting.finished, line.in_service) == (2, 1, 1)
    idle.get()


def case_idle_user_is_woken_by_the_hub():
    """Where arrivals come due in the hub, each user goes on before the next arrival is looked at, and waits no turn."""
    clock = clocked()
    user, line = open_user()
    told = []

    def serve():
        for _ in range(2):
            told.append(("rests", user.wait_time()))
            told.append(("at", gevent.getcurrent() is idle))

    def due():
        for at in (clock.now - 3, clock.now - 2):
            told.append(("due", at))
            line.offer(at)

    idle = gevent.spawn(serve)
    gevent.sleep(0)
    gevent.get_hub().loop.run_callback(due)
    idle.get()
    at_once = [("rests", -1.0), ("at", True)]
    assert told == [("due", clock.now - 3), *at_once, ("due", clock.now - 2), *at_once]


def case_idle_user_that_is_stopped_leaves_the_line():
    """A user that is killed while idle is not given an arrival any more."""
    clock = clocked()
    user, line = open_user()
    idle = gevent.spawn(user.wait_time)
    gevent.sleep(0)
    idle.kill()
    line.offer(clock.now)
    assert (line.waiting, line.accounting.started) == (1, 0)


def case_start_of_an_open_user():
    """The author's own start comes first, on its own clock; the first task then waits for an arrival."""
    clock = clocked()
    user, line = open_user()
    line.offer(clock.now - S)
    user.on_start()
    (login,) = user.started
    assert login[STAMPS][:2] == (clock.now, clock.now)
    assert stamps(user) == (clock.now - S, clock.now)


def case_context_keeps_what_the_author_put_there():
    """The author's context goes beside the stamps, whatever its names."""
    clock = clocked()
    user, _ = open_user()
    assert user.context() == {"tenant": "t1", "started_ns": "never mind", STAMPS: (clock.now, clock.now, 1)}


def case_closed_user_waits_as_its_author_says():
    """In a closed model the think time is the author's, and a request is intended when it is made."""
    clock = clocked()
    user = closed_user()
    assert user.wait_time() == 3.0
    assert stamps(user) == (clock.now, clock.now)


def case_a_pause_that_is_no_time():
    """Whatever number an author's pause amounts to, others go on meanwhile."""

    class Hasty(User):
        abstract = True
        wait_time = constant(-1)
        ran = 0

        @task
        def one(self):
            self.ran += 1
            if self.ran == 9:
                raise StopUser

    subclass(Author, OpenUser)  # which lets a user go on without a turn of the hub
    user, others = closed_user(Hasty), []
    gevent.spawn(lambda: [(others.append(user.ran), gevent.sleep(0)) for _ in range(9)])
    user.run()
    assert len(set(others)) > 5


def case_pause_at_the_end_of_a_task():
    """A pause that ended a task is over when the next one begins: its wait is no lateness."""
    clock = clocked()
    user = closed_user()
    user.think(1)
    clock.sleep(user.wait_time())
    assert stamps(user) == (clock.now, clock.now)
    user, line = open_user()
    user.think(1)
    line.offer(clock.now)
    user.wait_time()
    clock.now += 5
    assert stamps(user) == (clock.now - 5, clock.now)


def case_closed_users_go_home():
    """At the end of a closed run a user stops between tasks."""
    clocked()
    user = closed_user()
    user.requests.closing = True
    said_of(StopUser, user.wait_time)


def case_subclass():
    """The class is the author's by name, module and behaviour, and can be spawned."""
    made = subclass(Author, OpenUser, timeout_s=5.0, tls_verify=True, weight=7)
    assert (made.__name__, made.__module__, made.weight, made.abstract) == ("Author", Author.__module__, 7, False)
    assert issubclass(made, Author)
    assert not hasattr(made, "insecure")


def case_fast_http_user():
    """A FastHttpUser gets the run's time-out and verifies certificates unless it is told not to."""

    class Ours(FastHttpUser):
        abstract = True

    class Patient(FastHttpUser):
        abstract = True
        network_timeout = 30.0

    for verify in (True, False):
        made = subclass(Ours, OpenUser, timeout_s=5.0, tls_verify=verify)
        assert (made.network_timeout, made.connection_timeout, made.insecure) == (5.0, 5.0, not verify)
    patient = subclass(Patient, ClosedUser, timeout_s=5.0, tls_verify=True)
    assert (patient.network_timeout, patient.connection_timeout) == (30.0, 5.0)
    assert (Ours.network_timeout, Ours.insecure) == (60.0, True)
    own = type("Own", (Author,), {"network_timeout": 3.0})
    assert subclass(own, ClosedUser, timeout_s=5.0, tls_verify=True).network_timeout == 3.0


class Target(BaseAdapter):
    """Answers every request after 50 ms of virtual time, or as it is told, and notes how it was asked."""

    def __init__(self, clock, answer=None):
        super().__init__()
        self.clock, self.asked, self.answer = clock, [], answer

    def send(self, request, **kwargs):
        """Answer."""
        self.asked.append(kwargs)
        self.clock.now += 50 * MS
        if self.answer is not None:
            return self.answer(request)
        response = Response()
        response.status_code, response.request, response.url, response._content = 200, request, request.url, b"{}"
        return response

    def close(self):
        """Nothing to close."""


class Web(HttpUser):
    """An HttpUser."""

    abstract = True
    host = "http://portal.test"
    wait_time = constant(1)


def web_user(clock, mixin, answer=None, **more):
    """Return an HttpUser, its target, and the contexts that listeners get."""
    user, line = open_user(Web, **more) if mixin is OpenUser else (closed_user(Web, **more), None)
    target, fired = Target(clock, answer), []
    user.client.mount("http://", target)
    user.environment.events.request.add_listener(lambda context, exception, **_: fired.append((context, exception)))
    return user, line, target, fired


def case_http_user_is_stamped_before_it_sends():
    """HttpUser asks for its context when it is answered; the stamps are those of its beginning all the same."""
    clock = clocked()
    user, line, _, fired = web_user(clock, OpenUser)
    line.offer(clock.now - 20 * MS)
    user.wait_time()
    begun = clock.now
    user.client.get("/")
    user.client.post("/", json={}, context={"mine": 1})
    (first, _), (second, _) = fired
    assert first == {STAMPS: (begun - 20 * MS, begun, 1)}
    assert second == {STAMPS: (begun + 50 * MS, begun + 50 * MS, 2), "mine": 1}
    assert (user.requests.begun, len(user.requests.under_way)) == (2, 2)  # ending them is the listener's


def case_http_user_that_fails_is_stamped_too():
    """A connection that fails leaves its stamps with the failure."""

    def fail(request):
        raise NoConnection("Connection refused")

    clock = clocked()
    user, _, _, fired = web_user(clock, ClosedUser, fail)
    begun = clock.now
    user.client.get("/")
    ((context, exception),) = fired
    assert context == {STAMPS: (begun, begun, 1)}
    assert isinstance(exception, NoConnection)
    assert user.context() == {STAMPS: (clock.now, clock.now, 2)}


def case_http_users_requests_at_once():
    """Requests that one user makes at the same time keep their own stamps."""
    clock = clocked()

    def answer(request):
        gevent.sleep(0.001)
        raise NoConnection

    user, _, _, fired = web_user(clock, ClosedUser, answer)
    begun = clock.now
    gevent.joinall([gevent.spawn(user.client.get, "/") for _ in range(3)], raise_error=True)
    assert [context[STAMPS].started_ns for context, _ in fired] == [begun + k * 50 * MS for k in range(3)]
    assert user.requests.begun == 3


def case_http_user_has_the_runs_timeout():
    """Every request of an HttpUser has the run's time-out unless it brings its own, and verifies as the run says."""
    clock = clocked()
    for authority, verify, expected in ((None, True, True), ("a.pem", True, "a.pem"), ("a.pem", False, False)):
        os.environ.pop("SSL_CERT_FILE", None)
        os.environ |= {"SSL_CERT_FILE": authority} if authority else {}
        user, _, target, _ = web_user(clock, ClosedUser, tls_verify=verify, timeout_s=7.0)
        user.client.get("/")
        user.client.get("/", timeout=1)
        assert [asked["timeout"] for asked in target.asked] == [7.0, 1]
        assert [asked["verify"] for asked in target.asked] == [expected, expected]


def case_fast_http_user_is_stamped():
    """A FastHttpUser's request, be it refused, carries its stamps."""

    class Fast(FastHttpUser):
        abstract = True
        host = "http://127.0.0.1:1"

    clock = clocked()
    user, line = open_user(Fast)
    fired = []
    user.environment.events.request.add_listener(lambda context, exception, **_: fired.append((context, exception)))
    line.offer(clock.now - 9)
    user.wait_time()
    user.client.get("/")
    ((context, exception),) = fired
    assert context == {STAMPS: (clock.now - 9, clock.now, 1)}
    assert isinstance(exception, ConnectionRefusedError)


class Lean(LoadUser):
    """Asks where nobody answers."""

    abstract = True
    host = "http://127.0.0.1:1"


def case_load_user_is_due_at_its_arrival():
    """A task's first request is intended when its arrival came, the next as it begins, and none after it began."""
    clock = clocked()
    user, line = open_user(Lean)
    line.offer(clock.now - 20 * MS)
    user.wait_time()
    first, second = user.client.get("/"), user.client.get("/")
    user._intended_ns = clock.now + S  # of a pause that ended early
    third = user.client.get("/")
    times = [(clock.now - 20 * MS, clock.now), (clock.now, clock.now), (clock.now, clock.now)]
    assert [(asked.intended_ns, asked.started_ns) for asked in (first, second, third)] == times
    assert [row[:2] for row in user.requests.under_way.values()] == times  # ending them is the listener's
    assert [asked.number for asked in (first, second, third)] == list(user.requests.under_way)


def case_load_user_with_another_client():
    """What an author's other client asks for the context has its stamps, and the arrival's intended start."""
    clock = clocked()
    user, line = open_user(Lean)
    line.offer(clock.now - 20 * MS)
    user.wait_time()
    assert user.context() == {STAMPS: (clock.now - 20 * MS, clock.now, 1)}
    assert user.client.get("/").intended_ns == clock.now


def case_the_authors_own_context_takes_its_time():
    """What it takes is no request's, and what somebody writes into one is not in the next."""
    clock, shared = clocked(), {"tenant": 1}

    class Slow(Lean):
        abstract = True

        def context(self):
            clock.now += 50 * MS
            return shared

    user = closed_user(Slow)
    first = user.client.get("/")
    assert first.started_ns == first.intended_ns == clock.now
    first.context["order"] = 42
    assert user.client.get("/").context == {"tenant": 1}
    lean = closed_user(Lean)
    lean.client.get("/").context["order"] = 42
    assert lean.client.get("/").context == {}


def case_load_user_that_asks_in_vain():
    """What a FastHttpUser is told by attributes is refused of a LoadUser, before anybody is spawned."""
    for mixin in (OpenUser, ClosedUser, UnloadedUser):
        author = type("Moved", (LoadUser,), {"abstract": True, "network_timeout": 5.0})
        said = said_of(ScenarioError, lambda: subclass(author, mixin, timeout_s=5.0, tls_verify=True))  # noqa: B023
        assert said.startswith("Moved.network_timeout means nothing to a LoadUser: a whole request has load.timeout")
    ours = subclass(type("Own", (LoadUser,), {"max_redirects": 3}), ClosedUser, timeout_s=5.0, tls_verify=False)
    assert (ours.timeout_s, ours.tls_verify, ours.max_redirects) == (5.0, False, 3)


def case_unloaded_user_tries_its_tasks_in_turn():
    """Each once whatever its weight, a TaskSet last, and then again; the author's own start comes first."""

    def one(user): ...
    def two(user): ...

    class Nested(TaskSet): ...

    settings = {"timeout_s": 5.0, "tls_verify": True, "requests": Requests(), "tasks": [Nested, one, one, two]}
    user = subclass(Author, UnloadedUser, **settings)(Environment())
    user.on_start()
    turns = [*user.tasks]
    for _ in range(4):
        assert 0 < user.wait_time() < 1
        turns += user.tasks
    assert turns == [one, two, Nested, one, two]
    user.leaving = True
    said_of(StopUser, user.wait_time)
    assert len(user.started) == 1


UNLOADED = """
import gevent
from locust import FastHttpUser, task
class Raiser(FastHttpUser):
    def on_start(self): raise KeyError("gone")
    @task
    def page(self): ...
class Hanger(FastHttpUser):
    @task
    def hang(self): gevent.sleep(60)
class Slow(FastHttpUser):
    @task
    def page(self): self.client.get("/slow", headers={"Connection": "close"})
class Asker(FastHttpUser):
    @task
    def page(self): self.client.get("/page/17", headers={"Connection": "close"})
"""


def case_unloaded_pass():
    """Every answer is checked under its series; who raises is named, and who hangs keeps nobody waiting.

    The slow answer comes after its class's part of the time, 100 ms, and before the time-out after that.
    """

    def serve(connection, _address):
        if b"/slow" in connection.recv(4096):
            gevent.sleep(0.2)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")
        connection.close()

    server = StreamServer(("127.0.0.1", 0), serve)
    server.start()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "users.py").write_text(UNLOADED)
        document = {
            "openapi": "3.1.0",
            "paths": {path: {"get": {"responses": {"201": {}}}} for path in ("/page/{n}", "/slow")},
        }
        scenario = Scenario.model_validate(
            {
                "name": "x",
                "target": {"url": f"http://127.0.0.1:{server.server_port}"},
                "phases": [{"kind": "steady", "duration": "1s"}],
                "users": [{"class": f"users.py:{name}"} for name in ("Raiser", "Hanger", "Slow", "Asker")],
                "load": {"timeout": "500ms"},
                "contract": {"unloaded": "400ms"},
            }
        ).model_copy(update={"folder": Path(folder)})
        job = Job(scenario, "r", "local", "local", 0, 1, Path(folder), promises=Promises(document))
        tried = UnloadedPass(job)
        with gevent.Timeout(10):
            tried.run()
        other = UnloadedPass(replace(job, shard=1, shards=2))
        other.run()
    server.stop()
    found = tried.to_json()
    assert found["GET /slow"] == {"checked": 1, "violations": {"status 200 is not documented": 1}}
    times = found["GET /page/{id}"]["checked"]
    assert times > 1
    assert found["GET /page/{id}"]["violations"] == {"status 200 is not documented": times}
    assert tried.faults == ["before the load, Raiser raised KeyError: 'gone'"]
    assert (other.checked, other.faults) == ({}, [])


def case_what_was_sent_is_known():
    """Both of Locust's clients keep a request's body, so that a GraphQL answer can be read beside it."""
    clocked()
    body = b'{"data": {"a": null}}'

    def serve(connection, _address):
        connection.recv(4096)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
        connection.sendall(head + b"Connection: close\r\n\r\n" + body)
        connection.close()

    server = StreamServer(("127.0.0.1", 0), serve)
    server.start()
    check = ContractCheck(graphql="/graphql", sample=1)
    for kind in (FastHttpUser, HttpUser):
        author = type("Asker", (kind,), {"abstract": True, "host": f"http://127.0.0.1:{server.server_port}"})
        user = closed_user(author)
        sample = AnswerSample(Promises(graphql="type Query { a: Int! }"), check, 1)
        user.environment.events.request.add_listener(
            lambda request_type, name, url, response, sample=sample, **_: sample.offer(
                name, 0, request_type, url, response
            )
        )
        with user.client.post("/graphql", json={"query": "{ a }"}, name="A", catch_response=True):
            pass
        user.client.post("/graphql", data=json.dumps({"query": "{ a }"}), name="B")
        assert [*sample.judged()] == [(name, 0, "data.a: null, where Int! is promised") for name in "AB"]
    server.stop()


def case_request_is_sent_once():
    """A connection that the target resets is a failure, and no second request that nobody counted."""

    class Fast(FastHttpUser):
        abstract = True

    def reset(connection, _address):
        asked.append(connection.recv(4096))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    asked, fired = [], []
    clocked()
    target = StreamServer(("127.0.0.1", 0), reset)
    target.start()
    Fast.host = f"http://127.0.0.1:{target.server_port}"
    user, _ = open_user(Fast)
    user.environment.events.request.add_listener(lambda exception, **_: fired.append(exception))
    user.client.get("/")
    target.stop()
    assert len(asked) == len(fired) == 1
    assert fired[0] is not None


def case_requests_under_way():
    """What was begun ends by its number; a user's own that will never end are forgotten, and no number comes twice."""
    requests = Requests()
    one, two = requests.begin(1, 2, "ann"), requests.begin(3, 4, "bob")
    requests.forget("ann")
    three = requests.begin(5, 6, "ann")
    assert len({one, two, three}) == 3
    assert requests.begun == 2
    assert [stamps[:3] for stamps in requests.under_way.values()] == [(3, 4, "bob"), (5, 6, "ann")]
    requests.end(two, 7)
    requests.end(two, 7)
    requests.end(None, 7)
    assert requests.begun == 3
    assert list(requests.under_way) == [three]


def dealt(weights, workers, *users):
    """Return how many users of each class each worker has, after so many, one number after the other."""
    classes = [type(f"Class{k}", (User,), {"weight": weight}) for k, weight in enumerate(weights)]
    dispatcher = Dispatcher([WorkerNode(f"host_{k}") for k in range(workers)], classes)
    for n in users:
        dispatcher.new_dispatch(n, 1000.0)
        *_, last = dispatcher
    return [[each[cls.__name__] for cls in classes] for each in last.values()]


def case_each_worker_has_each_class():
    """A worker draws its arrivals by weight over all classes: of each class it has its part, to within one user."""
    for weights, workers in (((1, 1), 2), ((1, 1, 1), 3), ((3, 1), 2), ((3, 1), 4), ((2, 1), 3), ((1, 0.5), 2)):
        for n in (24, 25, 31):
            found = dealt(weights, workers, n)
            each = [[row[k] for row in found] for k in range(len(weights))]
            for weight, counts in zip(weights, each, strict=True):
                assert abs(sum(counts) - n * weight / sum(weights)) < 1, found
                assert max(counts) - min(counts) <= 1, found
            assert max(map(sum, found)) - min(map(sum, found)) <= 2, found
    assert dealt((1, 1), 2, 20) == [[5, 5], [5, 5]]
    assert dealt((3, 1), 2, 20) in ([[8, 2], [7, 3]], [[7, 3], [8, 2]])


def case_a_population_that_comes_and_goes():
    """After stages of a closed model the classes are mixed as if it had been of that size from the first."""
    assert dealt((3, 1), 2, 24, 9, 31, 10, 24) == dealt((3, 1), 2, 24) == [[9, 3], [9, 3]]


def job_of(folder, code, name, **more):
    """Return the whole load of one class in a file of its own."""
    Path(folder, "users.py").write_text(code)
    given = {
        "name": "x",
        "target": {"url": "http://127.0.0.1:1"},
        "phases": [{"kind": "steady", "duration": "1s"}],
        "users": [{"class": f"users.py:{name}"}],
    }
    scenario = Scenario.model_validate(given | more).model_copy(update={"folder": Path(folder)})
    return Job(scenario, "r", "local", "local", 0, 1, Path(folder))


COUNTED = """
from locust import User, task
class Counted(User):
    fixed_count = 3
    @task
    def nothing(self): ...
"""


def case_a_class_with_a_fixed_count():
    """How many there are is said in one place, from where the arrivals of each class come as well."""
    with tempfile.TemporaryDirectory() as folder:
        job = job_of(folder, COUNTED, "Counted")
        assert "user class Counted has a fixed_count" in said_of(ScenarioError, lambda: user_classes(job))


def case_requests_of_a_users_other_greenlets():
    """What a user's code raises ends the requests of its own greenlet and of one that ended so, and no other."""
    requests = Requests()

    def failing():
        requests.begin(1, 2, "ann")
        raise gevent.GreenletExit

    waiting = gevent.spawn(lambda: (requests.begin(3, 4, "ann"), gevent.sleep(1)))
    gevent.joinall([gevent.spawn(failing)])
    requests.begin(5, 6, "ann")
    requests.forget("ann")
    assert [stamps[:2] for stamps in requests.under_way.values()] == [(3, 4)]
    assert requests.begun == 1
    waiting.kill()


def case_what_is_given_up():
    """At the end what has been under way for longer than its time-out never ended; the rest has only begun."""
    requests, now_ns = Requests(), time.monotonic_ns()
    with tempfile.TemporaryDirectory() as folder:
        log = RequestLog(job_of(folder, "", "None", load={"timeout": "2s"}), now_ns, requests, RequestStats())
    requests.begin(now_ns - 3 * S, now_ns - 3 * S, Author(None))
    young = requests.begin(now_ns - 3 * S, now_ns - 1 * S, Author(None))
    log.give_up()
    assert list(requests.under_way) == [young]
    (row,) = at_once(log.take())["intervals"]
    assert (row["series"], row["count"], row["timeouts"]) == ("arrival Author", 1, 1)


def all_parts_long():
    """Let each part of some work seem to be long, and each rest short, on however busy a machine."""
    ticks_ns = itertools.count(0, WORK_NS)
    clock = SimpleNamespace(sleep=gevent.sleep, monotonic_ns=lambda: next(ticks_ns))
    return patch.object(work, "time", clock)


def case_arrivals_come_between_the_parts_of_a_batch():
    """The loop looks for what is due between any two parts; a greenlet that only gives way is not enough."""
    done = []

    def hold_up():
        until_ns = time.monotonic_ns() + 2_000_000
        while time.monotonic_ns() < until_ns:
            pass

    def parts():
        for part in ("judged", "told Locust", "folded"):
            done.append(part)
            gevent.get_hub().loop.run_callback(hold_up)  # the rest is over as soon as the loop looks
            yield
        return "all"

    reads, writes = os.pipe()
    os.write(writes, b".")  # there to read for as long as nobody does
    watcher = gevent.get_hub().loop.io(reads, 1)
    watcher.start(lambda: done[-1:] == ["looked"] or done.append("looked"))
    with all_parts_long():
        assert with_rests(parts()) == "all"
    watcher.stop()
    watcher.close()
    assert done[-6:] == ["judged", "looked", "told Locust", "looked", "folded", "looked"]


LISTENED = """
from locust import User, constant, events, task
from locust.exception import StopUser
from loadtests.loaduser import LoadUser

heard = []

def listen(name, **told):
    heard.append(name)

{module}

@events.test_start.add_listener
def begun(environment, **_):
    {test_start}

class Asker(LoadUser):
    wait_time = constant(0.01)

    def on_start(self):
        {on_start}

    @task
    def pages(self):
        for _ in range(5):
            self.client.get("/page")
        raise StopUser

class Teller(User):
    wait_time = constant(0.01)

    @task
    def tell(self):
        for _ in range(5):
            events.request.fire(request_type="MQTT", name="told", response_time=1, response_length=0, exception=None)
        raise StopUser
"""


@contextmanager
def global_events():
    """Locust's own of a process, for one run: others in this process share nothing with it."""
    before, locust.events = locust.events, Events()
    try:
        yield locust.events
    finally:
        locust.events = before


def heard_in_a_run(name="Asker", **where):
    """Make a run of a class of LISTENED; what its listeners heard, what was recorded, and what Locust counted."""

    def serve(connection, _address):
        while connection.recv(4096):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    server = StreamServer(("127.0.0.1", 0), serve)
    server.start()
    url, posts = f"http://127.0.0.1:{server.server_port}", []
    code = LISTENED.format(**{"module": "", "test_start": "pass", "on_start": "pass"} | where)
    with tempfile.TemporaryDirectory() as folder, global_events() as events:
        closed = {"model": "closed", "users": 1, "timeout": "100ms"}
        phases = [{"kind": "steady", "duration": "500ms"}]
        job = job_of(folder, code, name, target={"url": url}, load=closed, phases=phases)
        environment = environment_of(job)
        runner = environment.create_local_runner()
        load = LocustLoad(job, environment, posts.append)
        t0_ns = time.monotonic_ns()
        load.begin(t0_ns)
        populate(job, runner, t0_ns)
        load.run(runner)
        runner.quit()
        heard = sys.modules[environment.user_classes[0].__module__].heard
        assert not [each for each in events.request._handlers if each.__module__ == "loadtests.requestlog"]
        assert not [each for each in events.user_error._handlers if each.__module__ == "loadtests.requestlog"]
    server.stop()
    recorded = Counter()
    for row in (row for post in posts for row in post["intervals"]):
        recorded[row["series"]] += row.get("count", 0)  # one may begin in one second and end in the next
    return heard, recorded, environment.stats.total.num_requests


def case_a_listener_in_the_authors_file():
    """It hears each of five requests, each is recorded, and Locust's page counts each once."""
    found = heard_in_a_run(module="events.request.add_listener(listen)")
    assert found == (["/page"] * 5, {"GET /page": 5}, 5)


def case_a_listener_that_comes_with_the_test():
    """The same where it is added as the test starts, when the run listens already."""
    found = heard_in_a_run(test_start="environment.events.request.add_listener(listen)")
    assert found == (["/page"] * 5, {"GET /page": 5}, 5)


def case_a_listener_that_comes_with_a_user():
    """The same where a user adds it."""
    found = heard_in_a_run(on_start="self.environment.events.request.add_listener(listen)")
    assert found == (["/page"] * 5, {"GET /page": 5}, 5)


def case_a_client_that_fires_the_global_event():
    """It is recorded, as any that fires the environment's."""
    assert heard_in_a_run("Teller") == ([], {"MQTT told": 5}, 5)


class NeverDue(TimerFd):
    """A timer that does not go off."""

    def arm(self, due_ns):
        """Nothing."""


def offered_in_a_run(*, is_stopped=False, **load):
    """Run 40 planned arrivals whose timer never goes off; the accounting, and how long it was to be waited busily."""
    seen, posts = [], []

    def offering(dues, offer, spin_ns):
        seen.append(spin_ns)
        return Offering(dues, offer, spin_ns, timer=NeverDue())

    locustload.Offering = offering
    try:
        with tempfile.TemporaryDirectory() as folder, global_events():
            load = {"rate": "200/s", "arrivals": "constant", "timeout": "100ms"} | load
            phases = [{"kind": "steady", "duration": "200ms"}]
            job = job_of(folder, COUNTED.replace("fixed_count = 3", ""), "Counted", load=load, phases=phases)
            driven = LocustLoad(job, environment_of(job), posts.append)
            driven.begin(time.monotonic_ns())
            if is_stopped:
                driven.stop()
            driven.run(SimpleNamespace(user_count=0))
    finally:
        locustload.Offering = Offering
    return posts[-1]["accounting"], seen


def case_arrivals_of_the_last_moment():
    """At the plan's end all that was planned is due, whatever the timer has said; not where the run is cut."""
    counted, spins = offered_in_a_run()
    assert (counted["planned"], counted["offered"], counted["unsent"]) == (40, 40, 40)
    assert spins == [0]
    counted, _ = offered_in_a_run(is_stopped=True)
    assert (counted["planned"], counted["offered"]) == (40, 0)


def case_a_loop_that_stays_awake():
    """Where the scenario says so."""
    assert offered_in_a_run(spin=True)[1] == [1_000_000]


def case_a_process_goes_on_between_the_parts_of_its_batch():
    """What comes meanwhile is looked for between any two of them, and what they raise ends the run."""
    done, take = [], RequestLog.take

    def slow(self, *, last=False):
        for _ in () if last else range(3):
            done.append("part")
            yield
        return (yield from take(self, last=last))

    def broken(self, *, last=False):
        if not last:
            raise ValueError("no batch")
        return (yield from take(self, last=last))

    reads, writes = os.pipe()
    os.write(writes, b".")
    watcher = gevent.get_hub().loop.io(reads, 1)
    watcher.start(lambda: done[-1:] == ["looked"] or done.append("looked"))
    with patch.object(RequestLog, "take", slow), all_parts_long():
        offered_in_a_run()
    watcher.stop()
    watcher.close()
    assert [one for one in done if one == "part"] == ["part"] * 3
    assert ["part", "part"] not in [done[k : k + 2] for k in range(len(done))]
    with patch.object(RequestLog, "take", broken):
        assert "no batch" in said_of(ValueError, offered_in_a_run)


def case_what_a_task_raises_is_its_users():
    """Locust tells of the TaskSet that ran it: it goes by the user's class, and the user's requests are forgotten."""

    class Reader(User):
        abstract = True
        user = "bob"  # an author's own

        def on_start(self):
            raise ValueError("at the start")

        @task
        def one(self):
            self.requests.begin(1, 2, self)
            self.left = True
            raise ValueError("in a task")

        def wait_time(self):
            raise StopUser

    with tempfile.TemporaryDirectory() as folder:
        for starts, told in ((True, "at the start"), (False, "in a task")):
            requests = Requests()
            log = RequestLog(job_of(folder, "", "None"), time.monotonic_ns(), requests, RequestStats())
            user = closed_user(Reader, requests=requests, **({} if starts else {"on_start": lambda self: None}))
            log.listen(user.environment.events)
            logging.disable()
            with contextlib.suppress(ValueError):
                user.run()
            logging.disable(logging.NOTSET)
            batch = at_once(log.take())
            assert [(row["series"], row["errors"]) for row in batch["intervals"]] == [
                ("task Reader", {"raised ValueError": 1})
            ]
            assert [each["text"] for each in batch["events"]] == [f"Reader raised ValueError: {told}"]
            assert not requests.under_way


def case_nested_task_set_is_left():
    """In an open model, whoever leaves a nested TaskSet waits for the next arrival, whatever its author says."""

    class Inner(TaskSet):
        """A nested one."""

    class Shopper(User):
        abstract = True
        tasks = (Inner,)

    clocked()
    user, _ = open_user(Shopper)
    try:
        Inner(user).interrupt(reschedule=True)
    except InterruptTaskSet as left:
        reschedule = left.reschedule
    assert reschedule is False


def case_task_set_with_a_wait_of_its_own():
    """A TaskSet's own wait_time would pass the arrivals by, and is refused in an open model, nested too."""

    class Inner(TaskSet):
        wait_time = between(1, 2)

        @task
        def one(self):
            """Nothing."""

    class Outer(TaskSet):
        tasks = (Inner,)

    class Shopper(User):
        abstract = True
        tasks = (Outer,)

    subclass(Shopper, ClosedUser, timeout_s=5.0, tls_verify=True)
    said = said_of(ScenarioError, lambda: subclass(Shopper, OpenUser, timeout_s=5.0, tls_verify=True))
    assert said.startswith("Shopper: Inner has a wait_time of its own")


def case_statistics_in_batches():
    """Locust's figures are the same, fed once a second or request by request."""
    times_ms = [0.4, 0.5, 1.5, 2.5, 99.4, 99.6, 144.9, 145.0, 155.0, 999.0, 1049.0, 1050.0, 9949.0, 9951.0, 10_400.0]
    one_by_one, batched = RequestStats(), RequestStats()
    fed = LocustStatistics(batched)
    for turn in range(2):
        for k, ms in enumerate(times_ms):
            error = ValueError("no") if k == 3 else None
            one_by_one.log_request("GET", f"/{k % 2}", ms + turn, 10)
            if error:
                one_by_one.log_error("GET", f"/{k % 2}", error)
            fed.add("GET", f"/{k % 2}", ms + turn, 10, error)
        at_once(fed.feed())
    at_once(fed.feed())
    figures = ("num_requests", "num_failures", "min_response_time", "max_response_time", "total_content_length")
    for name in ("/0", "/1"):
        ours, theirs = batched.get(name, "GET"), one_by_one.get(name, "GET")
        assert [getattr(ours, figure) for figure in figures] == [getattr(theirs, figure) for figure in figures]
        assert dict(ours.response_times) == dict(theirs.response_times)
        assert sum(ours.num_reqs_per_sec.values()) == sum(theirs.num_reqs_per_sec.values())
        assert ours.get_response_time_percentile(0.9) == theirs.get_response_time_percentile(0.9)
    assert dict(batched.total.response_times) == dict(one_by_one.total.response_times)
    assert abs(batched.total.total_response_time - one_by_one.total.total_response_time) < 1e-6
    assert batched.errors.keys() == one_by_one.errors.keys()


def case_current_percentiles_in_batches():
    """Locust's page shows those of the last ten seconds or so, as it would request by request."""
    now_s = 1000.0
    locust.stats.time = locuststatistics.time = SimpleNamespace(time=lambda: now_s)
    try:
        one_by_one, batched = RequestStats(), RequestStats()
        fed, found = LocustStatistics(batched), []
        for second in range(25):
            now_s = 1000.5 + second
            for ms in (10.0, 20.0 if second < 12 else 700.0, 30.0 if second < 12 else 700.0):
                one_by_one.log_request("GET", "/", ms, 10)
                fed.add("GET", "/", ms, 10, None)
            at_once(fed.feed())
            each = [(statistics.total, statistics.get("/", "GET")) for statistics in (batched, one_by_one)]
            for ours, theirs in zip(*each, strict=True):
                said = ours.get_current_response_time_percentile(0.5)
                assert said == theirs.get_current_response_time_percentile(0.5)
            found.append(said)
    finally:
        locust.stats.time = locuststatistics.time = time
    assert found[11] == 20
    assert found[-1] == 700  # of all 75 it is 30: 25 took 10 ms, 12 took 20 ms, 12 took 30 ms


def case_statistics_of_members():
    """What comes as a histogram is in Locust's figures to its buckets' width, and every failure under its kind."""
    statistics = RequestStats()
    fed = LocustStatistics(statistics)
    interval = Interval(
        "GET /items/{id}", 3, count=6, ok=3, timeouts=1, errors={"http 503": 2}, size_bytes=70,
        service=Histogram.of([1_000, 2_000, 50_000]), failed_service=Histogram.of([3_000, 3_000, 2_000_000]),
    )  # fmt: skip
    fed.add_interval(interval)
    fed.add_interval(Interval("POST /none", 3))
    entry = statistics.get("/items/{id}", "GET")
    assert (entry.num_requests, entry.num_failures, entry.total_content_length) == (6, 3, 70)
    assert dict(entry.response_times) == {1: 1, 2: 1, 3: 2, 50: 1, 2000: 1}
    assert abs(entry.total_response_time - 2059) < 2
    assert statistics.total.num_requests == 6
    assert sorted(error.occurrences for error in statistics.errors.values()) == [1, 2]


CASES = {name.removeprefix("case_"): case for name, case in list(globals().items()) if name.startswith("case_")}


def main():
    """Run every case and say what failed, as JSON."""
    genuine, said = SimpleNamespace(time=locustuser.time, gevent=locustuser.gevent), {}
    for name, case in CASES.items():
        try:
            case()
            said[name] = ""
        except BaseException:
            said[name] = traceback.format_exc()
        locustuser.time, locustuser.gevent = genuine.time, genuine.gevent
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
