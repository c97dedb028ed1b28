"""What a hostile server does to a request, and what becomes of it, in a table.

Each row is met by Locust users and by members: the same outcome, error kind and body in the record, one sample, and as
many requests as the server counts, or what the row says of a peer that differs.
"""

import gzip
import zlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import brotli

from tests.hostile import OK, closes, closes_in_peace, each_byte, half_closes, hangs, resets, says_over, sends, whole


def _head(*fields):
    return b"HTTP/1.1 200 OK\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


CHUNKS = _head(b"Transfer-Encoding: chunked") + b"1;a=b\r\no\r\n1\r\nk\r\n0\r\nDigest: z\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
PACKED = gzip.compress(b"ok")
GZIP = _head(b"Content-Encoding: gzip", b"Content-Length: %d" % len(PACKED)) + PACKED


ENDLESS = _head(b"Connection: close") + b"ok"


class Row(NamedTuple):
    """What the server does to the first request, and what that becomes: the record's word for it, and the body."""

    does: Callable
    becomes: tuple[str, object]
    """With the error's name for a body that cannot be decoded."""
    peers: Mapping[str, object] = {}
    """What Locust's FastHttpUser and aiohttp make of it, where that is something else; an exception that is raised
    into the user's code by its name."""
    method: str = "GET"
    data: bytes | None = None
    warm: bool = False
    """Whether the connection has carried a request before."""
    secure: bool = False
    shakes: Callable | None = None
    """What the server does instead of shaking hands for TLS."""
    kept: bool = False
    """Whether the connection must carry the next request too."""


WELL, EMPTY, BAD = ("ok", b"ok"), ("ok", b""), ("bad answer", b"")
UNDECODED = ("ok", "BadAnswerError")
"""Only who reads the body is told."""
RESET, CLOSED = ("connection reset", b""), ("connection closed", b"")
BY_ITS_NAME = {"Aiohttp": ("ClientResponseError", b"")}
ASKED_AGAIN = {"Aiohttp": ("asked again", b"ok")}
"""aiohttp tries once more where a server hangs up or resets before the answer, and tells nobody."""
UNREAD = ("error", b"")
"""FastHttpUser decodes every body, and says so of what it cannot."""
TWICE = brotli.compress(PACKED)
UPLOAD = b"x" * 20_000_000
TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n"


def _coded(coding, body):
    return sends(_head(b"Content-Encoding: %b" % coding, b"Content-Length: %d" % len(body)) + body)


def _chunked(rest):
    return sends(_head(b"Transfer-Encoding: chunked") + rest)


