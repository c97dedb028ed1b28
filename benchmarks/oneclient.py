"""One client's requests, one after another, recorded as in a run, and nothing else: what it takes can be counted.

``oneclient.py KIND REQUESTS URL`` prints how many were recorded.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

KIND, REQUESTS, URL = sys.argv[1], int(sys.argv[2]), sys.argv[3]
AUTHOR = """
from {module} import {kind}
from locust import constant, task
from locust.exception import StopUser


class Author({kind}):
    host = "{url}"
    wait_time = constant(0)
    left = {requests}

    @task
    def page(self):
        if not self.left:
            raise StopUser
        self.left -= 1
        self.client.get("/page")
"""
MODULES = {"FastHttpUser": "locust", "LoadUser": "loadtests.loaduser"}

if KIND in MODULES:
    from gevent import monkey

    monkey.patch_all()

from loadtests.job import Job  # noqa: E402 -- gevent patches first
from loadtests.parts import at_once  # noqa: E402
from loadtests.scenario import Scenario  # noqa: E402


def job(folder: str) -> Job:
    """A closed load of one user on the URL."""
    made = {
        "name": "one client",
        "target": {"url": URL},
        "phases": [{"kind": "steady", "duration": "1h"}],
        "users": [{"class": "users.py:Author"}],
        "load": {"model": "closed", "users": 1},
    }
    scenario = Scenario.model_validate(made).model_copy(update={"folder": Path(folder)})
    return Job(scenario, "r", "local", "generator", 0, 1, Path(folder))


def as_user(folder: str) -> int:
    """One of Locust's users; how many of its requests were recorded."""
    from locust.env import Environment

    from loadtests.population import user_classes
    from loadtests.requestlog import RequestLog

    Path(folder, "users.py").write_text(AUTHOR.format(module=MODULES[KIND], kind=KIND, requests=REQUESTS, url=URL))
    (author,) = user_classes(job(folder))
    environment = Environment(user_classes=[author], host=URL)
    log = RequestLog(job(folder), time.monotonic_ns(), author.requests, environment.stats, None, None)
    log.listen(environment.events)
    author(environment).run()
    return sum(interval["count"] for interval in at_once(log.take(last=True))["intervals"])


def as_member(folder: str) -> int:
    """One asyncio member; how many of its requests were recorded."""
    import uvloop

    from loadtests.asyncrequests import AsyncRequests
    from loadtests.recorder import Recorder

    class Member:
        cert = None
        intended_ns: int | None = None

    async def act() -> None:
        session = requests.session(Member())
        for _ in range(REQUESTS):
            await session.get("/page")
        session.close()

    recorder = Recorder(time.monotonic_ns())
    requests = AsyncRequests(job(folder), recorder)
    uvloop.run(act())
    return sum(interval.count for interval in recorder.fold())


def bare(_: str) -> int:
    """A loop that does nothing but send and parse; how many answers it read."""
    import httptools
    import uvloop

    sent = (
        f"GET /page HTTP/1.1\r\nHost: {urlsplit(URL).netloc}\r\nUser-Agent: loadtests\r\nAccept: */*\r\n"
        "Accept-Encoding: gzip, deflate, br\r\n\r\n"
    ).encode()

    class Client(asyncio.Protocol):
        def __init__(self) -> None:
            self.parser = httptools.HttpResponseParser(self)

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast(asyncio.Transport, transport)

        def data_received(self, data: bytes) -> None:
            self.parser.feed_data(data)

        def on_header(self, name: bytes, value: bytes) -> None:
            pass

        def on_body(self, body: bytes) -> None:
            pass

        def on_message_complete(self) -> None:
            self.answered.set_result(None)

    async def act() -> int:
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(Client, urlsplit(URL).hostname, urlsplit(URL).port)
        for _ in range(REQUESTS):
            client.answered = loop.create_future()
            client.transport.write(sent)
            await client.answered
        client.transport.close()
        return REQUESTS

    return uvloop.run(act())


with tempfile.TemporaryDirectory() as here:
    print({"member": as_member, "bare": bare}.get(KIND, as_user)(here))
