"""What of a request goes on to where a redirect leads."""

import pytest

from loadtests.asked import Request
from loadtests.httprequest import Chunks
from loadtests.redirect import redirected

HEADERS = {
    "Accept": "*/*",
    "Authorization": "Bearer t",
    "Proxy-Authorization": "Basic u",
    "X-API-Key": "k",
    "X-Auth-Token": "t",
    "Idempotency-Key": "1",
}
OPEN = {"Accept": "*/*", "Idempotency-Key": "1"}


def on(target, status=307, own=HEADERS, usual=HEADERS, body=b"ab", method="POST"):
    """The next request."""
    return redirected(Request(method, "https://shop.test/a/b", own, body, usual), status, target)


@pytest.mark.parametrize(
    "target",
    [
        b"https://other.test/",
        b"https://shop.test.evil.test/",
        b"https://sub.shop.test/",
        b"http://shop.test/a",
        b"https://shop.test:444/",
        b"//other.test/",
    ],
)
def test_another_origin(target):
    """RFC 9110, 15.4, and RFC 6454, 4: another scheme, host or port; what is secret stays, the rest is needed."""
    sent = on(target)
    assert (sent.own, sent.usual, sent.body) == (OPEN, OPEN, b"ab")


@pytest.mark.parametrize("target", [b"c", b"/c", b"https://shop.test/c", b"https://SHOP.test:443/c"])
def test_the_same_origin(target):
    """However it is written (RFC 3986, 6.2)."""
    sent = on(target)
    assert (sent.own, sent.usual) == (HEADERS, HEADERS)


def test_a_cookie_of_its_own():
    """Was for one address; the jar says which go to the next."""
    assert on(b"/c", own={"Cookie": "a=b"}).own == {}


@pytest.mark.parametrize("status", [301, 302, 303])
def test_without_its_body(status):
    """And without what is said of that (RFC 9110, 15.4)."""
    own = {"Content-Type": "text/plain", "content-language": "de", "Transfer-Encoding": "chunked", "X-A": "1"}
    sent = on(b"/c", status, own=own, body=Chunks.of([b"ab"]))
    assert (sent.method, sent.body, sent.own) == ("GET", None, {"X-A": "1"})


@pytest.mark.parametrize("target", [b"http://[bad", b"https://shop.test:99999/"])
def test_no_url(target):
    """Is said so that it can be told of the server."""
    with pytest.raises(ValueError, match=r"IPv6|[Pp]ort"):
        on(target)
