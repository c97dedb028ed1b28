"""The HTTP cases for Locust's users: a program, ``python -m tests.locusthttpcases``, since Locust patches its process.

What is asserted is what the process's own log of requests holds, as in a run.
"""

import gevent
import locust
from locust import task
from locust.env import Environment

# isort: split
import time
from pathlib import Path

from loadtests import loaduser
from loadtests.interval import Interval
from loadtests.job import Job
from loadtests.locustrequests import Requests
from loadtests.locustuser import ClosedUser, subclass
from loadtests.parts import at_once
from loadtests.requestlog import RequestLog
from tests import httpcases, loadusercases, locustclientcases, redirectcases
from tests.caserun import cases_of, run_all
from tests.conformance import rows_of
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
        return [Interval.from_json(row) for row in at_once(self.log.take())["intervals"]]

    def accounts(self):
        """How many requests began, and how many are in flight."""
        return self.requests.begun, len(self.requests.under_way)

    def at_once(self, paths):
        """Ask for all of them together."""
        jobs = [gevent.spawn(self.session.get, path) for path in paths]
        gevent.joinall(jobs, raise_error=True)
        return [job.value for job in jobs]

    def in_turn(self, paths, until):
        """One after the other, computing after each until that is so of it: no loop goes on meanwhile."""
        for path in paths:
            self.session.get(path)
            compute(lambda path=path: until(path))

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


class HttpUser(LoadUser):
    """And its other one."""

    author = locust.HttpUser


if __name__ == "__main__":
    run_all(
        rows_of(LoadUser, FastHttpUser)
        | cases_of(httpcases, redirectcases, client=LoadUser)
        | cases_of(loadusercases, client=LoadUser)
        | cases_of(locustclientcases, client=LoadUser)
        | cases_of(locustclientcases, client=FastHttpUser)
        | cases_of(locustclientcases, client=HttpUser)
    )
