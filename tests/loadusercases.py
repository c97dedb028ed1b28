"""What becomes of a LoadUser's requests in a process of Locust's."""

import gc
import tempfile
import time
import weakref
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import gevent
import pytest
from gevent.event import Event
from gevent.pool import Group
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from locust.env import Environment
from locust.exception import StopUser

from loadtests.job import Job
from loadtests.loaduser import LoadUser
from loadtests.locustload import LocustLoad
from loadtests.locustrequests import STAMPS
from loadtests.population import user_classes
from tests.fates import FATES, FEW, Fated, path_of
from tests.httpservers import Shop
from tests.recorded import scenario_of

ENDLESS = """
from locust import task
from loadtests.loaduser import LoadUser

class Endless(LoadUser):
    @task
    def on_and_on(self):
        while True:
            self.client.get("/on")
"""


def case_what_begins_after_the_end_is_not_counted(client):
    """A task that goes on and on: what was begun as the books were closed is in them, or in flight."""
    shop = Shop()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "users.py").write_text(ENDLESS)
        more = {"users": [{"class": "users.py:Endless"}], "load": {"model": "closed", "users": 1, "timeout": "100ms"}}
        phases = [{"kind": "steady", "duration": "200ms"}]
        scenario = scenario_of(shop.url, phases=phases, **more).model_copy(update={"folder": Path(folder)})
        job = Job(scenario, "r", "local", "generator", 0, 1, Path(folder))
        environment = Environment(user_classes=user_classes(job), host=shop.url)
        posts = []
        load = LocustLoad(job, environment, posts.append)
        load.begin(time.monotonic_ns())
        (endless,) = environment.user_classes
        endless.host = shop.url
        user = gevent.spawn(endless(environment).run)
        load.run(SimpleNamespace(user_count=1))
        user.kill()
    counted = posts[-1]["accounting"]
    recorded = sum(row["count"] for post in posts for row in post["intervals"])
    assert recorded > 20
    assert counted["requests_begun"] == recorded + counted["requests_in_flight"]


def case_others_who_listen(client):
    """They hear of a request once, with its answer, and it is recorded once all the same; Locust counts it once."""
    shop, heard = Shop(), []
    user = client(shop.url)
    user.log.close(user.environment.events)
    user.environment.events.request.add_listener(lambda **told: heard.append(told))
    user.log.listen(user.environment.events)
    response = user.get("/a", name="A", context={"mine": 1})
    (event,) = heard
    assert (event["name"], event["response"], event["exception"]) == ("A", response, None)
    assert event["response_length"] == len(response.content)
    assert event["context"]["mine"] == 1
    assert event["context"][STAMPS] == (response.intended_ns, response.started_ns, response.number)
    assert user.told() == {"GET A": {"ok": 1}}
    shop.stop()


def case_under_locust_alone(client):
    """Where no engine keeps its time a user asks all the same, and its listeners hear of what they put there."""

    class Alone(LoadUser):
        abstract = True

        def context(self):
            return {"tenant": 1}

    shop, heard = Shop(), []
    Alone.host = shop.url
    user = Alone(Environment())
    user.environment.events.request.add_listener(lambda context, **_: heard.append(context))
    user.client.get("/a")
    user.client.get("/a", context={"tenant": 2, "mine": 3})
    user.client.close()
    assert heard == [{"tenant": 1}, {"tenant": 2, "mine": 3}]
    shop.stop()


def case_an_answer_that_nobody_judges(client):
    """Asked with ``catch_response`` and never said what it was: it is under way until the end, its body is not kept."""
    shop = Shop()
    user = client(shop.url)
    answer = weakref.ref(user.get("/a", catch_response=True))
    gc.collect()
    assert answer() is None
    assert user.accounts() == (1, 1)
    shop.stop()


def case_a_listener_that_stops_its_user(client):
    """It hears of each request once, be it answered or failed, and what it raises comes out of the call."""
    for path, kind in (("/a", "ok"), ("/to/404/x", "http 404"), (None, "connection refused")):
        shop, heard = Shop(), []
        user = client(shop.url)

        def listen(name, exception, heard=heard, **_):
            heard.append((name, exception is not None))
            raise StopUser

        user.environment.events.request.add_listener(listen)
        if path is None:
            shop.stop()
        with pytest.raises(StopUser):
            user.get(path or "/a", name="A")
        assert heard == [("A", kind != "ok")]
        assert user.told() == {"GET A": {kind: 1}}
        assert user.accounts() == (1, 0)
        shop.stop()


