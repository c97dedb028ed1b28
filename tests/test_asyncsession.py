"""Whatever a server does to them, each request is reported once, under the right outcome, and sent once.

On both loops: production has uvloop's, whose transports are not those of asyncio.
"""

import asyncio
import socket
import struct
import time
from pathlib import Path

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadtests.asyncrequests import AsyncRequests
from loadtests.interval import merge
from loadtests.job import Job
from loadtests.recorder import Recorder
from loadtests.scenario import Scenario
from tests.casefile import outcomes, skipped
from tests.listening import papers

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TIMEOUT_MS = 150
LOOPS = pytest.mark.parametrize("loop", [asyncio, uvloop], ids=lambda loop: loop.__name__)

# What the server sends to a request, whether it closes or resets then, and what becomes of the request.
FATES = {
    "well": (OK, "", "ok"),
    "in chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "", "ok"),
    "says that it closes": (OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n", 1), "close", "ok"),
    "until it closes": (b"HTTP/1.1 200 OK\r\n\r\nok", "close", "ok"),
    "twice": (OK + OK, "", "ok"),
    "not found": (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "", "http 404"),
    "redirected": (b"HTTP/1.1 302 Found\r\nLocation: /on\r\nContent-Length: 0\r\n\r\n", "", "ok"),
    "closed at once": (b"", "close", "connection closed"),
    "closed within": (OK[:-1], "close", "connection closed"),
    "reset": (b"", "reset", "connection reset"),
    "junk": (b"\x00\x01\x02\r\n\r\n", "", "bad answer"),
    "nothing": (b"", "", "timeout"),
}


class Server:
    """Deals its fates out in the order of the requests, redirects' second ones being well."""

    def __init__(self, fates):
        self.fates, self.seen = list(fates), 0

    async def serve(self, reader, writer):
        """One connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.seen += 1
                well = head.startswith(b"GET /on ")
                sent, ending, _ = FATES["well" if well else self.fates.pop(0)]
                writer.write(sent)
                if ending == "reset":
                    sock = writer.get_extra_info("socket")
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    writer.transport.abort()
                if ending:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class Asker:
    """Whose requests they are."""

    intended_ns = cert = None


def ask(fates, at_once, loop):
    """Ask for each fate, so many at a time; the server, what was counted, and the recorded series."""
    found = {}

    async def main():
        server = Server(fates)
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        made = Scenario.model_validate(
            {
                "name": "x",
                "target": {"url": f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"},
                "phases": [{"kind": "steady", "duration": "1s"}],
                "load": {"timeout": f"{TIMEOUT_MS}ms"},
            }
        )
        job = Job(made, "r", "local", "s", 0, 1, Path())
        recorder = Recorder(time.monotonic_ns())
        requests = AsyncRequests(job, recorder)
        session = requests.session(Asker())
        left = list(fates)

        async def worker():
            while left:
                left.pop()
                await session.get("/")

        await asyncio.gather(*(worker() for _ in range(at_once)))
        session.close()
        listening.close()
        rows = [row for row in recorder.fold() if row.series == "GET /"]
        found.update(server=server, counted=requests.accounting(), series=merge(rows, series="GET /"))

    with asyncio.Runner(loop_factory=loop.new_event_loop) as runner:
        runner.run(main())
    return found["server"], found["counted"], found["series"]


@LOOPS
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(fates=st.lists(st.sampled_from(sorted(FATES)), min_size=1, max_size=12), at_once=st.sampled_from([1, 3]))
def test_exactly_once(loop, fates, at_once):
    """As many begun, ended, recorded and seen by the server as were asked; and each became what its fate says."""
    server, counted, series = ask(fates, at_once, loop)
    n, wanted = len(fates), [FATES[fate][2] for fate in fates]
    assert (counted["requests_begun"], counted["requests_in_flight"]) == (n, 0)
    assert server.seen == n + fates.count("redirected")
    assert series.count == n == series.ok + series.error_count + series.timeouts
    assert series.ok == wanted.count("ok")
    assert series.timeouts == wanted.count("timeout")
    kinds = {kind: wanted.count(kind) for kind in wanted if kind not in ("ok", "timeout")}
    assert series.errors == kinds


@LOOPS
@pytest.mark.parametrize("fate", sorted(FATES))
def test_each_fate(loop, fate):
    """Between two that are well: neither suffers."""
    server, counted, series = ask(["well", fate, "well"], 1, loop)
    assert counted["requests_begun"] == 3
    assert server.seen == 3 + (fate == "redirected")
    assert series.ok == 2 + (FATES[fate][2] == "ok")


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def said(request, tmp_path_factory):
    """What became of the cases in asynchttpcases.py."""
    return outcomes("tests.asynchttpcases", 120, request.param, **papers(tmp_path_factory.mktemp("papers")))


def test_every_case_holds(said):
    """None fails, and there are as many as were written."""
    assert {name: told for name, told in said.items() if told and name not in skipped(said)} == {}
    assert len(said) >= 151


def test_no_case_was_skipped(said):
    """Where one was, it says why."""
    if skipped(said):
        pytest.skip(str(skipped(said)))
