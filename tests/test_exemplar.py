"""Exemplars: some failures of every kind and the slowest requests, few and without secrets."""

import json

from hypothesis import given
from hypothesis import strategies as st

from loadtests.exemplar import Exemplars
from loadtests.redaction import Redactor
from loadtests.sample import Outcome

T0 = 7_000_000_000_000
MS = 1_000_000


def exemplars(**more):
    """Return an empty collection that knows one secret."""
    return Exemplars(T0, Redactor(["hunter2"]), **more)


def offer(kept, response_ms, outcome=Outcome.OK, error="", series="GET /"):
    """Offer a request as the harness does, and return whether it was wanted."""
    wanted = kept.wants(series, response_ms * MS, outcome, error)
    if wanted:
        kept.keep(series, T0 + 1500 * MS, response_ms * MS, response_ms * MS, outcome, error)
    return wanted


def test_row():
    """A request is kept with its times, what went wrong, and two headers, shortened and without secrets."""
    kept = exemplars()
    headers = {
        "X-Request-ID": "r-17 hunter2",
        "Server-Timing": "db;dur=5" + "." * 300,
        "Set-Cookie": "session=abc",
    }
    kept.keep(
        "GET /agents/{id}",
        T0 + 2_345_678_900,
        214_567_890,
        14_567_890,
        Outcome.ERROR,
        "check: hunter2 was refused",
        "RuntimeError('password=hunter3') " + "x" * 400,
        headers,
    )
    (row,) = kept.take_failed()
    assert row["detail"].startswith("RuntimeError('password=***') xxx")
    assert len(row.pop("detail")) == 300
    assert len(row.pop("server_timing")) == 200
    assert row == {
        "series": "GET /agents/{id}",
        "at_s": 2.346,
        "response_ms": 214.568,
        "service_ms": 14.568,
        "outcome": "error",
        "error": "check: *** was refused",
        "request_id": "r-17 ***",
    }


@given(st.lists(st.integers(1, 1000), max_size=80), st.integers(1, 10))
def test_slowest(responses_ms, slowest):
    """The slowest are kept, slowest first; then it starts afresh."""
    kept = exemplars(slowest=slowest)
    for response_ms in responses_ms:
        offer(kept, response_ms)
    expected = sorted(responses_ms, reverse=True)[:slowest]
    assert [row["response_ms"] for row in kept.take_slowest()] == expected
    assert kept.take_slowest() == []
    assert offer(kept, 1)


def test_quick_requests_are_not_wanted():
    """Once enough slow ones are kept, a quicker one is refused before anything is made of it."""
    kept = exemplars(slowest=2)
    assert [offer(kept, ms) for ms in (5, 7, 6, 5, 6, 8)] == [True, True, True, False, False, True]
    assert [row["response_ms"] for row in kept.take_slowest()] == [8, 7]


def test_failures_of_each_kind():
    """The first few of each series and kind are kept, however quick, and no more of them over the whole run."""
    kept = exemplars(per_kind=2)
    for _ in range(5):
        for series, error in (("GET /", "http 503"), ("GET /", "tls"), ("POST /", "tls")):
            offer(kept, 1, Outcome.ERROR, error, series)
    found = [(row["series"], row["error"]) for row in kept.take_failed()]
    assert sorted(found) == [("GET /", "http 503")] * 2 + [("GET /", "tls")] * 2 + [("POST /", "tls")] * 2
    assert kept.take_failed() == []
    assert not offer(kept, 1, Outcome.ERROR, "tls")
    assert offer(kept, 1, Outcome.TIMEOUT, "timeout")


def test_failures_are_bounded():
    """A run that fails in a thousand ways keeps two hundred of them."""
    kept = exemplars()
    for k in range(1000):
        offer(kept, 1, Outcome.ERROR, f"check: {k:x}")
    assert len(kept.take_failed()) == 200


def test_failures_are_not_among_the_slowest():
    """Slow successes and failures are kept apart."""
    kept = exemplars()
    offer(kept, 900, Outcome.TIMEOUT, "timeout")
    offer(kept, 5)
    assert [row["outcome"] for row in kept.take_slowest()] == ["ok"]
    assert [row["outcome"] for row in kept.take_failed()] == ["timeout"]


def test_requests_of_the_same_length():
    """Two requests of the same length are two."""
    kept = exemplars()
    for _ in range(3):
        offer(kept, 5)
    rows = kept.take_slowest()
    assert len(rows) == 3
    assert json.loads(json.dumps(rows)) == rows


def test_what_gives_way_is_not_looked_at():
    """Of a hundred slower and slower ones the last two are redacted and shortened, as they are taken."""
    redacted = []
    kept = Exemplars(T0, lambda text: redacted.append(text) or text, slowest=2)
    for k in range(100):
        kept.keep("GET /", T0, (k + 1) * MS, MS, Outcome.OK, headers={"X-Request-ID": str(k)})
    assert redacted == []
    assert [row["request_id"] for row in kept.take_slowest()] == ["99", "98"]
    assert len(redacted) == 6  # the id, and error and detail, which are empty
