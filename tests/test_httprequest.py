"""Requests as bytes, against RFC 9112."""

from urllib.parse import urlsplit

import pytest

from loadtests.httprequest import RequestWriter, request_target, with_params

WRITER = RequestWriter("api.test:8000", {"Accept": "*/*"})


def test_a_plain_one():
    """Request line, Host first (RFC 9110, 7.2), the usual headers, an empty line."""
    assert WRITER.write("GET", "/a?b=1", {}, None) == (
        b"GET /a?b=1 HTTP/1.1\r\nHost: api.test:8000\r\nAccept: */*\r\n\r\n"
    )


def test_a_body():
    """Its length is told; of a POST without a body too (RFC 9110, 8.6)."""
    assert WRITER.write("POST", "/", {"X-A": "1"}, b"ab") == (
        b"POST / HTTP/1.1\r\nHost: api.test:8000\r\nAccept: */*\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nab"
    )
    assert b"\r\nContent-Length: 0\r\n" in WRITER.write("PUT", "/", {}, None)
    assert b"Content-Length" not in WRITER.write("DELETE", "/", {}, None)


def test_own_headers_win():
    """Whatever their case; Host and Content-Length too."""
    sent = WRITER.write("POST", "/", {"accept": "text/html", "HOST": "other", "content-length": "2"}, b"ab")
    assert sent == b"POST / HTTP/1.1\r\naccept: text/html\r\nHOST: other\r\ncontent-length: 2\r\n\r\nab"
    assert b"Accept: */*" in WRITER.write("GET", "/", {}, None), "for that request alone"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {"X-A": "1\r\nX-B: 2"}),
        ("GET", {"X-A": "1\n"}),
        ("GET", {"X A": "1"}),
        ("GET", {"X-A\r\n": "1"}),
        ("GET / HTTP/1.1\r\n", {}),
    ],
)
def test_what_would_be_another_request(method, headers):
    """No value of a user's makes a line of its own."""
    with pytest.raises(ValueError, match="is no HTTP"):
        WRITER.write(method, "/", headers, None)


@pytest.mark.parametrize(
    ("path", "query", "params", "target"),
    [
        ("", "", None, "/"),
        ("/a", "", None, "/a"),
        ("/a", "b=1", None, "/a?b=1"),
        ("/a", "", {"b": 1, "c": ["x", "y z"]}, "/a?b=1&c=x&c=y+z"),
        ("/a", "b=1", [("c", "&")], "/a?b=1&c=%26"),
        ("/ä b", "", None, "/%C3%A4%20b"),
        ("/a%20b", "", None, "/a%20b"),
        ("/a\r\nX: 1", "", None, "/a%0D%0AX:%201"),
        ("/a[0]", "", None, "/a%5B0%5D"),
    ],
)
def test_targets(path, query, params, target):
    """Quoted where they must be, once."""
    parts = urlsplit(with_params(f"http://a{path}{'?' + query if query else ''}", params)) if params else None
    assert request_target(*(parts[2:4] if parts else (path, query))) == target


def test_no_params():
    """The URL stays what it was, to the letter."""
    assert with_params("/a?b=%26#c", None) == with_params("/a?b=%26#c", {}) == "/a?b=%26#c"
    assert with_params("/a?b=%26#c", {"d": 1}) == "/a?b=%26&d=1"
