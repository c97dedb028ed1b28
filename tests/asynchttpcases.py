"""The HTTP cases for members and for aiohttp: a program, ``python -m tests.asynchttpcases asyncio`` or ``... uvloop``.

Each request is asked from a thread and awaited in a loop beside it, and what is asserted is what was recorded.
"""

import asyncio
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import uvloop

from loadtests.answerlog import AnswerLog
from loadtests.asked import Asked
from loadtests.asyncrequests import AsyncRequests
from loadtests.job import Job
from loadtests.recorder import Recorder
from loadtests.tls import tls_context
from tests import httpcases, redirectcases
from tests.caserun import cases_of, run_all
from tests.conformance import rows_of
from tests.recorded import METHODS, TIMEOUT_S, Recorded, compute, scenario_of


class Loop:
    """Runs in a thread of its own."""

    def __init__(self, make):
        self.loop = make()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def wait(self, coroutine):
        """What it gives."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)


class Member(Recorded):
    """A member's session and its record."""

    intended_ns = cert = None
    loop: Loop

    def __init__(self, url, timeout_s=TIMEOUT_S):
        job = Job(scenario_of(url, timeout_s), "r", "local", "s", 0, 1, Path())
        self.recorder = Recorder(time.monotonic_ns())
        self.requests = AsyncRequests(job, self.recorder)
        self.session = self.requests.session(self)

    def __getattr__(self, name):
        asked = getattr(self.session, name)
        return asked if name not in METHODS else lambda *args, **how: self.loop.wait(asked(*args, **how))

    def taken(self):
        """What was recorded since it was last asked."""
        return self.recorder.fold()

    def accounts(self):
        """How many requests began, and how many are in flight."""
        return self.requests.begun, self.requests.in_flight

    def at_once(self, paths):
        """Ask for all of them together."""

        async def ask():
            return await asyncio.gather(*map(self.session.get, paths))

        return self.loop.wait(ask())

    def in_turn(self, paths, until):
        """One after the other, computing after each until that is so of it: no loop goes on meanwhile."""

        async def ask():
            for path in paths:
                await self.session.get(path)
                compute(lambda path=path: until(path))

        self.loop.wait(ask())

    def cut(self, path, after_s):
        """Ask, and be stopped meanwhile; what its own code cancels has failed."""

        async def ask():
            asked = asyncio.create_task(self.session.get(path))
            await asyncio.sleep(after_s)
            asked.cancel()
            await asyncio.wait([asked])

        self.loop.wait(ask())

    def close(self):
        """Close what is idle."""

        async def close():
            self.session.close()

        self.loop.wait(close())


class Aiohttp(Recorded):
    """aiohttp's session in the same place."""

    asks_again = True
    loop: Loop

    def __init__(self, url, timeout_s=TIMEOUT_S):
        self.url, self.begun, self.recorder = url, 0, Recorder(time.monotonic_ns())
        self.answers = AnswerLog(self.recorder, str)
        self.session = self.loop.wait(self._made(timeout_s))

    async def _made(self, timeout_s):
        connector = aiohttp.TCPConnector(ssl=tls_context(True))
        return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=timeout_s))

    def get(self, path):
        """Read to the end, as a request is."""
        return self.request("GET", path)

    def request(self, method, path, data=None):
        """The same by a method's name."""
        return self.loop.wait(self._ask(method, path, data))

    async def _ask(self, method, path, data):
        status, body, error = 0, b"", None
        self.begun += 1
        started_ns = time.monotonic_ns()
        try:
            async with self.session.request(method, self.url + path, data=data) as response:
                status, body = response.status, await response.read()
                response.raise_for_status()
        except (aiohttp.ClientError, OSError, TimeoutError) as problem:
            error = problem
        times_ns = started_ns, started_ns, time.monotonic_ns()
        self.answers.file(Asked.seen(method, path, times_ns, len(body), status), error, None)
        return SimpleNamespace(status_code=status, content=body)

    def taken(self):
        """What was recorded since it was last asked."""
        return self.recorder.fold()

    def accounts(self):
        """How many requests began; none is in flight."""
        return self.begun, 0

    def close(self):
        """Close it."""
        self.loop.wait(self.session.close())


if __name__ == "__main__":
    Member.loop = Aiohttp.loop = Loop({"asyncio": asyncio, "uvloop": uvloop}[sys.argv[1]].new_event_loop)
    run_all(rows_of(Member, Aiohttp) | cases_of(httpcases, redirectcases, client=Member))
