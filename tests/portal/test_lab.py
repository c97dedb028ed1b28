"""The laboratory's switches at `/lab`: known faults at exact counts."""

import asyncio
import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from portal import hub as hub_module
from portal import lab as lab_module
from portal.hub import Hub
from portal.lab import Lab
from portal.settings import Settings, SettingsError
from portal.switches import Freeze, Leak, Switches

AGENT = "GET /api/v1/agents/{agent_id}"


class Listener:
    """A subscriber that keeps what it is given."""

    def __init__(self) -> None:
        self.heard: list[int] = []

    def put(self, frame: str) -> bool:
        """Keep an event's number."""
        self.heard.append(json.loads(frame)["seq"])
        return True


def _hear(count: int, listeners: int = 1, **events: int) -> tuple[list[Listener], Lab, Hub]:
    """Publish `count` events to listeners under these faults."""
    lab, hub = Lab(()), Hub()
    lab.set(Switches.model_validate({"events": events}), hub)
    heard = [Listener() for _ in range(listeners)]
    for listener in heard:
        hub.subscribe(listener, ["load.p1"])
    for seq in range(count):
        hub.publish("load.p1", publisher="p", publisher_seq=seq, intended_ns=0, sent_ns=0, data={})
    return heard, lab, hub


def test_every_hundredth_event_is_dropped() -> None:
    """Of 1,000 just ten are missing, and the numbers say which."""
    (listener,), lab, hub = _hear(1_000, drop_every=100)
    assert listener.heard == [n for n in range(1, 1_001) if n % 100]
    assert lab.done == {"dropped": 10}
    assert (hub.published, hub.dropped) == (1_000, 0)  # the hub itself lost none


def test_every_seventh_event_is_sent_twice() -> None:
    """1,000 events are 1,142 frames (1,000 // 7 = 142), the copy right behind its original."""
    (listener,), lab, _ = _hear(1_000, duplicate_every=7)
    assert listener.heard == [n for n in range(1, 1_001) for _ in range(1 if n % 7 else 2)]
    assert lab.done == {"duplicated": 142}


def test_every_tenth_event_comes_after_the_next() -> None:
    """10 and 11 change places, 20 and 21, ...; the thousandth has no next one and comes when the switch goes off."""
    (listener,), lab, hub = _hear(1_000, swap_every=10)
    pairs = list(range(1, 1_000))
    for n in range(10, 1_000, 10):
        pairs[n - 1], pairs[n] = n + 1, n
    assert listener.heard == pairs
    assert lab.done == {"swapped": 99}
    lab.set(Switches(), hub)
    assert listener.heard == [*pairs, 1_000]


def test_faults_are_counted_over_all_deliveries() -> None:
    """Three listeners and 100 events are 300 deliveries: with every fourth dropped, 225 arrive."""
    heard, lab, _ = _hear(100, listeners=3, drop_every=4)
    assert sum(len(listener.heard) for listener in heard) == 225
    assert lab.done == {"dropped": 75}


def test_a_delivery_due_for_several_faults_meets_one() -> None:
    """Twelve events: 6 and 12 dropped, 4 and 8 swapped with the next, of 2 to 12 then only 2 and 10 doubled.

    The held 4 follows 5, the held 8 follows 9.
    """
    (listener,), lab, _ = _hear(12, drop_every=6, swap_every=4, duplicate_every=2)
    assert listener.heard == [1, 2, 2, 3, 5, 4, 7, 9, 8, 10, 10, 11]
    assert lab.done == {"dropped": 2, "swapped": 2, "duplicated": 2}


def test_turned_off_the_hub_delivers_as_ever() -> None:
    """Off means absent, not idle."""
    _, lab, hub = _hear(1, drop_every=1)
    assert hub.deliver is not hub_module.deliver
    lab.set(Switches(), hub)
    assert hub.deliver is hub_module.deliver
    assert Hub().deliver is hub_module.deliver


