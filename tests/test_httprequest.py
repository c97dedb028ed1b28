"""Requests as bytes, against RFC 9112."""

from urllib.parse import urlsplit

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.httprequest import Chunks, RequestWriter, origin, request_body, request_target, with_params

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


def test_origin():
    """A scheme's own port may be left out, and names are of any case (RFC 3986, section 6.2.2)."""
    assert origin("https://Shop.test/a") == origin("https://shop.test:443") == ("https", "shop.test", 443)


@pytest.mark.parametrize(
    ("host", "sent"),
    [
        ("b\u00fccher.example:8000", b"xn--bcher-kva.example:8000"),  # RFC 3492's encoding, as in RFC 3490
        ("b\u00fccher.example", b"xn--bcher-kva.example"),
        ("[::1]:8000", b"[::1]:8000"),
        ("A.test", b"A.test"),
    ],
)
def test_hosts(host, sent):
    """A name of other letters goes as the DNS knows it."""
    assert b"\r\nHost: %b\r\n" % sent in RequestWriter(host, {}).write("GET", "/", {}, None)


@pytest.mark.parametrize("host", ["b\u00fc..example", "b\u00fc" * 40, "a b", "a\0b", "a:80\r\nX: 1", "b\u00fc\x7f"])
def test_no_host(host):
    """What can be no name is refused as anything else that cannot be written."""
    with pytest.raises(ValueError, match=r"label|is no host"):
        RequestWriter(host, {})


class Parsed:
    """A request as a server's parser takes it."""

    def __init__(self, data):
        self.pieces, self.fields, self.whole = [], [], 0
        httptools.HttpRequestParser(self).feed_data(data)

    def on_header(self, name, value):
        """Keep it."""
        self.fields.append((name.lower(), value))

    def on_chunk_header(self):
        """A piece begins."""
        self.pieces.append(b"")

    def on_body(self, body):
        """Add to it."""
        self.pieces[-1] += body

    def on_message_complete(self):
        """Count them."""
        self.whole += 1


@given(st.lists(st.binary(max_size=300) | st.sampled_from([bytes(4095), bytes(4096), bytes(70_000)]), max_size=8))
def test_a_body_in_chunks(pieces):
    """A chunk for each piece (RFC 9112, 7.1), but for one of no bytes, which would be its end; and no length (6.2)."""
    body = request_body(iter(pieces), None, {})
    parsed = Parsed(WRITER.write("POST", "/", {"X-A": "1"}, body))
    assert parsed.fields[2:] == [(b"x-a", b"1"), (b"transfer-encoding", b"chunked")]
    assert parsed.pieces == [*filter(None, pieces), b""]
    assert parsed.whole == 1


@pytest.mark.parametrize("coding", ["chunked", "Chunked", "gzip, chunked"])
def test_a_coding_by_hand(coding):
    """It stands as it is, where chunks are the last of it (RFC 9112, 6.1)."""
    sent = WRITER.write("POST", "/", {"Transfer-Encoding": coding}, Chunks.of([b"ab"]))
    assert sent.partition(b"*/*\r\n")[2] == b"Transfer-Encoding: %b\r\n\r\n2\r\nab\r\n0\r\n\r\n" % coding.encode()


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Transfer-Encoding": "chunked"}, None),
        ({"transfer-encoding": "chunked"}, b"ab"),
        ({"Transfer-Encoding": "gzip"}, Chunks.of([b"ab"])),
        ({"Content-Length": "2"}, Chunks.of([b"ab"])),
        ({"Content-Length": "2", "Transfer-Encoding": "chunked"}, Chunks.of([b"ab"])),
    ],
)
def test_a_frame_that_is_not_the_bodys(headers, body):
    """It would be read as another request, or never end."""
    with pytest.raises(ValueError, match="a body in pieces"):
        WRITER.write("POST", "/", headers, body)


@pytest.mark.parametrize("name", ["Transfer-Encoding", "content-length"])
def test_a_frame_for_every_request(name):
    """The headers of a session say nothing of a body."""
    with pytest.raises(ValueError, match=f"{name.lower()}: of one body"):
        RequestWriter("a", {name: "2"})


@pytest.mark.parametrize(
    ("data", "body"),
    [
        ("\u00e9", b"\xc3\xa9"),
        (b"ab", b"ab"),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        ({"a": 1}, b"a=1"),
        ("", None),
    ],
)
def test_bodies_of_a_length(data, body):
    """Text, bytes and forms go as they are."""
    made = request_body(data, None, {})
    assert (made, type(made)) == (body, type(body))


@pytest.mark.parametrize("data", [7, ["ab"], [("a", "1")], iter([b"ab", 7])])
def test_what_is_no_body(data):
    """It is said before anything is sent."""
    with pytest.raises(ValueError, match="iterable of bytes"):
        request_body(data, None, {})