ROWS = {
    "whole": Row(whole, WELL, kept=True),
    "byte by byte": Row(each_byte(OK), WELL, kept=True),
    "junk after the body": Row(sends(OK + b"junk\r\n"), WELL, {"FastHttpUser": BAD} | BY_ITS_NAME),
    "a second answer after it": Row(sends(OK + OK), WELL, {"FastHttpUser": ("ok", b"okok")}),
    "until it closes": Row(closes(_head(), b"ok"), WELL),
    "half-closed": Row(half_closes(OK), WELL),
    "chunks": Row(sends(CHUNKS), WELL, kept=True),
    "chunks byte by byte": Row(each_byte(CHUNKS), WELL, kept=True),
    "an interim reply": Row(sends(INTERIM, OK), WELL, kept=True),
    "an interim reply byte by byte": Row(
        each_byte(INTERIM + OK), WELL, kept=True, peers={"FastHttpUser": ("ok, not kept", b"")}
    ),
    "no content": Row(sends(b"HTTP/1.1 204 No Content\r\n\r\n"), EMPTY, kept=True),
    "not modified": Row(sends(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"), EMPTY, kept=True),
    "an answer to HEAD": Row(sends(_head(b"Content-Length: 9")), EMPTY, method="HEAD", kept=True),
    "gzip": Row(sends(GZIP), WELL, kept=True),
    "br": Row(_coded(b"br", brotli.compress(b"ok")), WELL),
    "deflate": Row(_coded(b"deflate", zlib.compress(b"ok")), WELL),
    "deflate without its frame": Row(_coded(b"deflate", zlib.compress(b"ok", wbits=-15)), WELL),
    "gzip, then br": Row(_coded(b"gzip, br", TWICE), WELL, {"FastHttpUser": "ValueError", "Aiohttp": ("ok", TWICE)}),
    "gzip cut short": Row(_coded(b"gzip", PACKED[:-4]), UNDECODED, {"FastHttpUser": UNREAD, "Aiohttp": WELL}),
    "gzip that is none": Row(
        _coded(b"gzip", b"ok"),
        UNDECODED,
        {"FastHttpUser": UNREAD, "Aiohttp": ("ClientPayloadError", b"")},
    ),
    "br that is none": Row(
        _coded(b"br", b"\xff\xff\xff"),
        UNDECODED,
        {"FastHttpUser": "error", "Aiohttp": ("ClientPayloadError", b"")},
    ),
    "an encoding that nobody knows": Row(
        sends(_head(b"Content-Encoding: wat", b"Content-Length: 2"), b"ok"),
        WELL,
        {"FastHttpUser": "ValueError"},  # raised into the user's code
    ),
    "not there": Row(sends(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"), ("http 404", b"no")),
    "broken": Row(sends(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"), ("http 503", b"")),
    "closed at once": Row(closes(), CLOSED, ASKED_AGAIN),
    "closed in the header": Row(closes(b"HTTP/1.1 200 OK\r\nConte"), CLOSED, ASKED_AGAIN),
    "closed in the body": Row(
        closes(_head(b"Content-Length: 9"), b"ok"),
        CLOSED,
        {"FastHttpUser": BAD, "Aiohttp": ("ClientPayloadError", b"")},
    ),
    "reset at once": Row(resets(), RESET, {"FastHttpUser": CLOSED} | ASKED_AGAIN),
    "reset in the header": Row(resets(b"HTTP/1.1 200 OK\r\nConte"), RESET, ASKED_AGAIN),
    "reset in the body": Row(resets(_head(b"Content-Length: 9"), b"ok"), RESET),
    "no HTTP": Row(sends(b"SSH-2.0-OpenSSH_9\r\n\r\n"), BAD, BY_ITS_NAME),
    "a bad chunk": Row(sends(_head(b"Transfer-Encoding: chunked") + b"zz\r\nok\r\n"), BAD, BY_ITS_NAME),
    "two lengths": Row(sends(_head(b"Content-Length: 2", b"Content-Length: 3") + b"ok"), BAD, BY_ITS_NAME),
    "a header without end": Row(
        sends(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 400_000),
        BAD,
        {"FastHttpUser": ("timeout", b"")} | BY_ITS_NAME,
    ),
    "no answer": Row(hangs, ("timeout", b"")),
    "a slow loris": Row(
        sends(*(OK[k : k + 1] for k in range(len(OK))), pause_s=0.05),
        ("timeout", b""),
        {"FastHttpUser": WELL},  # its time-out is of each read
    ),
    "a 408 on the idle connection": Row(
        sends(OK, b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", pause_s=0.02),
        WELL,
        {"Aiohttp": ("ok, and the next: http 408", b"ok")},
    ),
    "a length below zero": Row(sends(_head(b"Content-Length: -1") + b"ok"), BAD, BY_ITS_NAME),
    "a length that is no number": Row(sends(_head(b"Content-Length: two") + b"ok"), BAD, BY_ITS_NAME),
    "a length, and chunks": Row(
        sends(_head(b"Content-Length: 2", b"Transfer-Encoding: chunked") + b"2\r\nok\r\n0\r\n\r\n"),
        BAD,
        BY_ITS_NAME,
    ),
    "chunks, and a length": Row(
        sends(_head(b"Transfer-Encoding: chunked", b"Content-Length: 2") + b"2\r\nok\r\n0\r\n\r\n"),
        BAD,
        BY_ITS_NAME,
    ),
    "a header of 300 KB": Row(
        sends(_head(b"X: " + b"a" * 300_000, b"Content-Length: 2") + b"ok"),
        BAD,
        {"FastHttpUser": WELL} | BY_ITS_NAME,
    ),
    "10,000 fields": Row(
        sends(_head(*(b"X-%d: a" % k for k in range(10_000)), b"Content-Length: 2") + b"ok"),
        WELL,
        BY_ITS_NAME,
    ),
    "a chunk without a size": Row(_chunked(b"\r\nok\r\n0\r\n\r\n"), BAD, BY_ITS_NAME),
    "a chunk of a size below zero": Row(_chunked(b"-2\r\nok\r\n0\r\n\r\n"), BAD, BY_ITS_NAME),
    "a chunk of over 64 bits": Row(_chunked(b"1%032x\r\nok\r\n0\r\n\r\n" % 2), BAD, BY_ITS_NAME),
    "a chunk that is longer than its size": Row(_chunked(b"2\r\nokay\r\n0\r\n\r\n"), BAD, BY_ITS_NAME),
    "a trailer that is none": Row(_chunked(b"2\r\nok\r\n0\r\nno trailer\r\n\r\n"), BAD, BY_ITS_NAME),
    "nothing more, before the answer": Row(half_closes(), CLOSED, ASKED_AGAIN),
    "closed on a connection that was kept": Row(closes(), CLOSED, warm=True, peers=ASKED_AGAIN),
    "reset on a connection that was kept": Row(
        resets(), RESET, warm=True, peers={"FastHttpUser": CLOSED} | ASKED_AGAIN
    ),
    "reset during an upload": Row(resets(), RESET, method="POST", data=UPLOAD, peers={"FastHttpUser": CLOSED}),
    "a 413 during an upload, closed in peace": Row(
        closes_in_peace(TOO_LARGE + b"Connection: close\r\n\r\n"), ("http 413", b""), method="POST", data=UPLOAD
    ),
    "a 413 during an upload, then a reset": Row(
        resets(TOO_LARGE + b"Connection: close\r\n\r\n"),
        ("http 413", b""),
        method="POST",
        data=UPLOAD,
        peers={"FastHttpUser": ("timeout", b"")},
    ),
    "a 413 during an upload, that is read on": Row(
        sends(TOO_LARGE + b"\r\n"), ("http 413", b""), method="POST", data=UPLOAD
    ),
    "over TLS": Row(whole, WELL, secure=True, kept=True),
    "TLS, to the end of a body without a length": Row(says_over(ENDLESS), WELL, secure=True),
    "TLS, cut in a body without a length": Row(
        closes(ENDLESS), CLOSED, secure=True, peers={"FastHttpUser": WELL, "Aiohttp": WELL}
    ),
    "closed in the TLS handshake": Row(whole, CLOSED, secure=True, shakes=closes(), peers={"Aiohttp": RESET}),
    "reset in the TLS handshake": Row(whole, RESET, secure=True, shakes=resets()),
    "no TLS": Row(whole, ("tls", b""), secure=True, shakes=closes(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
}

CUT = {
    "a length": (OK, {}),
    "chunks": (CHUNKS, {}),
    "an interim reply": (INTERIM + OK, {"FastHttpUser": len(INTERIM + OK) - 2}),  # its body is lost
    "gzip": (GZIP, {}),
}
"""Cut in two, at each place once; and at which it is another answer to a peer."""