def test_sockets_are_closed_after_so_many_events(open_portal: Callable[..., TestClient]) -> None:
    """Each with the code asked for, after just five events; answers are not counted."""
    portal = open_portal({"lab": True}, "admin")
    portal.put("/lab", json={"sockets": {"close_code": 4_321, "after_events": 5}})
    for _ in range(2):
        with portal.websocket_connect("/ws/agents") as socket:
            socket.send_json({"type": "subscribe", "channels": ["agent.1"]})
            assert socket.receive_json()["type"] == "subscribed"
            for n in range(8):
                portal.patch("/api/v1/agents/1", json={"name": f"n{n}"})
            assert [socket.receive_json()["type"] for _ in range(5)] == ["event"] * 5
            with pytest.raises(WebSocketDisconnect) as closed:
                socket.receive_json()
            assert closed.value.code == 4_321
    assert portal.get("/lab").json()["done"] == {"closed": 2}


def test_a_route_fails_at_its_turn_and_does_no_work(open_portal: Callable[..., TestClient]) -> None:
    """Every third create is refused: of seven five rows come, for 3 and 6 are refused."""
    portal = open_portal({"lab": True, "metrics_token": "a token for the scraper"}, "admin")
    portal.put("/lab", json={"routes": {"POST /api/v1/agents": {"fail": {"status": 502, "every": 3}}}})
    answers = [portal.post("/api/v1/agents", json={"name": "x"}) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [201, 201, 502, 201, 201, 502, 201]
    assert answers[2].headers["Content-Type"] == "application/problem+json"
    assert answers[-1].json()["agent_id"] == 35  # after the 30 that were seeded
    assert portal.get("/lab").json()["done"] == {"failed": 2}
    metrics = portal.get("/metrics", headers={"Authorization": "Bearer a token for the scraper"}).text
    assert 'portal_request_seconds_count{method="POST",route="/api/v1/agents",status="502"} 2.0' in metrics


def test_only_the_named_routes_are_delayed(open_portal: Callable[..., TestClient]) -> None:
    """By the template, until the switch goes off; the clock is a list."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    portal = open_portal({"lab": True}, "admin", sleep=sleep)
    portal.put("/lab", json={"routes": {AGENT: {"delay_ms": 250}}})
    for path in ("/api/v1/agents/1", "/api/v1/agents", "/api/v1/agents/29", "/healthz", "/nowhere"):
        portal.get(path)
    assert slept == [0.25, 0.25]
    assert portal.get("/lab").json() == {
        "switches": {"routes": {AGENT: {"delay_ms": 250.0}}},
        "done": {"delayed": 2},
    }
    assert portal.delete("/lab").json() == {"switches": {"routes": {}}, "done": {}}
    portal.get("/api/v1/agents/1")
    assert slept == [0.25, 0.25]


def test_the_event_loop_is_blocked_in_every_period() -> None:
    """One second of five: it sleeps four and blocks one, and so on until it is turned off."""
    done: list[tuple[str, float]] = []

    async def scene() -> Lab:
        third = asyncio.Event()

        async def sleep(seconds: float) -> None:
            done.append(("sleep", seconds))
            if len(done) > 4:
                third.set()
                await asyncio.Event().wait()

        lab = Lab((), sleep, lambda seconds: done.append(("block", seconds)))
        lab.set(Switches(freeze=Freeze(for_s=1, every_s=5)), Hub())
        await third.wait()
        lab.stop()
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1
        return lab

    assert asyncio.run(scene()).done == {"frozen": 2}
    assert done == [("sleep", 4.0), ("block", 1.0)] * 2 + [("sleep", 4.0)]


def test_each_request_leaks_and_all_is_given_back(open_portal: Callable[..., TestClient]) -> None:
    """Three requests with two descriptors each are six more open ones; `/lab` itself leaks nothing."""
    portal = open_portal({"lab": True}, "admin")
    before = len(os.listdir("/proc/self/fd"))
    portal.put("/lab", json={"leak": {"bytes": 1_000, "fds": 2}})
    for _ in range(3):
        portal.get("/healthz")
    assert portal.get("/lab").json()["done"] == {"leaked_bytes": 3_000, "leaked_fds": 6}
    assert len(os.listdir("/proc/self/fd")) == before + 6
    portal.delete("/lab")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_leak_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the caps, whole requests or not: 2,500 bytes and five descriptors."""
    monkeypatch.setattr(lab_module, "MAX_LEAKED_BYTES", 2_500)
    monkeypatch.setattr(lab_module, "MAX_LEAKED_FDS", 5)
    lab = Lab(())
    lab.set(Switches(leak=Leak(bytes=1_000, fds=2)), Hub())
    for _ in range(10):
        lab.leak()
    lab.stop()
    assert lab.done == {"leaked_bytes": 2_500, "leaked_fds": 5}


@pytest.mark.parametrize(
    ("switches", "at"),
    [
        ({"routes": {"GET /api/v1/agents/{id}": {"delay_ms": 1}}}, "the nearest is 'GET /api/v1/agents/{agent_id}'"),
        ({"routes": {AGENT: {"delay_ms": 60_001}}}, "delay_ms"),
        ({"routes": {AGENT: {"fail": {"status": 599}}}}, "no such status"),
        ({"routes": {AGENT: {"fail": {"every": 0}}}}, "every"),
        ({"freeze": {"for_s": 2, "every_s": 2}}, "every_s must be longer"),
        ({"freeze": {"for_s": 31, "every_s": 60}}, "for_s"),
        ({"leak": {"bytes": 2**20 + 1}}, "bytes"),
        ({"leak": {"fds": -1}}, "fds"),
        ({"events": {"drop_every": True}}, "drop_every"),
        ({"events": {"lose_every": 1}}, "lose_every"),
        ({"sockets": {"close_code": 1006, "after_events": 1}}, "close code"),
        ({"sockets": {"close_code": 2000, "after_events": 1}}, "close code"),
        ({"sockets": {"after_events": 0}}, "after_events"),
    ],
)
def test_what_is_no_switch_is_refused(
    open_portal: Callable[..., TestClient], switches: dict[str, Any], at: str
) -> None:
    """With 422 that says where, and what was on stays on."""
    portal = open_portal({"lab": True}, "admin")
    portal.put("/lab", json={"events": {"drop_every": 9}})
    answer = portal.put("/lab", json=switches)
    assert answer.status_code == 422
    assert at in answer.json()["detail"]
    assert portal.get("/lab").json()["switches"]["events"]["drop_every"] == 9


def test_who_may_turn_the_switches(open_portal: Callable[..., TestClient], portal: TestClient) -> None:
    """Administrators, where there are any: without PORTAL_LAB nothing is there, and nothing stands in the way."""
    stranger = TestClient(open_portal({"lab": True}, "admin").app, raise_server_exceptions=False)
    answers = [stranger.get("/lab"), stranger.put("/lab", json={}), stranger.delete("/lab")]
    assert [answer.status_code for answer in answers] == [401] * 3
    assert [portal.get("/lab").status_code, portal.put("/lab", json={}).status_code] == [404, 404]
    assert not any(middleware.cls.__name__ == "Faults" for middleware in portal.app.user_middleware)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("host", "allowed"), [("127.0.0.1", True), ("::1", True), ("0.0.0.0", False)])  # noqa: S104
def test_it_is_refused_unless_bound_to_loopback(host: str, allowed: bool) -> None:
    """Nobody breaks a portal that others use."""
    if allowed:
        assert Settings.from_environment({"PORTAL_LAB": "1"}, host=host).lab
    else:
        with pytest.raises(SettingsError, match="PORTAL_LAB"):
            Settings.from_environment({"PORTAL_LAB": "1"}, host=host)
    assert not Settings.from_environment({"PORTAL_LAB": "0"}, host=host).lab
