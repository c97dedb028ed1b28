"""Request ids and W3C Trace Context (https://www.w3.org/TR/trace-context/, section 3.2)."""

import re
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from portal.trace import read_trace

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"  # the specification's own example


def _new_id(length: int) -> str:
    return "ee" * length


@pytest.mark.parametrize(
    ("parent", "flags"),
    [
        (f"00-{TRACE}-{SPAN}-01", "01"),
        (f"00-{TRACE}-{SPAN}-00", "00"),
        (f"00-{TRACE}-{SPAN}-ff", "01"),  # unknown flags are set to zero
        (f"cc-{TRACE}-{SPAN}-01", "01"),  # a later version is read as far as it is known
        (f"cc-{TRACE}-{SPAN}-01-what-comes-later", "01"),
    ],
)
def test_a_trace_goes_on(parent: str, flags: str) -> None:
    """In version 00, with a span of our own."""
    trace = read_trace([(b"traceparent", parent.encode())], _new_id)
    assert trace.traceparent == f"00-{TRACE}-{'ee' * 8}-{flags}"


@pytest.mark.parametrize(
    "parents",
    [
        [],
        [""],
        ["nonsense"],
        [f"ff-{TRACE}-{SPAN}-01"],
        [f"00-{'0' * 32}-{SPAN}-01"],
        [f"00-{TRACE}-{'0' * 16}-01"],
        [f"00-{TRACE.upper()}-{SPAN}-01"],
        [f"00-{TRACE}-{SPAN}-1"],
        [f"00-{TRACE}-{SPAN}-01-"],
        [f"00-{TRACE}-{SPAN}-01-more"],
        [f"cc-{TRACE}-{SPAN}-01.more"],
        [f"00-{TRACE[:-1]}-{SPAN}-01"],
        [f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01"],
    ],
)
def test_a_parent_that_is_malformed_is_ignored(parents: list[str]) -> None:
    """A new trace starts, and nobody asked for it to be sampled."""
    trace = read_trace([(b"traceparent", parent.encode()) for parent in parents], _new_id)
    assert trace.traceparent == f"00-{'ee' * 16}-{'ee' * 8}-00"


@pytest.mark.parametrize("request_id", ["a", "A-z_0.9", "x" * 64])
def test_a_request_keeps_its_id(portal: TestClient, request_id: str) -> None:
    """It comes back."""
    assert portal.get("/healthz", headers={"X-Request-ID": request_id}).headers["X-Request-ID"] == request_id


@pytest.mark.parametrize("request_id", ["", "x" * 65, "a b", "a\tb", "é", "a,b", '"'])
def test_an_id_that_is_not_well_formed_is_replaced(portal: TestClient, request_id: str) -> None:
    """By 32 hexadecimal digits."""
    answer = portal.get("/healthz", headers={"X-Request-ID": request_id.encode()})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])


def test_a_crash_is_named_timed_and_counted(open_portal: Callable[..., TestClient]) -> None:
    """Its answer is made outside of all other middleware, and still inside of this."""
    portal = open_portal({"metrics_token": "a token for the scraper"})

    async def crash() -> None:
        raise ZeroDivisionError

    portal.app.add_api_route("/crash", crash)  # type: ignore[attr-defined]
    answer = portal.get("/crash", headers={"X-Request-ID": "mine-2"})
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (500, "mine-2")
    assert answer.headers["Server-Timing"].startswith("total;dur=")
    metrics = portal.get("/metrics", headers={"Authorization": "Bearer a token for the scraper"}).text
    assert 'portal_request_seconds_count{method="GET",route="/crash",status="500"} 1.0' in metrics
    assert "portal_requests_in_flight 1.0" in metrics


def test_each_answer_names_its_own_span(portal: TestClient) -> None:
    """The trace is the client's, the span is new each time, a refusal has one too."""
    parent = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
    answers = [portal.get(path, headers=parent).headers["traceparent"] for path in ("/healthz", "/healthz", "/nowhere")]
    assert len({*answers, parent["traceparent"]}) == 4
    assert all(re.fullmatch(f"00-{TRACE}-[0-9a-f]{{16}}-01", answer) for answer in answers)
