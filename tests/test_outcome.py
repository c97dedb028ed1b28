"""What became of a request, from the exceptions that the clients really raise."""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading

import aiohttp
import pytest
import requests
from geventhttpclient import HTTPClient
from geventhttpclient.response import HTTPConnectionClosed

from loadtests.outcome import classify
from loadtests.sample import Outcome

ERROR, TIMEOUT = Outcome.ERROR, Outcome.TIMEOUT


class CatchResponseError(Exception):
    """Locust's own, by name: importing Locust would patch this process."""


def server(behave):
    """Return a port on which connections are answered as ``behave`` does: some clients try a second time."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(2)

    def serve():
        with listening, contextlib.suppress(TimeoutError):
            while True:
                connection, _ = listening.accept()
                with connection, contextlib.suppress(ConnectionError):
                    connection.recv(4096)
                    behave(connection)

    threading.Thread(target=serve, daemon=True).start()
    return listening.getsockname()[1]


def nobody():
    """Return a port on which nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


def reset(connection):
    """Close with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silent(connection):
    """Say nothing until the client has gone."""
    connection.recv(4096)


def with_requests(port, path="/", scheme="http"):
    """Ask as Locust's HttpUser does."""
    requests.get(f"{scheme}://127.0.0.1:{port}{path}", timeout=0.3)


def with_gevent(port, path="/", scheme="http"):
    """Ask as Locust's FastHttpUser does."""
    HTTPClient("127.0.0.1", port, ssl=scheme == "https", network_timeout=0.3, connection_timeout=0.3).get(path)


def with_aiohttp(port, path="/", scheme="http"):
    """Ask as the swarm does."""

    async def ask():
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.3)) as http:
            await http.get(f"{scheme}://127.0.0.1:{port}{path}")

    asyncio.run(ask())


CLIENTS = pytest.mark.parametrize("client", [with_requests, with_gevent, with_aiohttp])


def failure(client, *args):
    """Return what a client raises."""
    with pytest.raises(Exception) as failed:  # noqa: PT011 -- which one is the question
        client(*args)
    return failed.value


@CLIENTS
def test_refused(client):
    """Nobody listens; a path that speaks of time-outs and resets changes nothing."""
    assert classify(failure(client, nobody(), "/timeouts/password-reset"), None) == (ERROR, "connection refused")


@CLIENTS
def test_given_up(client):
    """An answer that does not come in time is a time-out."""
    assert classify(failure(client, server(silent)), None) == (TIMEOUT, "timeout")


@pytest.mark.parametrize(
    ("client", "kind"),
    [
        (with_requests, "connection reset"),
        (with_gevent, "connection closed"),  # it does not tell the two apart
        (with_aiohttp, "connection reset"),
    ],
)
def test_reset(client, kind):
    """The connection is reset."""
    assert classify(failure(client, server(reset), "/timeouts"), None) == (ERROR, kind)


@CLIENTS
def test_closed(client):
    """The connection ends before an answer."""
    assert classify(failure(client, server(lambda connection: None)), None) == (ERROR, "connection closed")


@CLIENTS
def test_no_tls(client):
    """The other side speaks no TLS."""
    port = server(lambda connection: connection.sendall(b"HTTP/1.1 400 no TLS here\r\n\r\n"))
    assert classify(failure(client, port, "/", "https"), None) == (ERROR, "tls")


@pytest.mark.parametrize(
    ("exception", "status", "expected"),
    [
        (None, 200, (Outcome.OK, "")),
        (None, 503, (Outcome.OK, "")),  # the user's own code took it for an answer
        (RuntimeError("status 503"), 503, (ERROR, "http 503")),
        (requests.HTTPError("404 Client Error: Not Found for url: http://h/timeouts"), 404, (ERROR, "http 404")),
        (requests.HTTPError("504 Server Error: Gateway Timeout for url: http://h/"), 504, (ERROR, "http 504")),
        (RuntimeError("status 408: Request Timeout"), 408, (ERROR, "http 408")),
        (TimeoutError("timed out"), 500, (TIMEOUT, "timeout")),  # the body never came
        (TimeoutError(), None, (TIMEOUT, "timeout")),
        (TimeoutError(), 0, (TIMEOUT, "timeout")),
        (aiohttp.ServerTimeoutError(), None, (TIMEOUT, "timeout")),
        (requests.ConnectionError("Read timed out."), 0, (TIMEOUT, "timeout")),
        (CatchResponseError("expected 3 agents, found 17"), 200, (ERROR, "check: expected # agents, found #")),
        (CatchResponseError("no timeout in the body"), 200, (ERROR, "check: no timeout in the body")),
        (CatchResponseError("x" * 100), 500, (ERROR, "check: " + "x" * 80)),
        ("not what I wanted 5", None, (ERROR, "check: not what I wanted #")),
        (ConnectionRefusedError(111, "Connection refused"), None, (ERROR, "connection refused")),
        (
            ConnectionRefusedError("load on 192.0.2.1 is not allowed by this run's scenario"),
            None,
            (ERROR, "not allowed"),
        ),
        (ConnectionResetError(104, "Connection reset by peer"), None, (ERROR, "connection reset")),
        (BrokenPipeError(32, "Broken pipe"), None, (ERROR, "connection reset")),
        (HTTPConnectionClosed("connection closed."), None, (ERROR, "connection closed")),
        (socket.gaierror(-2, "Name or service not known"), None, (ERROR, "name not resolved")),
        (ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]"), None, (ERROR, "tls")),
        (OSError(101, "Network is unreachable"), None, (ERROR, "unreachable")),
        (OSError(113, "No route to host"), None, (ERROR, "unreachable")),
        (OSError(99, "Cannot assign requested address"), None, (ERROR, "no free port")),
        (OSError(24, "Too many open files"), None, (ERROR, "no free descriptor")),
        (KeyError("agents"), None, (ERROR, "KeyError")),
    ],
)
def test_classify(exception, status, expected):
    """Each of what is known to happen."""
    assert classify(exception, status) == expected


def test_few_kinds():
    """Numbers in messages make no new kinds."""
    found = {classify(CatchResponseError(f"agent {n} is {n * n} ms late"), 200) for n in range(100)}
    assert found == {(ERROR, "check: agent # is # ms late")}
