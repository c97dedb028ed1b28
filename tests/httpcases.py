"""What our HTTP clients do with a server that behaves, whoever asks: a Locust user, or a member on a loop.

What is asserted of samples is what was recorded.
"""

import time
from unittest import SkipTest

import pytest
import requests

from tests.caserun import with_shop
from tests.endtoend.harness import wait_for
from tests.hostile import OK
from tests.httpservers import Named, Shop, Strict


@with_shop
def case_what_is_sent(shop, user):
    """Method, target, usual headers, one's own, and bodies of each kind."""
    user.get("/a", params={"q": "x y"}, headers={"X-A": "1"})
    user.post("/b", json={"k": [1]})
    user.put("/c", data={"k": "v w"})
    user.patch("/d", data="plain", auth=("me", "s3"))
    user.delete("/e")
    methods = [(method, target) for method, target, _ in shop.heads]
    assert methods == [("GET", "/a?q=x+y"), ("POST", "/b"), ("PUT", "/c"), ("PATCH", "/d"), ("DELETE", "/e")]
    assert shop.bodies == [b"", b'{"k": [1]}', b"k=v+w", b"plain", b""]
    first = shop.heads[0][2]
    assert (first["x-a"], first["host"]) == ("1", shop.url.removeprefix("http://"))
    kinds = [fields.get("content-type") for _, _, fields in shop.heads]
    assert kinds == [None, "application/json", "application/x-www-form-urlencoded", None, None]
    assert shop.heads[3][2]["authorization"] == "Basic bWU6czM="  # RFC 7617: base64 of me:s3
    assert shop.connections == 1
    assert list(user.told()) == ["GET /a", "POST /b", "PUT /c", "PATCH /d", "DELETE /e"]


@with_shop
def case_a_path_with_a_url_in_it(shop, user):
    """Is a path all the same."""
    assert user.get("/login?next=https://elsewhere.test/").ok
    assert [target for _, target, _ in shop.heads] == ["/login?next=https://elsewhere.test/"]


@with_shop
def case_what_comes_back(shop, user):
    """The response as Locust's authors know it."""
    response = user.get("/x")
    assert response.json() == {"target": "/x", "name": "\u00e9"}
    assert "\u00e9" in response.text
    assert (response.ok, response.status_code, response.url) == (True, 200, f"{shop.url}/x")
    assert response.headers["content-TYPE"] == "application/json"
    assert 0 < response.elapsed.total_seconds() < 1
    response.raise_for_status()
    row = user.all()
    assert (row.series, row.ok, row.size_bytes) == ("GET /x", 1, len(response.content))


@with_shop
def case_names(shop, user):
    """By the argument, by the block, by the path."""
    user.get("/a", name="A")
    with user.rename_request("B"):
        user.get("/b")
        user.get("/b2", name="B2")
    user.get("/c")
    assert user.told() == {f"GET {name}": {"ok": 1} for name in ("A", "B", "B2", "/c")}


@with_shop
def case_with_block(shop, user):
    """The outcome is what the block says, else what the answer was; it is told once, at the block's end."""
    with user.get("/a", name="refused", catch_response=True) as response:
        assert not user.taken()
        response.failure("not what I meant")
    assert user.told() == {"GET refused": {"check: not what I meant": 1}}
    with user.get("/to/404/x", name="taken", catch_response=True) as response:
        response.success()
    with user.get("/c", name="plain", catch_response=True):
        pass
    for path, name in (("/d", "broken"), ("/to/404/x", "broken too")):
        try:
            with user.get(path, name=name, catch_response=True):
                raise KeyError("mine")
        except KeyError:
            pass
    assert user.told() == {
        "GET taken": {"ok": 1},
        "GET plain": {"ok": 1},
        "GET broken": {"ok": 1},  # the answer's own, where the code breaks
        "GET broken too": {"http 404": 1},
    }
    assert user.accounts() == (5, 0)


