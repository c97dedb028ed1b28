"""Replies from bytes, against RFC 9112; however the bytes are cut, the message is the same."""

from itertools import pairwise
from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.httpreply import BadAnswerError, ReplyReader, TruncatedError, fields_of
from tests.replies import nearly_replies, replies

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

# Bytes; to which method; whether the server closes then; status, body and whether the connection may be used again.
WHOLE = {
    "a length": (OK, "GET", False, (200, b"ok", True)),
    "chunks, with a trailer (7.1)": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\no\r\n1\r\nk\r\n0\r\nDigest: z\r\n\r\n",
        "GET",
        False,
        (200, b"ok", True),
    ),
    "until the connection closes (6.3)": (b"HTTP/1.1 200 OK\r\n\r\nok", "GET", True, (200, b"ok", False)),
    "until the connection closes, where chunks are not its last coding (6.3)": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
        "GET",
        True,
        (200, b"ok", False),
    ),
    "no content has no body (6.3)": (b"HTTP/1.1 204 No Content\r\n\r\n", "GET", False, (204, b"", True)),
    "not modified has none, whatever its length says": (
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        "GET",
        False,
        (304, b"", True),
    ),
    "nor has an answer to HEAD": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        "HEAD",
        False,
        (200, b"", True),
    ),
    "an answer to HEAD of no length": (b"HTTP/1.1 200 OK\r\n\r\n", "HEAD", False, (200, b"", False)),
    "interim replies are passed over (15.2)": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
        "GET",
        False,
        (200, b"ok", True),
    ),
    "the server says that it will close (9.6)": (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "GET",
        False,
        (200, b"ok", False),
    ),
    "so does it after HEAD (9.3)": (
        b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n",
        "HEAD",
        False,
        (200, b"", False),
    ),
    "HTTP/1.0 closes unless it says otherwise (9.3)": (
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "GET",
        False,
        (200, b"ok", False),
    ),
}

# Bytes, whether the server closes then, what is raised, and in which words.
BROKEN = {
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n\r\n", False, BadAnswerError, "not an HTTP reply"),
    "two lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        False,
        BadAnswerError,
        "Len",
    ),
    "a chunk of no number": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok",
        False,
        BadAnswerError,
        "chunk size",
    ),
    "another protocol": (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        False,
        BadAnswerError,
        "another protocol",
    ),
    "closed at once": (b"", True, TruncatedError, "before the whole answer"),
    "closed in the header": (b"HTTP/1.1 200 OK\r\nContent-", True, TruncatedError, "before the whole answer"),
    "closed in the body": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", True, TruncatedError, "before the whole"),
    "closed between chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        True,
        TruncatedError,
        "before the whole answer",
    ),
}


def _read(pieces, method="GET", closes=False, **limits):
    reader = ReplyReader(**limits)
    reader.expect(method)
    for piece in pieces:
        if reader.feed(piece):
            return reader
    if closes:
        reader.finish()
    return reader


def _cut(data, places):
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if b > a]


@pytest.mark.parametrize("name", WHOLE)
@given(places=st.lists(st.integers(0, 400), max_size=12))
def test_whole(name, places):
    """Status, body, and what becomes of the connection, wherever the bytes are cut."""
    data, method, closes, expected = WHOLE[name]
    reply = _read(_cut(data, places), method, closes)
    assert (reply.status, reply.body, reply.reusable) == expected


@pytest.mark.parametrize("name", BROKEN)
@given(places=st.lists(st.integers(0, 400), max_size=12))
def test_broken(name, places):
    """What is no reply is refused in words, wherever the bytes are cut."""
    data, closes, error, words = BROKEN[name]
    with pytest.raises(error, match=words):
        _read(_cut(data, places), "GET", closes)


def _result(pieces, method):
    """What comes of all of these and the connection's end; more than was asked for makes the connection useless.

    But for empty lines, which its parser passes over where they come with the reply.
    """
    reader = ReplyReader()
    reader.expect(method)
    try:
        for k, piece in enumerate(pieces):
            if reader.feed(piece):
                more = b"".join(pieces[k + 1 :]).strip(b"\r\n")
                reusable = method != "HEAD" and reader.reusable and not more
                return reader.status, fields_of(reader.head), reader.body, reusable
        reader.finish()
    except (BadAnswerError, TruncatedError) as error:
        return type(error)
    return reader.status, fields_of(reader.head), reader.body, reader.reusable


def _grammar(said, places):
    for cuts in (places, range(len(said.data))):
        reply = _read(_cut(said.data, cuts), said.method, said.closes)
        assert (reply.status, fields_of(reply.head), reply.body, reply.reusable) == said[3:]
    if not said.closes:
        assert _result(_cut(said.data[: places[0] % len(said.data)], places[1:]), said.method) is TruncatedError


def _nearly(method_and_data, places):
    method, data = method_and_data
    whole = _result([data] if data else [], method)
    for cuts in (places, range(len(data))):
        assert _result(_cut(data, cuts), method) == whole


TWO_CUTS = st.lists(st.integers(0, 1000), min_size=2, max_size=2)


@settings(max_examples=300)
@given(replies(), TWO_CUTS)
def test_grammar(said, places):
    """What a reply says is what was read of it, wherever it is cut; it is none without its end, where it has one."""
    _grammar(said, places)


