"""Where load may go: loopback, and what is named; everything else is refused, by whatever road."""

import subprocess
import sys
from pathlib import Path

import pytest

from loadtests.allowance import allowed_addresses
from loadtests.errors import TargetError


def resolving(*addresses):
    """Return a resolver that knows one answer."""
    return lambda host, port: list(addresses)


@pytest.mark.parametrize(
    ("url", "addresses", "allow"),
    [
        ("http://127.0.0.1:8000", ["127.0.0.1"], []),
        ("http://localhost", ["127.0.0.1", "::1"], []),
        ("https://portal.test", ["127.8.9.1"], []),  # a name is judged on what it resolves to
        ("http://[::1]:8000/x", ["::1"], []),
        ("http://portal.test", ["192.0.2.7"], ["portal.test"]),
        ("http://Portal.Test", ["192.0.2.7"], ["PORTAL.test"]),
        ("http://portal.test", ["192.0.2.7"], ["192.0.2.7"]),
        ("http://portal.test", ["192.0.2.7", "127.0.0.1"], ["192.0.2.0/24"]),
        ("http://portal.test", ["192.0.2.7"], ["192.0.2.1/24"]),  # host bits in a network do not matter
        ("http://portal.test", ["192.0.2.7", "2001:db8::7"], ["192.0.2.7", "2001:db8::/32"]),
        ("http://portal.test", ["fe80::1%eth0"], ["fe80::/10"]),
        ("http://portal.test", ["192.0.2.7"], ["other.test", "no network", "10.0.0.0/8", "0.0.0.0/0"]),
    ],
)
def test_allowed(url, addresses, allow):
    """Loopback may always be loaded, and what is named as a host, an address or a network."""
    assert allowed_addresses(url, allow, resolving(*addresses)) == addresses


@pytest.mark.parametrize(
    ("addresses", "allow", "named"),
    [
        (["192.0.2.7"], [], "192.0.2.7"),
        (["127.0.0.1", "192.0.2.7"], [], "192.0.2.7"),  # one that may be loaded does not excuse another
        (["192.0.2.7", "192.0.2.8"], ["192.0.2.7"], "192.0.2.8"),
        (["192.0.2.7", "2001:db8::7"], [], "192.0.2.7, 2001:db8::7"),
        (["2001:db8::7"], ["0.0.0.0/0"], "2001:db8::7"),  # all of IPv4 is nothing of IPv6
        (["10.1.2.3"], ["10.1.2.0/25,10.1.2.128/25"], "10.1.2.3"),
        (["0.0.0.0"], [], "0.0.0.0"),  # noqa: S104 -- not bound to
        (["192.0.2.7"], ["not-portal.test", "portal.test.example"], "192.0.2.7"),
    ],
)
def test_refused(addresses, allow, named):
    """What is neither is refused, with its address and the remedy."""
    with pytest.raises(TargetError) as refused:
        allowed_addresses("http://portal.test:8000/x", allow, resolving(*addresses))
    assert str(refused.value) == (
        f"http://portal.test:8000/x: portal.test is {named}, which is not loopback; no load goes there unless you may "
        'load it and say so: target.allow = ["portal.test"] in the file, or --allow portal.test'
    )


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "not a URL that can be loaded"),
        ("portal.test", "not a URL that can be loaded"),
        ("ftp://portal.test", "not a URL that can be loaded"),
        ("http://", "not a URL that can be loaded"),
        ("http://portal.test:http", "not a URL that can be loaded"),
        ("http://portal.test:99999", "not a URL that can be loaded"),
        ("http://[::1", "not a URL that can be loaded"),
    ],
)
def test_no_url(url, said):
    """What is no http address is refused before anything is resolved."""
    with pytest.raises(TargetError, match=said):
        allowed_addresses(url, [], resolving("127.0.0.1"))


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 70 + ".test"])
def test_unknown_host(host):
    """A host that does not resolve, or that is no name at all, is told so."""
    with pytest.raises(TargetError, match=rf"the host {host} does not resolve \("):
        allowed_addresses(f"http://{host}", [])