def case_locusts_own_figures(client):
    """Hear of each request once a second, when nobody else listens."""
    shop = Shop()
    user = client(shop.url)
    for path in ("/a", "/a", "/to/404/x"):
        user.get(path)
    assert user.told() == {"GET /a": {"ok": 2}, "GET /to/{id}/x": {"http 404": 1}}
    total = user.environment.stats.total
    assert (total.num_requests, total.num_failures) == (3, 1)
    shop.stop()


def case_a_user_that_leaves(client):
    """Closes its idle connections however it leaves: killed, in the middle of its task, or by its own code."""
    for leave in ("killed", "let go", "by itself"):
        shop, answered = Shop(), Event()
        user = client(shop.url).user

        def act(user, leave=leave, answered=answered):
            user.client.get("/a")
            answered.set()
            if leave == "by itself":
                raise StopUser
            gevent.sleep(0.05)
            assert user.client.get("/b").ok, "what its task still asks is answered"

        user.tasks = [act]
        going = user.start(Group())
        answered.wait()
        assert shop.open == 1
        if leave != "by itself":
            user.stop(force=leave == "killed")
        going.join(timeout=5)
        gevent.sleep(0.05)
        assert [target for _, target, _ in shop.heads] == (["/a", "/b"] if leave == "let go" else ["/a"])
        assert (shop.connections, shop.open) == (1, 0), leave
        shop.stop()


def case_a_user_that_leaves_while_another_greenlet_of_it_waits(client):
    """Its request ends as it would have; its connection is not kept after that."""
    shop = Shop()
    answer = shop.answer
    shop.answer = lambda target, body: (gevent.sleep(0.1), answer(target, body))[1]
    user = client(shop.url).user
    waiting = []

    def act(user):
        waiting.append(gevent.spawn(user.client.get, "/slow"))
        gevent.sleep(0.02)
        raise StopUser

    user.tasks = [act]
    user.start(Group()).join(timeout=5)
    gevent.sleep(0.01)
    assert shop.open == 1
    assert waiting[0].get(timeout=5).ok
    gevent.sleep(0.05)
    assert shop.open == 0
    shop.stop()


AGES_NS = 10_000_000_000
MANNERS = (
    "plain",
    "with a context",
    "passed over",
    "refused",
    "taken",
    "raises",
    "runs out of time",
    "cut off",
    "forgotten",
)
"""What the user's own code does with a request: most of it in a with-block."""


def ask(user, fate, manner):
    """Ask for it so; what it must have become, as far as the user's code has a say in that."""
    path, kind = path_of(fate), FATES[fate].kind
    if manner in ("plain", "with a context"):
        user.session.get(path, name="/", context={"mine": 1} if manner == "with a context" else None)
        return kind
    if manner == "cut off":  # while nothing comes
        with gevent.Timeout(0.03, False):
            user.session.get(path_of("nothing"), name="/")
        return "cancelled"
    asked = user.session.get(path, name="/", catch_response=True)
    if manner == "forgotten":
        return manner
    try:
        with asked as response:
            if manner == "refused":
                response.failure("no")
            elif manner == "taken":
                response.success()
            elif manner == "raises":
                raise KeyError("mine")
            elif manner == "runs out of time":
                with gevent.Timeout(0.001):
                    gevent.sleep(1)
    except (KeyError, gevent.Timeout):
        pass
    return {"refused": "check: no", "taken": "ok"}.get(manner, kind)


def case_each_request_is_accounted_for_once(client):
    """As many begun, recorded and seen by the server as were asked; what was cut off has failed."""

    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(fates=FEW, at_once=st.sampled_from([1, 3]), data=st.data())
    def exactly_once(fates, at_once, data):
        asked = [(fate, data.draw(st.sampled_from(MANNERS))) for fate in fates]
        fated, became, left = Fated(), Counter(), list(asked)
        user = client(fated.url)

        def worker():
            while left:
                became[ask(user, *left.pop())] += 1

        gevent.joinall([gevent.spawn(worker) for _ in range(at_once)], raise_error=True)
        never, cut_off = became.pop("forgotten", 0), became["cancelled"]
        assert user.told() == ({"GET /": dict(+became)} if +became else {})
        assert user.accounts() == (len(asked), never)
        for number, (intended_ns, started_ns, *whose) in user.requests.under_way.items():
            user.requests.under_way[number] = intended_ns - AGES_NS, started_ns - AGES_NS, *whose
        user.log.give_up()
        assert user.told() == ({"arrival Author": {"timeout": never}} if never else {})
        assert user.accounts() == (len(asked), 0)
        most = len(asked) + sum(fate == "redirected" and manner != "cut off" for fate, manner in asked)
        assert most - cut_off <= fated.seen <= most  # what was cut off may have got nowhere
        user.close()
        fated.stop()

    exactly_once()
