"""A hostile server, and what Locust's clients and ours make of it.

A program that test_httpsession.py runs, since Locust patches its process. Each answer is met by a LoadUser, a member's
session, FastHttpUser and aiohttp: the same outcome, error kind and body, one request event, and as many requests as the
server counts, or what else the table says of one of the two.
"""

import asyncio
import gzip
import json
import os
import socket
import ssl
import struct
import sys
import tempfile
import time
import traceback
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import gevent
import trustme
from gevent.server import StreamServer
from locust import FastHttpUser, task
from locust.env import Environment

from loadtests.allowance import guard
from loadtests.asyncsession import AsyncSession
from loadtests.job import Job
from loadtests.loaduser import LoadUser
from loadtests.locustload import LocustLoad
from loadtests.locustuser import ClosedUser, Requests, subclass
from loadtests.outcome import classify
from loadtests.population import user_classes
from loadtests.scenario import Scenario

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TIMEOUT_S = 0.3


def whole(sock):
    """Answer as one should."""
    sock.sendall(OK)


def sends(*pieces, pause_s=0.0):
    """Send these, one after another, then keep the connection."""

    def answer(sock):
        for piece in pieces:
            sock.sendall(piece)
            gevent.sleep(pause_s)

    return answer


def closes(*pieces):
    """Send these, then close."""

    def answer(sock):
        sends(*pieces)(sock)
        sock.close()

    return answer