@pytest.mark.parametrize(("url", "port"), [("http://h", 80), ("https://h", 443), ("https://h:8443", 8443)])
def test_port(url, port):
    """The port is the scheme's unless it is said."""
    asked = []

    def resolver(host, port):
        asked.append((host, port))
        return ["127.0.0.1"]

    allowed_addresses(url, [], resolver)
    assert asked == [("h", port)]


GUARDED = """
import sys
{before}
from loadtests.allowance import guard
guard(["198.51.100.9"])
import contextlib, socket
with socket.create_server(("127.0.0.1", 0)) as server:
    port = server.getsockname()[1]
    {program}
"""


def guarded(program, before=""):
    """Run a program in a process of its own, since what is guarded stays so."""
    text = GUARDED.format(before=before, program=program.strip().replace("\n", "\n    "))
    done = subprocess.run(
        [sys.executable, "-c", text],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=Path(__file__).parents[1],
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


REFUSED = "load on 192.0.2.1 is not allowed by this run's scenario"

WITH_SOCKETS = """
socket.create_connection(("127.0.0.1", port)).close()
socket.create_connection(("localhost", port)).close()
for family, address in (
    (socket.AF_INET, ("192.0.2.1", 80)),
    (socket.AF_INET6, ("2001:db8::1", 80, 0, 0)),
):
    try:
        socket.socket(family).connect(address)
    except ConnectionRefusedError as error:
        print(error)
try:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("192.0.2.1", 53))
except ConnectionRefusedError as error:
    print(error)
named = socket.socket()
named.setblocking(False)
try:
    named.connect(("198.51.100.9", 80))
except ConnectionRefusedError as error:
    print(error)
except OSError:
    print("tried")
with contextlib.suppress(FileNotFoundError):
    socket.socket(socket.AF_UNIX).connect("/nowhere")
print("and local sockets")
"""


def test_guard():
    """From then on, connections to any address that is neither loopback nor named are refused before they are made."""
    assert guarded(WITH_SOCKETS) == [
        REFUSED,
        "load on 2001:db8::1 is not allowed by this run's scenario",
        REFUSED,
        "tried",
        "and local sockets",
    ]


WITH_AIOHTTP = """
import asyncio, aiohttp
from aiohttp import web
async def redirect(request):
    return web.Response(status=302, headers={"Location": "http://192.0.2.1/"})
async def main():
    app = web.Application()
    app.add_routes([web.get("/", lambda request: web.Response(text="hello")), web.get("/away", redirect)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = "http://127.0.0.1:%d" % runner.addresses[0][1]
    async with aiohttp.ClientSession() as http:
        async with http.get(url) as answer:
            print(await answer.text())
        for away in ("http://192.0.2.1/", url + "/away"):
            try:
                await http.get(away)
            except aiohttp.ClientConnectorError as error:
                print(error.os_error)
        try:
            await http.ws_connect("ws://192.0.2.1/")
        except aiohttp.ClientConnectorError as error:
            print(error.os_error)
    await runner.cleanup()
with asyncio.Runner(loop_factory=LOOP) as runner:
    runner.run(main())
"""


@pytest.mark.parametrize("loop", ["asyncio.new_event_loop", "__import__('uvloop').new_event_loop"])
def test_guard_of_aiohttp(loop):
    """The swarm's client is refused on either loop, for HTTP, for WebSockets, and when a redirect leads away."""
    assert guarded(WITH_AIOHTTP.replace("LOOP", loop)) == ["hello", REFUSED, REFUSED, REFUSED]


WITH_GEVENT = """
import gevent
from geventhttpclient import HTTPClient
def answer():
    connection, _ = server.accept()
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nhello")
gevent.spawn(answer)
print(HTTPClient("127.0.0.1", port).get("/").read().decode())
import requests
for ask in (lambda: HTTPClient("192.0.2.1", 80).get("/"), lambda: requests.get("http://192.0.2.1/")):
    try:
        ask()
    except OSError as error:
        print(repr(error).split("(Caused")[-1])
"""


def test_guard_of_gevent():
    """Locust's clients are refused under gevent."""
    first, second, third = guarded(WITH_GEVENT, before="from gevent import monkey; monkey.patch_all()")
    assert first == "hello"
    assert second == f'ConnectionRefusedError("{REFUSED}")'
    assert REFUSED in third.replace("\\", "")
