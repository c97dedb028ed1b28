"""Which answers are drawn, and what becomes of them."""

import gzip
import tracemalloc
from types import SimpleNamespace
from urllib.parse import urlsplit

from loadtests.answersample import MOST_BYTES, MOST_WAITING, AnswerSample
from loadtests.asked import Request, Written
from loadtests.httpresponse import Response
from loadtests.promises import Promises
from loadtests.scenario import ContractCheck

DOCUMENT = {
    "openapi": "3.1.0",
    "paths": {"/a": {"get": {"responses": {"200": {"content": {"application/json": {"schema": {"type": "object"}}}}}}}},
}
PROMISES = Promises(openapi=DOCUMENT, graphql="type Query { a: Int! }")


def _sample(share, seed=1, promises=PROMISES):
    return AnswerSample(promises, ContractCheck(graphql="/graphql", sample=share), seed)


def _answer(content=b"{}", status=200, kind="application/json"):
    return SimpleNamespace(status_code=status, content=content, headers={"content-type": kind})


def _drawn(share, n, seed=1):
    sample, drawn = _sample(share, seed), 0
    for _ in range(n):
        sample.offer("GET /a", 5, "GET", "http://h/a?token=x", _answer())
        drawn += len(list(sample.judged()))
    return drawn


def test_share():
    """Of 10,000 answers a tenth is drawn, to five standard deviations (sqrt(10,000 x .1 x .9) = 30); of all, all."""
    assert abs(_drawn(0.1, 10_000) - 1000) <= 150
    assert _drawn(1, 100) == 100
    assert _drawn(0.1, 500, seed=1) == _drawn(0.1, 500, seed=1)


def test_judged_once():
    """Each is judged once, by the path of its URL alone; of a path that the document does not know nothing is said."""
    sample = _sample(1)
    sample.offer("GET /a", 5, "GET", "http://h/a?token=x", _answer())
    sample.offer("GET /a", 6, "GET", "http://h/a", _answer(b"[]"))
    sample.offer("GET /b", 7, "GET", "http://h/b", _answer())
    assert list(sample.judged()) == [
        ("GET /a", 5, None),
        ("GET /a", 6, 'status 200: the value is not of type "object"'),
    ]
    assert list(sample.judged()) == []


def test_let_go():
    """A second's bulk, a giant, and what never was an answer are not kept."""
    sample = _sample(1)
    for odd in (_answer(b"x" * 2_000_000), _answer(status=0)):
        sample.offer("GET /a", 5, "GET", "http://h/a", odd)
    sample.offer("GET /a", 5, "GET", None, _answer())
    assert list(sample.judged()) == []
    for _ in range(MOST_WAITING + 50):
        sample.offer("GET /a", 5, "GET", "http://h/a", _answer())
    assert len(list(sample.judged())) == MOST_WAITING


def _encoded(body, coding=b"gzip"):
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Type: application/json\r\n\r\n" % coding
    response = Response()
    response.written = Written(Request("GET", "http://h/a", {}, None, {}), urlsplit("http://h/a"), b"", [])
    response.status_code, response.head, response.body, response.size_bytes = 200, head, body, len(body)
    return response


def test_encoded():
    """What is small on the wire and a giant without its coding is let go as any giant; what is no gzip is no JSON."""
    sample = _sample(1)
    for body in (gzip.compress(b"[]"), gzip.compress(b" " * (MOST_BYTES - 1) + b"{"), b"junk"):
        sample.offer("GET /a", 5, "GET", "http://h/a", _encoded(body))
    said = [violation for _, _, violation in sample.judged()]
    assert said[0] == 'status 200: the value is not of type "object"'
    assert said[1] == said[2] == "status 200: the body is not JSON"
    sample.offer("GET /a", 5, "GET", "http://h/a", _encoded(gzip.compress(b" " * (MOST_BYTES + 1))))
    sample.offer("GET /a", 5, "GET", "http://h/a", _encoded(gzip.compress(b"") * (MOST_BYTES // 20 + 1)))
    sample.offer("GET /a", 5, "GET", "http://h/a", _encoded(b" " * (MOST_BYTES + 1), b"identity"))
    assert list(sample.judged()) == []


def test_unasked():
    """Of 20 MB in 20 KB no more is made than may be kept, for nobody has asked for it."""
    sample, bomb = _sample(1), _encoded(gzip.compress(bytes(20 * MOST_BYTES)))
    tracemalloc.start()
    sample.offer("GET /a", 5, "GET", "http://h/a", bomb)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 * MOST_BYTES
    assert list(sample.judged()) == []


def _asked(sent, content=b'{"data": {"a": null}}', **more):
    return SimpleNamespace(**vars(_answer(content)), request=SimpleNamespace(**sent), **more)


QUERY = '{"query": "{ a }"}'


def test_graphql():
    """An operation's answer is read beside what was sent, as FastHttpUser and HttpUser keep it, text or bytes."""
    sample = _sample(1)
    for sent in ({"payload": QUERY}, {"payload": QUERY.encode()}, {"body": QUERY}, {"body": QUERY.encode()}):
        sample.offer("POST /graphql A", 5, "POST", "http://h/graphql", _asked(sent))
    assert list(sample.judged()) == [("POST /graphql A", 5, "data.a: null, where Int! is promised")] * 4


def test_graphql_left_out():
    """Where the operation is not known nothing is said; nor of other methods, nor without a schema."""
    sample = _sample(1)
    for sent in ({"payload": None}, {"body": iter([b"x"])}, {"payload": " " * MOST_BYTES + QUERY}):
        sample.offer("POST /graphql A", 5, "POST", "http://h/graphql", _asked(sent))
    sample.offer("POST /graphql A", 5, "POST", "http://h/graphql", _answer())
    sample.offer("GET /graphql A", 5, "GET", "http://h/graphql", _asked({"payload": QUERY}))
    assert list(sample.judged()) == []
    openapi_alone = _sample(1, promises=PROMISES._replace(graphql=None))
    graphql_alone = _sample(1, promises=PROMISES._replace(openapi=None))
    openapi_alone.offer("POST /graphql A", 5, "POST", "http://h/graphql", _asked({"payload": QUERY}))
    graphql_alone.offer("GET /a", 5, "GET", "http://h/a", _answer(b"[]"))
    assert [*openapi_alone.judged(), *graphql_alone.judged()] == []
