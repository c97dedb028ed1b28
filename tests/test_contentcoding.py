"""Bodies as they were before they were encoded, and no more of them than is asked for."""

import gzip
import tracemalloc
import zlib
from functools import partial

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.contentcoding import OversizeError, decoded
from loadtests.httpreply import BadAnswerError

ENCODERS = {
    "gzip": gzip.compress,
    "x-gzip": lambda body: gzip.compress(body[:3]) + gzip.compress(body[3:]) + bytes(5),
    "deflate": zlib.compress,
    "Deflate": lambda body: zlib.compress(body, wbits=-15),
    "br": partial(brotli.compress, quality=5),
}
MIB = 1 << 20


@pytest.mark.parametrize("coding", ENCODERS)
@given(body=st.binary(max_size=200) | st.integers(0, 100_000).map(bytes))
def test_as_it_was(coding, body):
    """Also where it is as long as it may be."""
    assert decoded(ENCODERS[coding](body), coding, len(body)) == body


@pytest.mark.parametrize("coding", ENCODERS)
def test_too_much(coding):
    """A byte more than may be is refused; of 20 MB in a few KB no more is made than a few times the limit."""
    with pytest.raises(OversizeError, match="over 999 bytes"):
        decoded(ENCODERS[coding](bytes(1000)), coding, 999)
    bomb = ENCODERS[coding](bytes(20 * MIB))
    assert len(bomb) < 32_000
    tracemalloc.start()
    with pytest.raises(OversizeError, match="1,048,576 bytes"):
        decoded(bomb, coding, MIB)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 * MIB


def test_one_after_another():
    """The last coding is the outermost (RFC 9110, 8.4); each is within the limit; one that nobody knows stays."""
    body = gzip.compress(b"ok")
    assert decoded(brotli.compress(body), "gzip, br") == b"ok"
    assert decoded(body, "wat, GZIP") == b"ok"
    assert decoded(b"ok", "") == decoded(b"ok", "identity") == b"ok"
    bomb = brotli.compress(gzip.compress(bytes(20 * MIB)))
    with pytest.raises(OversizeError):
        decoded(bomb, "gzip, br", MIB)


@pytest.mark.parametrize("coding", sorted(ENCODERS.keys() - {"x-gzip"}))
@given(data=st.data())
def test_cut_short(coding, data):
    """Without its end it is no body: nobody knows what is missing."""
    whole = ENCODERS[coding](b"ok" * 50)
    with pytest.raises(BadAnswerError, match=f"is not {coding.lower()}"):
        decoded(whole[: data.draw(st.integers(1, len(whole) - 1))], coding)


@pytest.mark.parametrize("coding", ENCODERS)
@given(body=st.binary(max_size=100))
def test_whatever_comes(coding, body):
    """It is a body, or an error of ours."""
    try:
        assert len(decoded(body, coding, 10_000)) <= 10_000
    except BadAnswerError:
        return


def test_nothing_but_ends():
    """20 bytes a member, and nothing in it: of 400 KB there is nothing, and no member makes all of them be copied."""
    assert decoded(gzip.compress(b"") * 20_000, "gzip") == b""


def test_junk_after_the_end():
    """Zeros pad a gzip (RFC 1952 says nothing of them, gzip(1) does); anything else is no member."""
    assert decoded(gzip.compress(b"ok") + bytes(40_000), "gzip") == b"ok"
    for wrong in (gzip.compress(b"ok") + b"junk", bytes(9) + gzip.compress(b"ok")):
        with pytest.raises(BadAnswerError, match="is not gzip"):
            decoded(wrong, "gzip")
