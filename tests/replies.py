"""A grammar of HTTP/1.1 replies (RFC 9112), what each of them says, and bytes that are nearly one."""

from typing import NamedTuple

from hypothesis import strategies as st

TOKENS = st.text("!#$%&'*+-.^_`|~0123456789abcXYZ", min_size=1, max_size=12)
VALUES = st.text(' \t!"#%(),/:;<=>?@[]{}09azAZ\u00e9\u00ff', max_size=20).map(str.strip)
FRAMES = ("content-length", "transfer-encoding", "connection")
FIELDS = st.lists(
    st.tuples(TOKENS.filter(lambda name: name.lower() not in FRAMES), VALUES).map(
        lambda field: tuple(text.encode("latin-1") for text in field)
    ),
    max_size=4,
)
BODILESS = (204, 304)


class Said(NamedTuple):
    """Bytes to a method, whether the server closes then, and what they say."""

    method: str
    data: bytes
    closes: bool
    status: int
    fields: list[tuple[bytes, bytes]]
    body: bytes
    reusable: bool


def _lines(fields, draw):
    return b"".join(name + b":" + draw(st.sampled_from([b"", b" ", b" \t"])) + v + b"\r\n" for name, v in fields)


@st.composite
def _chunked(draw, body):
    """The body in chunks, with extensions and trailers here and there (7.1)."""
    framed, at = [], 0
    while at < len(body):
        n = draw(st.integers(1, len(body) - at))
        size = draw(st.sampled_from([b"%x", b"%X", b"0%x", b"%x;name", b'%x;name="a b";b']))
        framed.append(size % n + b"\r\n" + body[at : at + n] + b"\r\n")
        at += n
    return b"".join(framed) + b"0\r\n" + _lines(draw(FIELDS), draw) + b"\r\n"


@st.composite
def replies(draw):
    """One that is right, after interim ones perhaps (15.2)."""
    method = draw(st.sampled_from(["GET", "GET", "POST", "HEAD"]))
    interim = b""
    for status in draw(st.lists(st.sampled_from([100, 102, 103]), max_size=2)):
        interim += b"HTTP/1.1 %d Wait\r\n%b\r\n" % (status, _lines(draw(FIELDS), draw))
    version = draw(st.sampled_from([b"1.1", b"1.1", b"1.0"]))
    status = draw(st.sampled_from([200, 201, 206, 404, 500, 503, *BODILESS]))
    reason = draw(st.sampled_from([b" OK", b" Not At All", b" "]))
    fields, body = draw(FIELDS), draw(st.binary(max_size=40))
    connection = draw(st.sampled_from([None, b"close", b"keep-alive"]))
    if connection:
        fields = [*fields, (b"Connection", connection)]
    reusable = connection == b"keep-alive" or (connection is None and version == b"1.1")  # 9.3
    frame = draw(st.sampled_from(["length", "close"] if version == b"1.0" else ["length", "chunks", "close"]))
    bare = method == "HEAD" or status in BODILESS  # 6.3
    sent, closes = body, False
    if status == 204:
        sent = body = b""  # it has no frame either (8.6 of RFC 9110)
    elif frame == "length":
        fields = [*fields, (b"Content-Length", b"%d" % len(body))]
    elif frame == "chunks":
        fields = [*fields, (b"Transfer-Encoding", b"chunked")]
        sent = draw(_chunked(body))
    else:
        closes, reusable = not bare, reusable and status in BODILESS  # to HEAD it could be kept; ours is not
    head = b"HTTP/%b %d%b\r\n%b\r\n" % (version, status, reason, _lines(fields, draw))
    return Said(
        method, interim + head + (b"" if bare else sent), closes, status, fields, b"" if bare else body, reusable
    )


PIECES = [b"\r\n", b"\r", b"\n", b"\r\n\r\n", b"0\r\n\r\n", b":", b" ", b"\0", b";", b"-1", b"f" * 17, b"HTTP/1.1 "]
PIECES += [
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"100",
    b"101",
    b"204",
]


@st.composite
def nearly_replies(draw):
    """A reply with up to three changes: bytes put in, put over others, taken out, said twice; and what comes after."""
    said = draw(replies())
    data = said.data
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        to = draw(st.integers(at, min(len(data), at + 12)))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=3) | st.just(data[at:to] * 2))
        data = data[:at] + piece + data[draw(st.sampled_from([at, to])) :]
    return said.method, data + draw(st.just(b"") | st.sampled_from(PIECES))
