"""What a hostile server does to a request, and what becomes of it, in a table.

Each row is met by Locust users and by members: the same outcome, error kind and body in the record, one sample, and as
many requests as the server counts, or what the row says of a peer that differs.
"""

import gzip
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from tests.hostile import OK, Cutting, Hostile, closes, each_byte, half_closes, hangs, resets, sends, whole


def _head(*fields):
    return b"HTTP/1.1 200 OK\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


CHUNKS = _head(b"Transfer-Encoding: chunked") + b"1;a=b\r\no\r\n1\r\nk\r\n0\r\nDigest: z\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
PACKED = gzip.compress(b"ok")
GZIP = _head(b"Content-Encoding: gzip", b"Content-Length: %d" % len(PACKED)) + PACKED


class Row(NamedTuple):
    """What the server does to the first request, and what that becomes: the record's word for it, and the body."""

    does: Callable
    becomes: tuple[str, bytes]
    peers: Mapping[str, object] = {}
    """What Locust's FastHttpUser and aiohttp make of it, where that is something else."""


BY_ITS_NAME = {"Aiohttp": ("ClientResponseError", b"")}
ASKED_AGAIN = {"Aiohttp": ("asked again", b"ok")}
"""aiohttp tries once more where a server hangs up or resets before the answer, and tells nobody."""

ROWS = {
    "whole": Row(whole, ("ok", b"ok")),
    "byte by byte": Row(each_byte(OK), ("ok", b"ok")),
    "junk after the body": Row(
        sends(OK + b"junk\r\n"), ("ok", b"ok"), {"FastHttpUser": ("bad answer", b"")} | BY_ITS_NAME
    ),
    "a second answer after it": Row(sends(OK + OK), ("ok", b"ok"), {"FastHttpUser": ("ok", b"okok")}),
    "until it closes": Row(closes(_head(), b"ok"), ("ok", b"ok")),
    "half-closed": Row(half_closes, ("ok", b"ok")),
    "chunks": Row(sends(_head(b"Transfer-Encoding: chunked"), b"1\r\no\r\n", b"1\r\nk\r\n0\r\n\r\n"), ("ok", b"ok")),
    "an interim reply": Row(sends(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", OK), ("ok", b"ok")),
    "no content": Row(sends(b"HTTP/1.1 204 No Content\r\n\r\n"), ("ok", b"")),
    "gzip": Row(sends(GZIP), ("ok", b"ok")),
    "an encoding that nobody knows": Row(
        sends(_head(b"Content-Encoding: wat", b"Content-Length: 2"), b"ok"),
        ("ok", b"ok"),
        {"FastHttpUser": ValueError},  # raised into the user's code
    ),
    "not there": Row(sends(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"), ("http 404", b"no")),
    "broken": Row(sends(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"), ("http 503", b"")),
    "closed at once": Row(closes(), ("connection closed", b""), ASKED_AGAIN),
    "closed in the header": Row(closes(b"HTTP/1.1 200 OK\r\nConte"), ("connection closed", b""), ASKED_AGAIN),
    "closed in the body": Row(
        closes(_head(b"Content-Length: 9"), b"ok"),
        ("connection closed", b""),
        {"FastHttpUser": ("bad answer", b""), "Aiohttp": ("ClientPayloadError", b"")},
    ),
    "reset at once": Row(
        resets(), ("connection reset", b""), {"FastHttpUser": ("connection closed", b"")} | ASKED_AGAIN
    ),
    "reset in the header": Row(resets(b"HTTP/1.1 200 OK\r\nConte"), ("connection reset", b""), ASKED_AGAIN),
    "reset in the body": Row(resets(_head(b"Content-Length: 9"), b"ok"), ("connection reset", b"")),
    "no HTTP": Row(sends(b"SSH-2.0-OpenSSH_9\r\n\r\n"), ("bad answer", b""), BY_ITS_NAME),
    "a bad chunk": Row(sends(_head(b"Transfer-Encoding: chunked") + b"zz\r\nok\r\n"), ("bad answer", b""), BY_ITS_NAME),
    "two lengths": Row(
        sends(_head(b"Content-Length: 2", b"Content-Length: 3") + b"ok"), ("bad answer", b""), BY_ITS_NAME
    ),
    "a header without end": Row(
        sends(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 400_000),
        ("bad answer", b""),
        {"FastHttpUser": ("timeout", b"")} | BY_ITS_NAME,
    ),
    "no answer": Row(hangs, ("timeout", b"")),
    "a slow loris": Row(
        sends(*(OK[k : k + 1] for k in range(len(OK))), pause_s=0.05),
        ("timeout", b""),
        {"FastHttpUser": ("ok", b"ok")},  # its time-out is of each read
    ),
}


CUT = {
    "a length": (OK, {}),
    "chunks": (CHUNKS, {}),
    "an interim reply": (INTERIM + OK, {"FastHttpUser": len(INTERIM + OK) - 2}),  # its body is lost
    "gzip": (GZIP, {}),
}
"""Cut in two, at each place once; and at which it is another answer to a peer."""


def met(client, row):
    """What such a client makes of it; and it goes on afterwards, with as many samples as it asked for."""
    hostile = Hostile(row.does)
    user = client(hostile.url)
    began_s = time.monotonic()
    response = user.get("/first")
    assert time.monotonic() - began_s < 3, "it hung"
    kind = user.became()
    body = response.content if kind == "ok" or kind.startswith("http ") else b""
    time.sleep(0.01)
    again = user.get("/second")
    assert (again.status_code, again.content) == (200, b"ok"), "the next request must not suffer"
    assert user.told() == {"GET /second": {"ok": 1}}
    if user.asks_again and hostile.requests == 3:
        kind = "asked again"
    else:
        assert hostile.requests == 2, f"the server saw {hostile.requests} requests"
    assert user.accounts() == (2, 0), "begun, in flight"
    user.close()
    hostile.stop()
    return kind, body or b""


def cut(client, data):
    """The first place at which it is another answer when it is cut there; None where there is no such."""
    cutting = Cutting(data)
    user = client(cutting.url)
    try:
        for place in range(1, len(data)):
            if user.get("/").content != b"ok":
                return place
        assert user.told() == {"GET /": {"ok": len(data) - 1}}
        assert (cutting.requests, cutting.connections) == (len(data) - 1, 1)
    finally:
        user.close()
        cutting.stop()


def rows_of(*clients):
    """A case for each row and client, by name."""

    def case(row, client):
        expected = row.peers.get(client.__name__, row.becomes)
        try:
            found = met(client, row)
        except ValueError as error:
            found = type(error)
        assert found == expected, f"{found}, expected {expected}"

    def case_cut(data, peers, client):
        assert cut(client, data) == peers.get(client.__name__)

    cases = {}
    for client in clients:
        cases |= {f"{name} / {client.__name__}": partial(case, row, client) for name, row in ROWS.items()}
        cases |= {f"{name} in two / {client.__name__}": partial(case_cut, *what, client) for name, what in CUT.items()}
    return cases