@settings(max_examples=300)
@given(nearly_replies(), TWO_CUTS)
def test_anything(method_and_data, places):
    """Whatever comes, it is a reply or an error of ours, and the same wherever it is cut."""
    _nearly(method_and_data, places)


@pytest.mark.long
@settings(max_examples=5_000)
@given(replies(), TWO_CUTS)
def test_grammar_at_length(said, places):
    """The same, more often."""
    _grammar(said, places)


@pytest.mark.long
@settings(max_examples=5_000)
@given(nearly_replies(), TWO_CUTS)
def test_anything_at_length(method_and_data, places):
    """The same, more often."""
    _nearly(method_and_data, places)


def test_headers_as_they_came():
    """Trailers are left out."""
    reply = _read([WHOLE["chunks, with a trailer (7.1)"][0]])
    assert fields_of(reply.head) == [(b"Transfer-Encoding", b"chunked")]


def test_more_than_was_asked_for():
    """Bytes after the reply make the connection useless; the reply holds."""
    for rest in (b"junk\r\n", OK, b"\r\n\r\n\0"):
        reply = _read([OK + rest])
        assert (reply.status, reply.body, reply.reusable) == (200, b"ok", False)


@pytest.mark.parametrize("rest", [b"o", b"ok", b"okay"])
def test_a_body_after_a_head(rest):
    """An answer to HEAD ends with its header (RFC 9112, 6.3): what comes with it was not asked for either."""
    for pieces in ([OK[:-2] + rest], [OK[:9], OK[9:-2] + rest]):
        assert _read(pieces, "HEAD").reusable is False


def test_nothing_was_asked_for():
    """Before a request, and after its reply, nothing may come."""
    reader = ReplyReader()
    with pytest.raises(BadAnswerError, match="not asked for"):
        reader.feed(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    reader.expect("GET")
    assert reader.feed(OK)
    with pytest.raises(BadAnswerError, match="not asked for"):
        reader.feed(b"x")


def test_one_after_another():
    """A connection carries many; an answer to HEAD in between leaves no expectation of a body."""
    reader = ReplyReader()
    for method in ("GET", "HEAD", "GET", "HEAD", "HEAD", "GET"):
        reader.expect(method)
        assert reader.feed(OK[: -2 if method == "HEAD" else None])
        assert (reader.status, reader.body, reader.reusable) == (200, b"" if method == "HEAD" else b"ok", True)


def _replies_of(reader, asked):
    """What one connection's reader says of each reply, a list of reads each; nothing more once it cannot be used."""
    found = []
    for method, reads in asked:
        reader.expect(method)
        try:
            whole = [reader.feed(data) for data in reads][-1]
        except BadAnswerError:
            return [*found, "bad"]
        found.append((whole, reader.status, reader.head, reader.body, reader.reusable, reader.sets_cookie))
        if not (whole and reader.reusable):
            break
        reader.head = reader.body = b""
    return found


_AGAIN = [data for data, _, closes, _ in WHOLE.values() if not closes] + [
    b"HTTP/1.1 200 OK\r\nset-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok",
    OK + OK,
    OK + b"H",
    OK + b"\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(OK) + OK,
]
_READS = [[data] for data in _AGAIN] + [
    [OK[:10], OK[10:]],
    [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(OK), OK],
    [b"HTTP/1.1 100 Continue\r\n\r\n", OK],
]


@given(asked=st.lists(st.tuples(st.sampled_from(["GET", "GET", "HEAD"]), st.sampled_from(_READS)), max_size=8))
@settings(max_examples=400, deadline=None)
def test_the_same_reply_again(asked):
    """What is the last reply, byte for byte, is read as by a reader that parses each; so is what only looks so."""

    class Parses(ReplyReader):
        def feed(self, data):
            self._before = None
            return super().feed(data)

    assert _replies_of(ReplyReader(), asked) == _replies_of(Parses(), asked)


@pytest.mark.parametrize(("size", "parsed"), [(1024, 1), (1025, 2)])
def test_only_a_short_reply_is_known_again(size, parsed):
    """It is kept by a connection that may be idle for long."""
    body = b"x" * (size - len(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"))
    data = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    reader = ReplyReader()
    reader._parser = Mock(wraps=reader._parser)
    assert len(data) == size
    assert _replies_of(reader, [("GET", [data])] * 2) == [(True, 200, data, body, True, False)] * 2
    assert reader._parser.feed_data.call_count == parsed


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_limits(step):
    """A header or a body beyond its limit is refused, also before it is whole."""

    def pieces(data):
        return [data[k : k + step] for k in range(0, len(data), step)]

    long_header = b"HTTP/1.1 200 OK\r\nX: " + b"a" * 2000
    with pytest.raises(BadAnswerError, match="header is over 1,000 bytes"):
        _read(pieces(long_header), most_header_bytes=1000)
    with pytest.raises(BadAnswerError, match="header is over 1,000 bytes"):
        _read(pieces(long_header + b"\r\nContent-Length: 0\r\n\r\n"), most_header_bytes=1000)
    with pytest.raises(BadAnswerError, match="body is over 1,000 bytes"):
        _read(pieces(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"a" * 1001), most_body_bytes=1000)
    whole = _read(pieces(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"a" * 1000), most_body_bytes=1000)
    assert len(whole.body) == 1000
