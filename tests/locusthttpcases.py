"""The HTTP cases for Locust's users: a program, ``python -m tests.locusthttpcases``, since Locust patches its process.

What is asserted is what the process's own log of requests holds, as in a run.
"""

import gevent
import locust
from locust import task
from locust.env import Environment

# isort: split
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from loadtests import loaduser
from loadtests.interval import Interval
from loadtests.job import Job
from loadtests.locustload import LocustLoad
from loadtests.locustuser import ClosedUser, Requests, subclass
from loadtests.population import user_classes
from loadtests.requestlog import RequestLog
from tests import httpcases, redirectcases
from tests.caserun import cases_of, run_all
from tests.conformance import rows_of
from tests.httpservers import Shop
from tests.recorded import METHODS, TIMEOUT_S, Recorded, compute, scenario_of


class LoadUser(Recorded):
    """A user of that class under our clock, and the log of its requests."""

    author = loaduser.LoadUser

    def __init__(self, url, timeout_s=TIMEOUT_S):
        class Author(self.author):
            host = url

            @task
            def nothing(self):
                """Unused."""

        job = Job(scenario_of(url, timeout_s), "r", "local", "s", 0, 1, Path())
        self.requests, self.environment = Requests(), Environment()
        self.log = RequestLog(job, time.monotonic_ns(), self.requests, self.environment.stats)
        self.log.listen(self.environment.events)
        made = subclass(Author, ClosedUser, timeout_s=timeout_s, tls_verify=True, requests=self.requests, settings={})
        self.user = made(self.environment)
        self.session = self.user.client

    def __getattr__(self, name):
        asked = getattr(self.session, name)
        return asked if name not in METHODS else lambda *args, **how: self._within(asked, args, how)

    def _within(self, ask, args, how):
        with gevent.Timeout(10):
            return ask(*args, **how)

    def taken(self):
        """What was recorded since it was last asked."""
        return [Interval.from_json(row) for row in self.log.take()["intervals"]]

    def accounts(self):
        """How many requests began, and how many are in flight."""
        return self.requests.begun, len(self.requests.under_way)

    def at_once(self, paths):
        """Ask for all of them together."""
        jobs = [gevent.spawn(self.session.get, path) for path in paths]
        gevent.joinall(jobs, raise_error=True)
        return [job.value for job in jobs]

    def in_turn(self, asks):
        """One after the other, computing for so long after each, so that no loop goes on meanwhile."""
        for path, busy_s in asks:
            self.session.get(path)
            compute(busy_s)

    def cut(self, path, after_s):
        """Ask, and be stopped meanwhile."""
        asked = gevent.spawn(self.session.get, path)
        gevent.sleep(after_s)
        asked.kill()

    def close(self):
        """Close what is idle."""
        if isinstance(self.user, loaduser.LoadUser):
            self.session.close()


class FastHttpUser(LoadUser):
    """Locust's own in the same place."""

    author = locust.FastHttpUser


ENDLESS = """
from locust import task
from loadtests.loaduser import LoadUser

class Endless(LoadUser):
    @task
    def on_and_on(self):
        while True:
            self.client.get("/on")
"""


def what_begins_after_the_end_is_not_counted():
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


def others_who_listen():
    """They hear of a request once, with its answer, and it is recorded once all the same; Locust counts it once."""
    shop, user, heard = Shop(), None, []
    user = LoadUser(shop.url)
    user.log.close(user.environment.events)
    user.environment.events.request.add_listener(lambda **told: heard.append(told))
    user.log.listen(user.environment.events)
    response = user.get("/a", name="A", context={"mine": 1})
    (event,) = heard
    assert (event["name"], event["response"], event["exception"]) == ("A", response, None)
    assert event["response_length"] == len(response.content)
    assert event["context"]["mine"] == 1
    assert user.told() == {"GET A": {"ok": 1}}
    shop.stop()


def locusts_own_figures():
    """Hear of each request once a second, when nobody else listens."""
    shop = Shop()
    user = LoadUser(shop.url)
    for path in ("/a", "/a", "/to/404/x"):
        user.get(path)
    assert user.told() == {"GET /a": {"ok": 2}, "GET /to/{id}/x": {"http 404": 1}}
    total = user.environment.stats.total
    assert (total.num_requests, total.num_failures) == (3, 1)
    shop.stop()


OURS = [what_begins_after_the_end_is_not_counted, others_who_listen, locusts_own_figures]

if __name__ == "__main__":
    run_all(
        rows_of(LoadUser, FastHttpUser)
        | cases_of(httpcases, redirectcases, client=LoadUser)
        | {case.__name__: case for case in OURS}
    )
