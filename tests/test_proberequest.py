"""What the load hands to the witness: GETs to the target alone, fairly chosen, as they were sent."""

from collections import Counter
from types import SimpleNamespace

import pytest

from loadtests.asked import Request
from loadtests.httprequest import RequestWriter
from loadtests.proberequest import GetSample, ProbeRequest

TARGET = "http://shop.test:8000/api"


def made(url="http://shop.test:8000/a?x=1", headers=(("Accept", "*/*"),)):
    """A request of the load."""
    return ProbeRequest.of("GET /a", url, headers, TARGET)


def answer(headers=None, **more):
    """An answer as Locust's clients give it, with its request."""
    return SimpleNamespace(request=SimpleNamespace(headers=headers or {}), **more)


def test_as_it_was_sent():
    """RFC 9112, section 3: a request line, Host, and an empty line; what belongs to a connection is left out."""
    headers = [("Authorization", "Bearer t0ken"), ("connection", "close"), ("Content-Length", "0"), ("HOST", "other")]
    expected = b"GET /a?x=1 HTTP/1.1\r\nHost: shop.test:8000\r\nAuthorization: Bearer t0ken\r\n\r\n"
    assert made(headers=headers).head("shop.test:8000") == expected
    assert made(url="http://shop.test:8000").path == "/"


@pytest.mark.parametrize(
    "url",
    [
        "http://elsewhere.test:8000/a",
        "http://shop.test/a",
        "https://shop.test:8000/a",
        "http://shop.test:8000@evil.test/a",
        "http://shop.test:port/a",
        "/a",
    ],
)
def test_nowhere_else(url):
    """What the load asked of another origin is not asked again: its headers may hold what is meant for that alone."""
    assert made(url=url) is None


@pytest.mark.parametrize("text", ["x\r\nSet: 1", "x\ny", "x\0"])
def test_nothing_is_slipped_in(text):
    """No header and no path ends its line early."""
    assert made(headers=[("X-Name", text)]) is None
    assert made(headers=[(text, "x")]) is None
    assert made(url="http://shop.test:8000/a b") is None


@pytest.mark.parametrize(
    "headers",
    [
        [("Accept", "a"), ("accept", "b")],
        [("X-Name", "\u20ac")],
        [("X Name", "x")],
        [("", "x")],
    ],
)
def test_what_cannot_be_written_as_it_was(headers):
    """Two fields of one name, letters beyond Latin-1, names that are none: not asked again, rather than otherwise."""
    assert made(headers=headers) is None


def test_as_a_load_user_sends_it():
    """The witness's bytes are those of the request that it makes again."""
    usual, own = {"User-Agent": "loadtests", "Accept": "*/*"}, {"accept": "text/html", "X-Key": "k\u00e9"}
    sent = RequestWriter("shop.test:8000", usual).write("GET", "/a?x=1", own, None)
    headers = Request("GET", "/a?x=1", own, None, usual).headers
    assert made(headers=headers.items()).head("shop.test:8000") == sent


def test_secrets_do_not_print():
    """Neither headers nor path, which may hold a token, are in a traceback."""
    assert repr(made()) == "ProbeRequest(series='GET /a')"


def test_sample_is_fair():
    """Algorithm R: of 8 offered each is among the 2 kept with probability 1/4."""
    kept = Counter()
    for seed in range(4000):
        sample = GetSample(2, TARGET, seed)
        for k in range(8):
            sample.offer("GET /a", "GET", f"{TARGET}/{k}", None)
        kept.update(row["path"] for row in sample.take())
        assert sample.take() == []
    assert kept.total() == 8000
    assert all(n == pytest.approx(1000, abs=140) for n in kept.values())  # 5 standard deviations of Bin(4000, 1/4)


def test_what_is_not_asked_again():
    """Only GETs, answered at once and not sent on."""
    sample = GetSample(9, TARGET, 1)
    sample.offer("POST /a", "POST", f"{TARGET}/a", answer())
    sample.offer("GET /b", "GET", f"{TARGET}/b", answer(history=["302"]))
    sample.offer("GET /c", "GET", None, answer())
    sample.offer("GET /d", "GET", f"{TARGET}/d", answer({"X-Key": "k"}, history=[]))
    assert sample.take() == [{"series": "GET /d", "path": "/api/d", "headers": (("X-Key", "k"),)}]
