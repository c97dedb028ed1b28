"""Which answers are drawn, and what becomes of them."""

from types import SimpleNamespace

from loadtests.answersample import MOST_WAITING, AnswerSample

DOCUMENT = {
    "openapi": "3.1.0",
    "paths": {"/a": {"get": {"responses": {"200": {"content": {"application/json": {"schema": {"type": "object"}}}}}}}},
}


def _answer(content=b"{}", status=200, kind="application/json"):
    return SimpleNamespace(status_code=status, content=content, headers={"content-type": kind})


def _drawn(share, n, seed=1):
    sample, drawn = AnswerSample(DOCUMENT, share, seed), 0
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
    sample = AnswerSample(DOCUMENT, 1, 1)
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
    sample = AnswerSample(DOCUMENT, 1, 1)
    for odd in (_answer(b"x" * 2_000_000), _answer(status=0)):
        sample.offer("GET /a", 5, "GET", "http://h/a", odd)
    sample.offer("GET /a", 5, "GET", None, _answer())
    assert list(sample.judged()) == []
    for _ in range(MOST_WAITING + 50):
        sample.offer("GET /a", 5, "GET", "http://h/a", _answer())
    assert len(list(sample.judged())) == MOST_WAITING