def resets(*pieces):
    """Send these, then reset the connection."""

    def answer(sock):
        sends(*pieces, pause_s=0.02)(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    return answer


def half_closes(sock):
    """Answer, and say that nothing more will come."""
    sock.sendall(OK)
    sock.shutdown(socket.SHUT_WR)


def hangs(sock):
    """Never answer."""
    gevent.sleep(TIMEOUT_S * 3)


def _head(*fields):
    return b"HTTP/1.1 200 OK\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


PACKED = gzip.compress(b"ok")

BY_ITS_NAME = {"AiohttpUser": ("ERROR", "ClientResponseError", b"")}
ASKED_AGAIN = ("OK", "asked again", b"ok")
"""aiohttp tries once more where a server hangs up or resets before the answer, and tells nobody."""

# What the server does to the first request; outcome, error kind and body; and what peers make of it otherwise.
ANSWERS = {
    "whole": (whole, ("OK", "", b"ok")),
    "byte by byte": (sends(*(OK[k : k + 1] for k in range(len(OK)))), ("OK", "", b"ok")),
    "junk after the body": (
        sends(OK + b"junk\r\n"),
        ("OK", "", b"ok"),
        {"FastHttpUser": ("ERROR", "bad answer", b"")} | BY_ITS_NAME,
    ),
    "a second answer after it": (sends(OK + OK), ("OK", "", b"ok"), {"FastHttpUser": ("OK", "", b"okok")}),
    "until it closes": (closes(_head(), b"ok"), ("OK", "", b"ok")),
    "half-closed": (half_closes, ("OK", "", b"ok")),
    "chunks": (
        sends(_head(b"Transfer-Encoding: chunked"), b"1\r\no\r\n", b"1\r\nk\r\n0\r\n\r\n"),
        ("OK", "", b"ok"),
    ),
    "an interim reply": (sends(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", OK), ("OK", "", b"ok")),
    "no content": (sends(b"HTTP/1.1 204 No Content\r\n\r\n"), ("OK", "", b"")),
    "gzip": (
        sends(_head(b"Content-Encoding: gzip", b"Content-Length: %d" % len(PACKED)), PACKED),
        ("OK", "", b"ok"),
    ),
    "an encoding that nobody knows": (
        sends(_head(b"Content-Encoding: wat", b"Content-Length: 2"), b"ok"),
        ("OK", "", b"ok"),
        {"FastHttpUser": ValueError},  # raised into the user's code
    ),
    "not there": (
        sends(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"),
        ("ERROR", "http 404", b"no"),
    ),
    "broken": (sends(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"), ("ERROR", "http 503", b"")),
    "closed at once": (closes(), ("ERROR", "connection closed", b""), {"AiohttpUser": ASKED_AGAIN}),
    "closed in the header": (
        closes(b"HTTP/1.1 200 OK\r\nConte"),
        ("ERROR", "connection closed", b""),
        {"AiohttpUser": ASKED_AGAIN},
    ),
    "closed in the body": (
        closes(_head(b"Content-Length: 9"), b"ok"),
        ("ERROR", "connection closed", b""),
        {"FastHttpUser": ("ERROR", "bad answer", b""), "AiohttpUser": ("ERROR", "ClientPayloadError", b"")},
    ),
    "reset at once": (
        resets(),
        ("ERROR", "connection reset", b""),
        {"FastHttpUser": ("ERROR", "connection closed", b""), "AiohttpUser": ASKED_AGAIN},
    ),
    "reset in the header": (
        resets(b"HTTP/1.1 200 OK\r\nConte"),
        ("ERROR", "connection reset", b""),
        {"AiohttpUser": ASKED_AGAIN},
    ),
    "reset in the body": (resets(_head(b"Content-Length: 9"), b"ok"), ("ERROR", "connection reset", b"")),
    "no HTTP": (sends(b"SSH-2.0-OpenSSH_9\r\n\r\n"), ("ERROR", "bad answer", b""), BY_ITS_NAME),
    "a bad chunk": (
        sends(_head(b"Transfer-Encoding: chunked"), b"zz\r\nok\r\n"),
        ("ERROR", "bad answer", b""),
        BY_ITS_NAME,
    ),
    "two lengths": (
        sends(_head(b"Content-Length: 2", b"Content-Length: 3"), b"ok"),
        ("ERROR", "bad answer", b""),
        BY_ITS_NAME,
    ),
    "a header without end": (
        sends(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 400_000),
        ("ERROR", "bad answer", b""),
        {"FastHttpUser": ("TIMEOUT", "timeout", b"")} | BY_ITS_NAME,
    ),
    "no answer": (hangs, ("TIMEOUT", "timeout", b"")),
    "a slow loris": (
        sends(*(OK[k : k + 1] for k in range(len(OK))), pause_s=0.05),
        ("TIMEOUT", "timeout", b""),
        {"FastHttpUser": ("OK", "", b"ok")},  # its time-out is of each read
    ),
}


class Hostile:
    """Does to the first request what it is told, and answers every later one as one should."""

    def __init__(self, answer):
        self.answer, self.requests = answer, 0
        self.server = StreamServer(("127.0.0.1", 0), self._serve)
        self.server.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def _serve(self, sock, _):
        with_rest = b""
        try:
            while data := sock.recv(65536):
                with_rest += data
                while b"\r\n\r\n" in with_rest:
                    _, _, with_rest = with_rest.partition(b"\r\n\r\n")
                    self.requests += 1
                    (self.answer if self.requests == 1 else whole)(sock)
        except OSError:
            pass


def user_of(author, url):
    """A user of that class under our clock, and what the request event tells of its requests."""
    if author in (AwaitedUser, AiohttpUser):
        user = author(url)
        return user, user.client.fired
    fired = []

    class Author(author):
        host = url

        @task
        def nothing(self):
            """Unused."""

    environment = Environment()
    environment.events.request.add_listener(lambda **told: fired.append(told))
    made = subclass(Author, ClosedUser, timeout_s=TIMEOUT_S, tls_verify=True, requests=Requests(), settings={})
    return made(environment), fired


class Awaited:
    """A member's session as these cases call it: its loop runs in a greenlet beside them."""

    loop = None

    def __init__(self, url):
        if Awaited.loop is None:
            Awaited.loop = asyncio.new_event_loop()
            gevent.spawn(Awaited.loop.run_forever)
        self.fired = []
        self.session = AsyncSession(url, lambda asked: self._begin(asked), self._report, timeout_s=TIMEOUT_S)

    def _begin(self, asked):
        pass

    def _report(self, response, asked, error):
        self.fired.append(
            {"exception": error, "name": asked.name, "response": response, "response_length": response.size_bytes}
        )

    def __getattr__(self, name):
        asked = getattr(self.session, name)
        if name not in ("get", "post", "put", "patch", "delete", "head", "options"):
            return asked
        return lambda *args, **kwargs: self.wait(asked(*args, **kwargs))

    def wait(self, coroutine):
        """What it gives, in the loop's own time; cancelled with the greenlet that waits for it."""
        asked = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            while not asked.done():
                gevent.sleep(0.0005)
        finally:
            asked.cancel()
        return asked.result()

    def close(self):
        """Close what is idle, in the loop."""
        self.loop.call_soon_threadsafe(self.session.close)
        gevent.sleep(0.005)


class AwaitedUser:
    """Stands where a user does."""

    def __init__(self, url):
        self.client = Awaited(url)


class Peer(Awaited):
    """aiohttp's session in the same place."""

    def __init__(self, url):
        super().__init__(url)
        self.url, self.session = url, self.wait(self._made())

    async def _made(self):
        return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))

    def get(self, path):
        """Read to the end, as a request is."""
        return self.wait(self._get(path))

    async def _get(self, path):
        status, body, error = 0, b"", None
        try:
            async with self.session.get(self.url + path) as response:
                status, body = response.status, await response.read()
                response.raise_for_status()
        except (aiohttp.ClientError, OSError, TimeoutError) as problem:
            error = problem
        self.fired.append({"exception": error})
        return SimpleNamespace(status_code=status, content=body)


class AiohttpUser:
    """Stands where a user does."""

    def __init__(self, url):
        self.client = Peer(url)


def met(author, answer):
    """What a client makes of an answer: outcome, kind and body; and whether it goes on afterwards."""
    hostile = Hostile(answer)
    user, fired = user_of(author, hostile.url)
    began = time.monotonic()
    with gevent.Timeout(5):
        response = user.client.get("/first")
    assert time.monotonic() - began < 3, "it hung"
    assert len(fired) == 1
    outcome, kind = classify(fired[0]["exception"], response.status_code)
    body = response.content if outcome.name == "OK" or kind.startswith("http ") else b""
    gevent.sleep(0.01)
    again = user.client.get("/second")
    assert (again.status_code, again.content) == (200, b"ok"), "the next request must not suffer"
    assert len(fired) == 2
    if author is AiohttpUser and hostile.requests == 3:
        kind = "asked again"
    else:
        assert hostile.requests == 2, f"the server saw {hostile.requests} requests, {len(fired)} were reported"
    hostile.server.stop()
    return outcome.name, kind, body or b""


CASES = {}
for answer_name, (does, expected, *otherwise) in ANSWERS.items():
    for client in (LoadUser, FastHttpUser, AwaitedUser, AiohttpUser):
        wanted = otherwise[0].get(client.__name__, expected) if otherwise else expected

        def case(does=does, client=client, wanted=wanted):
            """One answer to one client."""
            try:
                found = met(client, does)
            except ValueError as error:
                found = type(error)
            assert found == wanted, f"{found}, expected {wanted}"

        CASES[f"{answer_name} / {client.__name__}"] = case


class Shop:
    """A server that behaves, and keeps every request: what it does goes by the path."""

    def __init__(self, certificate=None):
        self.heads, self.bodies, self.connections = [], [], 0
        secure = {"keyfile": certificate[1], "certfile": certificate[0]} if certificate else {}
        self.server = StreamServer(("127.0.0.1", 0), self._serve, **secure)
        self.server.start()
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self.server.server_port}"

    def _serve(self, sock, _):
        self.connections += 1
        stream = sock.makefile("rb")
        while line := stream.readline():
            method, target, _ = line.decode().split()
            fields = {}
            while (field := stream.readline().decode().strip()) != "":
                name, _, value = field.partition(": ")
                fields[name.lower()] = value
            body = stream.read(int(fields.get("content-length", 0)))
            self.heads.append((method, target, fields))
            self.bodies.append(body)
            sock.sendall(self._answer(target, body))
            if target == "/leaves":
                sock.close()
                return

    def _answer(self, target, body):
        if target.startswith("/to/"):
            status, _, there = target.removeprefix("/to/").partition("/")
            return f"HTTP/1.1 {status} Moved\r\nLocation: /{there}\r\nContent-Length: 0\r\n\r\n".encode()
        more = b""
        if target == "/login":
            more = b"Set-Cookie: session=abc; Path=/\r\nSet-Cookie: tracking=no; Path=/elsewhere\r\n"
        body = body or json.dumps({"target": target, "name": "\u00e9"}, ensure_ascii=False).encode()
        kind = b"Content-Type: application/json\r\n"
        return b"HTTP/1.1 200 OK\r\n%b%bContent-Length: %d\r\n\r\n%b" % (more, kind, len(body), body)


def with_shop(case):
    """Run a case with a shop, a LoadUser of it or a member's session, and what was fired."""

    def run(author):
        shop = Shop()
        user, fired = user_of(author, shop.url)
        try:
            case(shop, user.client, fired)
        finally:
            user.client.close()
            shop.server.stop()

    for author in (LoadUser, AwaitedUser):
        CASES[f"{case.__name__.removeprefix('case_')} / {author.__name__}"] = partial(run, author)
    return case


@with_shop
def case_what_is_sent(shop, client, fired):
    """Method, target, usual headers, one's own, and bodies of each kind."""
    client.get("/a", params={"q": "x y"}, headers={"X-A": "1"})
    client.post("/b", json={"k": [1]})
    client.put("/c", data={"k": "v w"})
    client.patch("/d", data="plain", auth=("me", "s3"))
    client.delete("/e")
    methods = [(method, target) for method, target, _ in shop.heads]
    assert methods == [("GET", "/a?q=x+y"), ("POST", "/b"), ("PUT", "/c"), ("PATCH", "/d"), ("DELETE", "/e")]
    assert shop.bodies == [b"", b'{"k": [1]}', b"k=v+w", b"plain", b""]
    first = shop.heads[0][2]
    assert (first["x-a"], first["host"]) == ("1", shop.url.removeprefix("http://"))
    kinds = [fields.get("content-type") for _, _, fields in shop.heads]
    assert kinds == [None, "application/json", "application/x-www-form-urlencoded", None, None]
    assert shop.heads[3][2]["authorization"] == "Basic bWU6czM="  # RFC 7617: base64 of me:s3
    assert shop.connections == 1
    assert [told["name"] for told in fired] == ["/a", "/b", "/c", "/d", "/e"]


@with_shop
def case_what_comes_back(shop, client, fired):
    """The response as Locust's authors know it."""
    response = client.get("/x")
    assert response.json() == {"target": "/x", "name": "\u00e9"}
    assert "\u00e9" in response.text
    assert (response.ok, response.status_code, response.url) == (True, 200, f"{shop.url}/x")
    assert response.headers["content-TYPE"] == "application/json"
    assert 0 < response.elapsed.total_seconds() < 1
    response.raise_for_status()
    assert fired[0]["response_length"] == len(response.content)


@with_shop
def case_names(shop, client, fired):
    """By the argument, by the block, by the path."""
    client.get("/a", name="A")
    with client.rename_request("B"):
        client.get("/b")
        client.get("/b2", name="B2")
    client.get("/c")
    assert [told["name"] for told in fired] == ["A", "B", "B2", "/c"]


@with_shop
def case_with_block(shop, client, fired):
    """The outcome is what the block says, else what the answer was; it is told once, at the block's end."""
    with client.get("/a", catch_response=True) as response:
        assert not fired
        response.failure("not what I meant")
    with client.get("/to/404/x", catch_response=True) as response:
        response.success()
    with client.get("/c", catch_response=True):
        pass
    for path in ("/d", "/to/404/x"):
        try:
            with client.get(path, catch_response=True):
                raise KeyError("mine")
        except KeyError:
            pass
    outcomes = [classify(told["exception"], 200)[1] for told in fired]
    assert outcomes == ["check: not what I meant", "", "", "", "BadStatusError"], (
        "the answer's own, where the code breaks"
    )


@with_shop
def case_the_query_is_of_the_url(shop, client, fired):
    """Where it was asked is told with what was asked there, as the witness must ask again."""
    response = client.get("/a?x=1#top", params={"q": "y z"})
    assert response.url == f"{shop.url}/a?x=1&q=y+z"
    assert shop.heads[0][1] == "/a?x=1&q=y+z"
    assert fired[0]["name"] == "/a?x=1#top"


@with_shop
def case_what_is_kept_does_not_grow(shop, client, fired):
    """A user that walks through many addresses keeps few of them."""
    for k in range(200):
        client.get(f"/articles/{k}")
    session = getattr(client, "session", client)
    assert max(len(session._ready), len(session._split)) <= 32


@with_shop
def case_redirects(shop, client, fired):
    """One request, however many hops; POST becomes GET where the standard says so (RFC 9110, 15.4)."""
    for status, method in ((301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")):
        shop.heads.clear()
        response = client.post(f"/to/{status}/there", json={"k": 1})
        assert [(m, t) for m, t, _ in shop.heads] == [("POST", f"/to/{status}/there"), (method, "/there")]
        assert response.status_code == 200
        assert response.url == f"{shop.url}/there"
        assert len(response.history) == 1
        assert ("content-type" in shop.heads[1][2]) is (method == "POST")
    assert len(fired) == 5
    assert client.get("/to/302/there", allow_redirects=False).status_code == 302
    assert fired[-1]["exception"] is None


@with_shop
def case_redirects_without_end(shop, client, fired):
    """A circle ends, as a failure."""
    hops = "to/302/" * 40
    response = client.get(f"/{hops}x")
    assert "redirected more than 30 times" in response.reason
    assert len(fired) == 1


@with_shop
def case_secrets_stay_at_home(shop, client, fired):
    """A redirect to another origin takes no password along, and no cookie."""
    other = Shop()
    shop._answer = lambda target, body: (
        f"HTTP/1.1 302 Moved\r\nLocation: {other.url}/x\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n".encode()
    )
    client.get("/a", auth=("me", "s3"), headers={"Cookie": "mine=1"})
    client.headers["Authorization"] = "Bearer T0KEN"
    client.get("/b")
    other.server.stop()
    assert shop.heads[1][2]["authorization"] == "Bearer T0KEN"
    assert all("authorization" not in fields for _, _, fields in other.heads)
    assert other.heads[0][2]["cookie"] == "a=b", "cookies know no ports (RFC 6265, 8.5); the user's own stays behind"


@with_shop
def case_cookies(shop, client, fired):
    """What the server set goes back to it, where its path says so."""
    client.get("/a")
    client.get("/login")
    client.get("/b")
    sent = [fields.get("cookie") for _, _, fields in shop.heads]
    assert sent == [None, None, "session=abc"]
    assert {cookie.name for cookie in client.cookies} == {"session", "tracking"}


@with_shop
def case_an_idle_connection_that_the_server_closed(shop, client, fired):
    """Is not used again; nobody notices, and the server counts what we count."""
    for _ in range(3):
        assert client.get("/leaves").ok
        gevent.sleep(0.01)
    assert shop.connections == 3
    assert len(shop.heads) == len(fired) == 3


@with_shop
def case_a_large_upload(shop, client, fired):
    """More than fits into the socket at once."""
    body = bytes(range(256)) * 40_000
    assert client.post("/up", data=body, timeout=5).content == body


@with_shop
def case_several_at_once(shop, client, fired):
    """A user's greenlets have a connection each."""
    jobs = [gevent.spawn(client.get, f"/{k}") for k in range(5)]
    gevent.joinall(jobs, raise_error=True)
    assert {job.value.json()["target"] for job in jobs} == {f"/{k}" for k in range(5)}
    assert len(fired) == 5


@with_shop
def case_a_user_that_is_stopped(shop, client, fired):
    """A request cut off in its midst leaves no connection behind that would answer the next one."""
    shop._answer = lambda target, body: gevent.sleep(0.1) or OK
    cut = gevent.spawn(client.get, "/cut")
    gevent.sleep(0.03)
    cut.kill()
    del shop._answer
    assert client.get("/next").json()["target"] == "/next"


@with_shop
def case_its_own_time_out(shop, client, fired):
    """A request may have one; that of the scenario holds else."""
    shop._answer = lambda target, body: gevent.sleep(0.1) or OK
    assert client.get("/a").ok
    assert "timed out" in client.get("/b", timeout=0.02).reason
    assert classify(fired[-1]["exception"], 0) == (classify(TimeoutError(), 0))


@with_shop
def case_what_cannot_be_written(shop, client, fired):
    """A header that would be two is the user's own mistake, raised where it was made."""
    refused = ""
    try:
        client.get("/a", headers={"X": "1\r\nY: 2"})
    except ValueError as error:
        refused = str(error)
    assert "is no HTTP header" in refused
    assert not shop.heads
    assert not fired


@with_shop
def case_a_proxy_for_one_call(shop, client, fired):
    """Nothing is sent, and it is said what goes through a proxy."""
    try:
        client.get("/a", proxies={"http": shop.url})
    except TypeError as error:
        refused = str(error)
    assert refused.startswith("proxies= is not known to this client: ")
    assert "FastHttpUser" in refused
    assert not shop.heads


@with_shop
def case_what_cannot_be_written_never_began(shop, client, fired):
    """It is not under way: no time-out of a request that was never sent is told at the run's end."""
    begun = []
    client._begin = begun.append
    for wrong in ({"url": "/a", "headers": {"X Y": "1"}}, {"url": "ftp://127.0.0.1/a"}, {"url": "http://127.0.0.1:0/"}):
        try:
            client.get(**wrong)
        except ValueError:
            continue
        raise AssertionError(f"{wrong} was written")
    assert not begun
    client.get("/b")
    assert len(begun) == 1


@with_shop
def case_redirects_to_nowhere(shop, client, fired):
    """A Location that is no address is the server's fault: a bad answer, nothing raised into the user's code."""
    places = (
        b"ftp://127.0.0.1/x",
        b"http://[bad",
        b"http://127.0.0.1:99999/",
        b"http://\xff.example/",
        b"http://a..b/",
    )
    for place in places:
        shop._answer = lambda target, body, place=place: (
            b"HTTP/1.1 302 Moved\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % place
        )
        response = client.get("/a")
        assert classify(fired[-1]["exception"], response.status_code)[1] == "bad answer", place
    assert len(fired) == len(places)


@with_shop
def case_only_where_the_load_may_go(shop, client, fired):
    """An address that the run does not name is not connected to, whether asked for or redirected to."""
    guard([])
    shop._answer = lambda target, body: (
        b"HTTP/1.1 302 Moved\r\nLocation: http://192.0.2.1/x\r\nContent-Length: 0\r\n\r\n"
    )
    for url in ("/away", "http://192.0.2.1/x"):
        response = client.get(url)
        assert classify(fired[-1]["exception"], response.status_code)[1] == "not allowed"
    assert len(fired) == 2


def case_a_client_certificate():
    """A target that asks for one answers the user who shows it, and no other; each request is told once.

    In TLS 1.3 the client's handshake is over before the server says no: by an alert, a FIN or an RST, what comes first.
    """
    seen = []

    def serve(sock, _):
        try:
            secure = context.wrap_socket(sock, server_side=True)
        except ssl.SSLError:
            return
        seen.extend(value for _, value in secure.getpeercert()["subjectAltName"])
        secure.recv(4096)
        secure.sendall(OK)

    with tempfile.TemporaryDirectory() as folder:
        authority, place = trustme.CA(), {name: f"{folder}/{name}.pem" for name in ("authority", "server", "client")}
        authority.cert_pem.write_to_path(place["authority"])
        for name, whose in (("server", "127.0.0.1"), ("client", "somebody@example.org")):
            authority.issue_cert(whose).private_key_and_cert_chain_pem.write_to_path(place[name])
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=place["authority"])
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(place["server"])
        server = StreamServer(("127.0.0.1", 0), serve)
        server.start()
        os.environ["SSL_CERT_FILE"] = place["authority"]
        try:
            for cert, kinds in ((place["client"], {""}), (None, {"tls", "connection closed", "connection reset"})):
                author = type("Shower", (LoadUser,), {"abstract": True, "cert": cert})
                user, fired = user_of(author, f"https://127.0.0.1:{server.server_port}")
                user.client.get("/page", timeout=5)
                assert classify(fired[0]["exception"], 0)[1] in kinds
                assert len(fired) == 1
        finally:
            del os.environ["SSL_CERT_FILE"]
            server.stop()
    assert seen == ["somebody@example.org"]


CASES["a_client_certificate / LoadUser"] = case_a_client_certificate

ENDLESS = """
from locust import task
from loadtests.loaduser import LoadUser

class Endless(LoadUser):
    @task
    def on_and_on(self):
        while True:
            self.client.get("/on")
"""


@with_shop
def case_what_begins_after_the_end_is_not_counted(shop, client, fired):
    """A task that goes on and on: what was begun as the books were closed is in them, or in flight."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "users.py").write_text(ENDLESS)
        scenario = Scenario.model_validate(
            {
                "name": "x",
                "target": {"url": shop.url},
                "phases": [{"kind": "steady", "duration": "200ms"}],
                "users": [{"class": "users.py:Endless"}],
                "load": {"model": "closed", "users": 1, "timeout": "100ms"},
            }
        ).model_copy(update={"folder": Path(folder)})
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


@with_shop
def case_another_base_url(shop, client, fired):
    """What was written for one server is not sent to another."""
    other = Shop()
    client.get("/a")
    client.get("/a")
    getattr(client, "session", client).base_url = other.url
    client.get("/a")
    other.server.stop()
    assert (len(shop.heads), len(other.heads)) == (2, 1)
    assert other.heads[0][2]["host"] == other.url.removeprefix("http://")


@with_shop
def case_nobody_there(shop, client, fired):
    """A refused connection is a failure of its own kind."""
    shop.server.stop()
    client.close()
    response = client.get("/a")
    assert classify(fired[0]["exception"], response.status_code)[1] == "connection refused"


def main():
    """Run every case and say what failed, as JSON."""
    said = {}
    for name, case in CASES.items():
        try:
            case()
            said[name] = ""
        except BaseException:
            said[name] = traceback.format_exc()
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