@with_shop
def case_the_query_is_of_the_url(shop, user):
    """Where it was asked is told with what was asked there, as the witness must ask again."""
    response = user.get("/a?x=1#top", params={"q": "y z"})
    assert response.url == f"{shop.url}/a?x=1&q=y+z"
    assert shop.heads[0][1] == "/a?x=1&q=y+z"
    assert user.told() == {"GET /a": {"ok": 1}}


@with_shop
def case_what_is_kept_does_not_grow(shop, user):
    """A user that walks through many addresses keeps few of them."""
    for k in range(200):
        user.get(f"/articles/{k}")
    assert max(len(user.session._ready["GET"]), len(user.session._split)) <= 32


@with_shop
def case_cookies(shop, user):
    """What the server set goes back to it, where its path says so."""
    user.get("/a")
    user.get("/login")
    user.get("/b")
    sent = [fields.get("cookie") for _, _, fields in shop.heads]
    assert sent == [None, None, "session=abc"]
    assert {cookie.name for cookie in user.cookies} == {"session", "tracking"}


@with_shop
def case_a_cookie_that_is_set_again(shop, user):
    """By the same answer, after its user has forgotten it."""
    user.get("/login")
    user.session.cookies.clear()
    user.get("/login")
    user.get("/b")
    assert [fields.get("cookie") for _, _, fields in shop.heads] == [None, None, "session=abc"]


