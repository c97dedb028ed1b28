"""`/metrics`: what is counted, and who may see it."""

import asyncio
import json
from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient
from starlette.types import Message

from portal.hub import Hub
from portal.metrics import LAG_INTERVAL_S, Metrics
from portal.outbox import Outbox
from portal.session import Session
from portal.settings import Settings
from portal.websocket import AgentSockets

TOKEN = "a token for the scraper"


def _scrape(portal: TestClient) -> dict[tuple[str, ...], float]:
    """Return every sample by its name and its label values in the order of their names."""
    answer = portal.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_requests_are_counted_by_route_method_and_status(open_portal: Callable[..., TestClient]) -> None:
    """By the template, never by the raw path; all that matches none is one series."""
    portal = open_portal({"metrics_token": TOKEN})
    for path in ("/api/v1/agents/1", "/api/v1/agents/2", "/api/v1/agents/999", *(f"/no/{n}" for n in range(5))):
        portal.get(path)
    portal.request("BREW", "/no/pot")
    samples = _scrape(portal)
    name = "portal_request_seconds_count"
    assert samples[name, "GET", "/api/v1/agents/{agent_id}", "200"] == 2
    assert samples[name, "GET", "/api/v1/agents/{agent_id}", "404"] == 1
    assert samples[name, "GET", "(unmatched)", "404"] == 5
    assert samples[name, "(other)", "(unmatched)", "404"] == 1
    assert samples[name, "POST", "/api/v1/auth/token", "200"] == 1
    assert sum(value for key, value in samples.items() if key[0] == name) == 10
    # Each login and each row that was looked for waited for one connection.
    assert samples["portal_database_wait_seconds_count",] == 4
    assert samples["portal_requests_in_flight",] == 1  # this one
    assert samples["portal_database_connections_in_use",] == 0
    assert samples["process_resident_memory_bytes",] > 10e6


def test_the_time_is_that_of_the_clock() -> None:
    """2.5 ms lie in the bucket up to 3 ms, and not in the one up to 2 ms."""
    metrics = Metrics()
    metrics.observe("/x", "GET", 200, 0.0025)
    labels = {"route": "/x", "method": "GET", "status": "200"}
    value = metrics.registry.get_sample_value
    assert value("portal_request_seconds_sum", labels) == 0.0025
    assert value("portal_request_seconds_bucket", labels | {"le": "0.002"}) == 0
    assert value("portal_request_seconds_bucket", labels | {"le": "0.005"}) == 1


def test_sockets_and_events_are_counted(open_portal: Callable[..., TestClient]) -> None:
    """Two sockets, of which one watches: three events are published, none is dropped."""
    portal = open_portal({"metrics_token": TOKEN})
    with portal.websocket_connect("/ws/agents") as one, portal.websocket_connect("/ws/agents") as two:
        one.send_text(json.dumps({"type": "subscribe", "channels": ["agent.1"]}))
        two.send_text(json.dumps({"type": "subscribe", "channels": ["agent.2"]}))
        assert (one.receive_json()["type"], two.receive_json()["type"]) == ("subscribed", "subscribed")
        for name in "abc":
            portal.patch("/api/v1/agents/1", json={"name": name})
        assert [one.receive_json()["seq"] for _ in range(3)] == [1, 2, 3]
        samples = _scrape(portal)
    assert samples["portal_sockets_open",] == 2
    assert samples["portal_frames_queued",] == 0
    assert samples["portal_events_published_total",] == 3
    assert samples["portal_events_dropped_total",] == 0


def test_what_waits_for_sockets_is_counted() -> None:
    """A client that takes nothing: the answer is on its way, and behind it wait five events."""

    async def scene() -> None:
        hub, sockets, sending = Hub(), AgentSockets(), asyncio.Event()
        said = iter([{"type": "websocket.receive", "text": '{"type":"subscribe","channels":["agent.1"]}'}])

        async def receive() -> Message:
            return next(said, None) or await asyncio.Future()

        async def send(_: Message) -> None:
            sending.set()
            await asyncio.Future()

        session = Session(hub, Settings(), receive, send, lambda channel, action: None)
        sockets.open.add(session)
        running = asyncio.create_task(session.run())
        await sending.wait()
        for n in range(5):
            hub.publish("agent.1", publisher="p", publisher_seq=n, intended_ns=0, sent_ns=0, data={})
        assert sockets.frames_queued == 5
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(scene())


def test_a_delivery_that_is_refused_counts_as_dropped() -> None:
    """An outbox for two frames refuses the third event and all after it: 3 of 5."""
    hub = Hub()
    hub.subscribe(Outbox(2, 10_000, lambda: None), ["agent.1"])
    for n in range(5):
        hub.publish("agent.1", publisher="p", publisher_seq=n, intended_ns=0, sent_ns=0, data={})
    assert (hub.published, hub.dropped) == (5, 3)


def test_a_cache_is_read_where_there_is_one(open_portal: Callable[..., TestClient]) -> None:
    """Any object with `hits`, `misses` and `forgotten`."""

    class Counters:
        hits, misses, forgotten = 5, 7, 3

    metrics, services = Metrics(), open_portal().app.state.services  # type: ignore[attr-defined]
    metrics.watch(services.database, services.hub, AgentSockets(), Counters())
    assert metrics.registry.get_sample_value("portal_cache_hits_total") == 5
    assert metrics.registry.get_sample_value("portal_cache_misses_total") == 7
    assert metrics.registry.get_sample_value("portal_cache_forgotten_total") == 3


def test_lag_is_how_late_the_loop_wakes() -> None:
    """Asked for 0.1 s and woken after 0.125 s is 25 ms late; woken early is not late."""
    metrics, now_ns, late = Metrics(), [0], iter((25_000_000, -1, None))

    async def sleep(seconds: float) -> None:
        extra_ns = next(late)
        if extra_ns is None:
            raise asyncio.CancelledError
        now_ns[0] += round(seconds * 1e9) + extra_ns

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(metrics.follow_lag(lambda: now_ns[0], sleep))
    value = metrics.registry.get_sample_value
    assert LAG_INTERVAL_S == 0.1
    assert value("portal_loop_lag_seconds_count") == 2
    assert value("portal_loop_lag_seconds_sum") == pytest.approx(0.025)
    assert value("portal_loop_lag_last_seconds") == 0


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", 200), ("::1", 200), ("10.0.0.7", 403), ("testclient", 403)])
def test_without_a_token_only_loopback_may_look(portal: TestClient, host: str, status: int) -> None:
    """By the address of the connection; a signed-in user elsewhere may not either."""
    client = TestClient(portal.app, client=(host, 50_000), headers=portal.headers)
    assert client.get("/metrics").status_code == status


@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"])
def test_a_token_is_asked_of_everybody(open_portal: Callable[..., TestClient], given: str | None) -> None:
    """On loopback too: a proxy on this machine comes from there."""
    app = open_portal({"metrics_token": TOKEN}).app
    client = TestClient(app, client=("127.0.0.1", 50_000))
    answer = client.get("/metrics", headers={} if given is None else {"Authorization": given})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