@with_shop
def case_calls_go_by_request(shop, user):
    """Who wraps it, such as to sign what is sent, has wrapped them all."""
    request, seen = user.session.request, []

    def wrapped(method, url, **how):
        seen.append((method, url))
        return request(method, url, **how, headers={"X-Signed": "yes"})

    user.session.request = wrapped
    for method in ("get", "post", "put", "patch", "delete", "head", "options"):
        getattr(user, method)("/a", params={"k": 1})
    assert seen == [(method, "/a") for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")]
    assert [fields["x-signed"] for _, _, fields in shop.heads] == ["yes"] * 7


@with_shop
def case_an_idle_connection_that_the_server_closed(shop, user):
    """Is not used again; nobody notices, and the server counts what we count."""
    for _ in range(3):
        assert user.get("/leaves").ok
        wait_for(lambda: not shop.open)
    assert shop.connections == 3
    assert len(shop.heads) == 3
    assert user.told() == {"GET /leaves": {"ok": 3}}


@with_shop
def case_a_connection_that_is_closed_before_the_loop_comes_to_it(shop, user):
    """The user's code computes meanwhile, so that no loop has seen its end."""
    user.in_turn(["/leaves"] * 4, lambda path: not shop.open)
    assert user.told() == {"GET /leaves": {"ok": 4}}
    assert len(shop.heads) == 4


@with_shop
def case_a_kept_connection_that_is_closed_before_the_loop_comes_to_it(shop, user):
    """The same after several replies, also where nothing keeps the loop for long."""
    user.in_turn(["/a", "/a", "/a", "/leaves", "/a"], lambda path: path == "/a" or not shop.open)
    assert user.told() == {"GET /a": {"ok": 4}, "GET /leaves": {"ok": 1}}
    assert shop.connections == 2


@with_shop
def case_what_an_idle_connection_keeps(shop, user):
    """Nothing of what it carried: a load may have thousands."""
    assert len(user.post("/up", data=bytes(100_000)).content) == 100_000
    ((connection,),) = user.session._idle.values()
    assert (connection.reply.head, connection.reply.body) == (b"", b"")


@with_shop
def case_headers_of_every_request(shop, user):
    """However they are changed, the next request goes by it."""
    headers, sent = user.session.headers, []

    def send():
        user.get("/a")
        sent.append({name: value for name, value in shop.heads[-1][2].items() if name.startswith("x-")})

    send()
    headers["X-A"] = "1"
    send()
    headers["X-A"] = "2"
    headers.update({"X-B": "3"})
    send()
    headers |= {"X-C": "4"}
    del headers["X-A"]
    send()
    headers.pop("X-B")
    send()
    user.session.headers = {"X-D": "5"}
    send()
    user.session.headers["X-E"] = "6"
    send()
    assert sent == [
        {},
        {"x-a": "1"},
        {"x-a": "2", "x-b": "3"},
        {"x-b": "3", "x-c": "4"},
        {"x-c": "4"},
        {"x-d": "5"},
        {"x-d": "5", "x-e": "6"},
    ]
    assert dict(headers | {"X-F": "7"})["X-F"] == "7"


@with_shop
def case_a_cookie_of_the_author_s_own(shop, user):
    """Goes with what was sent without it before."""
    user.get("/a")
    user.session.cookies.set_cookie(requests.cookies.create_cookie("mine", "1"))
    user.get("/a")
    assert [fields.get("cookie") for _, _, fields in shop.heads] == [None, "mine=1"]


@with_shop
def case_a_context_of_the_author_s_own(shop, user):
    """Whatever its keys are called, the engine's own stand."""
    for key in ("request", "intended_ns", "started_ns"):
        assert user.get("/a", context={key: 1}).ok
    assert user.told() == {"GET /a": {"ok": 3}}
    assert user.accounts() == (3, 0)


@with_shop
def case_a_large_upload(shop, user):
    """More than fits into the socket at once."""
    body = bytes(range(256)) * 40_000
    assert user.post("/up", data=body, timeout=5).content == body


@with_shop
def case_several_at_once(shop, user):
    """A user's greenlets have a connection each."""
    answers = user.at_once([f"/{k}" for k in range(5)])
    assert [answer.json()["target"] for answer in answers] == [f"/{k}" for k in range(5)]
    assert user.told() == {"GET /{id}": {"ok": 5}}
    assert shop.connections == 5


@with_shop
def case_a_user_that_is_stopped(shop, user):
    """A request cut off in its midst leaves no connection behind that would answer the next one."""
    shop.answer = lambda target, body: time.sleep(0.1) or OK
    user.cut("/cut", 0.03)
    del shop.answer
    assert user.get("/next").json()["target"] == "/next"


@with_shop
def case_its_own_time_out(shop, user):
    """A request may have one; that of the scenario holds else."""
    shop.answer = lambda target, body: time.sleep(0.1) or OK
    assert user.get("/a").ok
    assert "timed out" in user.get("/b", timeout=0.02).reason
    assert user.told() == {"GET /a": {"ok": 1}, "GET /b": {"timeout": 1}}


@with_shop
def case_what_cannot_be_written(shop, user):
    """A header that would be two is the user's own mistake, raised where it was made."""
    with pytest.raises(ValueError, match="is no HTTP header"):
        user.get("/a", headers={"X": "1\r\nY: 2"})
    assert not shop.heads
    assert not user.taken()


@with_shop
def case_what_cannot_be_written_never_began(shop, user):
    """It is not under way: no time-out of a request that was never sent is told at the run's end."""
    for url in ("ftp://127.0.0.1/a", "http://127.0.0.1:0/", "http://a\0b/", "http://a b/"):
        with pytest.raises(ValueError, match=r"expected http|is no host"):
            user.get(url)
    with pytest.raises(ValueError, match="is no HTTP header"):
        user.get("/a", headers={"X Y": "1"})
    assert user.accounts() == (0, 0)
    user.get("/b")
    assert user.accounts() == (1, 0)


@with_shop
def case_another_base_url(shop, user):
    """What was written for one server is not sent to another."""
    other = Shop()
    user.get("/a")
    user.get("/a")
    user.session.base_url = other.url
    user.get("/a")
    other.stop()
    assert (len(shop.heads), len(other.heads)) == (2, 1)
    assert other.heads[0][2]["host"] == other.url.removeprefix("http://")


@with_shop
def case_nobody_there(shop, user):
    """A refused connection is a failure of its own kind."""
    shop.stop()
    user.close()
    user.get("/a")
    assert user.became() == "connection refused"


@with_shop
def case_a_body_in_chunks(shop, user):
    """Framed so that a parser finds it whole, and what follows; a redirect has it again, or drops it, frame and all."""
    strict = Strict()
    other = type(user)(strict.url)
    body = b"ab" + b"c" * 70_000
    for path in ("/up", "/308", "/303"):
        other.post(path, data=(piece for piece in (b"a", b"", b"b", b"c" * 70_000)))
    assert other.get("/then").content == b"ok"
    assert strict.bodies == [body, body, body, body, b"", b""]
    assert [target for target, _ in strict.heads] == ["/up", "/308", "/on", "/303", "/on", "/then"]
    framed = ["transfer-encoding" in fields for _, fields in strict.heads]
    assert framed == [True, True, True, True, False, False]
    assert not any("content-length" in fields for _, fields in strict.heads)
    assert strict.connections == 1
    assert other.told() == {"POST /up": {"ok": 1}, "POST /{id}": {"ok": 2}, "GET /then": {"ok": 1}}
    other.close()
    strict.stop()


@with_shop
def case_a_body_that_is_not_in_chunks(shop, user):
    """Its header may not say so: the server would wait for chunks."""
    for how in ({"data": "ab"}, {"json": {}}, {}):
        with pytest.raises(ValueError, match="iterable of bytes"):
            user.post("/a", headers={"Transfer-Encoding": "chunked"}, **how)
    assert user.accounts() == (0, 0)


@with_shop
def case_head_and_options(shop, user):
    """Of a head no body is awaited, whatever its length says, and its connection carries the next request."""
    head = user.head("/a")
    options = user.options("/b")
    assert [(method, target) for method, target, _ in shop.heads] == [("HEAD", "/a"), ("OPTIONS", "/b")]
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "30")
    assert options.json()["target"] == "/b"
    assert user.told() == {"HEAD /a": {"ok": 1}, "OPTIONS /b": {"ok": 1}}
    assert shop.connections == 1


@with_shop
def case_ipv6(shop, user):
    """An address in brackets, which are in the Host field too (RFC 3986, section 3.2.2)."""
    try:
        six = Shop("::1")
    except OSError as error:
        raise SkipTest(f"no IPv6 on loopback: {error}") from error
    other = type(user)(six.url)
    assert other.get("/a").url == f"http://[::1]:{six.port}/a"
    assert six.heads[0][2]["host"] == f"[::1]:{six.port}"
    assert other.told() == {"GET /a": {"ok": 1}}
    other.close()
    six.stop()


@with_shop
def case_the_name_in_the_handshake(shop, user):
    """A server is told the name it is asked for before it shows a certificate; an address is none (RFC 6066, 3)."""
    named = Named()
    for host, name in (("localhost", "localhost"), ("127.0.0.1", None)):
        other = type(user)(f"https://{host}:{named.port}")
        other.get("/a")
        assert other.told() == {"GET /a": {"ok": 1}}
        assert named.names.pop() == name
        other.close()
    named.stop()


@with_shop
def case_a_host_of_other_letters(shop, user):
    """Its name is written as the DNS knows it, and found so: full-width letters are the plain ones (RFC 3491, 4)."""
    response = user.get(f"http://\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54:{shop.port}/a")
    assert response.json()["target"] == "/a"
    assert shop.heads[0][2]["host"] == f"localhost:{shop.port}"
    assert user.became() == "ok"


@with_shop
def case_a_context_of_the_users_own(shop, user):
    """It goes to listeners beside what the engine keeps there, whatever its names: the request is recorded once."""
    for name in ("request", "started_ns", "intended_ns"):
        user.get("/a", context={name: 7})
        row = user.all()
        assert (row.series, row.ok, row.count) == ("GET /a", 1, 1)
        assert row.service.max_us < 1_000_000, "by the clock of the engine"
    assert user.accounts() == (3, 0)


@with_shop
def case_a_charset_that_is_none(shop, user):
    """Its text is read as that of an unknown one is: a server's header raises nothing in the user's code."""
    for charset in ("wat", "base64", "idna", "undefined", "punycode"):
        shop.answer = lambda target, body, charset=charset: (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=%b\r\nContent-Length: 2\r\n\r\n\xc3\xa9"
            % charset.encode()
        )
        assert user.get("/a").text == "\u00e9"
