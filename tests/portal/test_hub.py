"""The hub, without sockets."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from portal import hub as hub_module
from portal.hub import Hub, HubFullError


class Listener:
    """A subscriber that keeps what it is given."""

    def __init__(self) -> None:
        self.frames: list[str] = []

    def put(self, frame: str) -> bool:
        """Keep a frame."""
        self.frames.append(frame)
        return True

    def numbers(self, channel: str) -> list[int]:
        """Return the hub's numbers of the events heard on a channel."""
        events = [json.loads(frame) for frame in self.frames]
        return [event["seq"] for event in events if event["channel"] == channel]


def _publish(hub: Hub, channel: str = "agent.1", seq: int = 0, data: dict[str, Any] | None = None) -> int:
    return hub.publish(channel, publisher="p1", publisher_seq=seq, intended_ns=11, sent_ns=12, data=data or {})


def test_an_event_carries_everything_the_publisher_said() -> None:
    """And the hub's own number."""
    hub, listener = Hub(), Listener()
    hub.subscribe(listener, ["agent.1"])
    assert _publish(hub, seq=7, data={"status": "busy"}) == 1
    (frame,) = listener.frames
    assert json.loads(frame) == {
        "type": "event",
        "channel": "agent.1",
        "seq": 1,
        "publisher": "p1",
        "publisher_seq": 7,
        "intended_ns": 11,
        "sent_ns": 12,
        "data": {"status": "busy"},
    }


def test_each_channel_counts_from_one_without_a_gap() -> None:
    """Whoever listens, and whether anybody does."""
    hub, listener = Hub(), Listener()
    assert _publish(hub, "agent.1") == 1
    assert hub.subscribe(listener, ["agent.1", "agent.2"]) == {"agent.1": 1, "agent.2": 0}
    for channel in ("agent.2", "agent.1", "agent.1", "agent.3", "agent.2"):
        _publish(hub, channel)
    assert listener.numbers("agent.1") == [2, 3]
    assert listener.numbers("agent.2") == [1, 2]
    assert listener.numbers("agent.3") == []


def test_subscribing_twice_is_subscribing_once() -> None:
    """No event comes twice."""
    hub, listener = Hub(), Listener()
    hub.subscribe(listener, ["agent.1"])
    hub.subscribe(listener, ["agent.1", "agent.1"])
    _publish(hub)
    assert listener.numbers("agent.1") == [1]


def test_unsubscribing_ends_the_events_and_tells_the_last_number() -> None:
    """So a client that comes back knows what it missed."""
    hub, listener = Hub(), Listener()
    hub.subscribe(listener, ["agent.1", "agent.2"])
    _publish(hub)
    assert hub.unsubscribe(listener, ["agent.1", "agent.9"]) == {"agent.1": 1, "agent.9": 0}
    _publish(hub)
    _publish(hub, "agent.2")
    assert listener.numbers("agent.1") == [1]
    assert listener.numbers("agent.2") == [1]
    assert hub.subscribe(listener, ["agent.1"]) == {"agent.1": 2}


def test_one_who_left_hears_nothing() -> None:
    """And leaving twice does no harm."""
    hub, listener, other = Hub(), Listener(), Listener()
    hub.subscribe(listener, ["agent.1"])
    hub.subscribe(other, ["agent.1"])
    hub.leave(listener)
    hub.leave(listener)
    _publish(hub)
    assert listener.frames == []
    assert other.numbers("agent.1") == [1]


def test_a_subscriber_that_refuses_stops_nobody() -> None:
    """The hub goes on to the next."""

    class Full:
        def put(self, frame: str) -> bool:
            return False

    hub, listener = Hub(), Listener()
    hub.subscribe(Full(), ["agent.1"])
    hub.subscribe(listener, ["agent.1"])
    assert [_publish(hub), _publish(hub)] == [1, 2]
    assert listener.numbers("agent.1") == [1, 2]


def test_an_event_is_encoded_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand subscribers get one and the same string."""
    encoded: list[dict[str, Any]] = []
    encode: Callable[[dict[str, Any]], str] = hub_module.encode

    def counting(frame: dict[str, Any]) -> str:
        encoded.append(frame)
        return encode(frame)

    monkeypatch.setattr(hub_module, "encode", counting)
    hub, listeners = Hub(), [Listener() for _ in range(1000)]
    for listener in listeners:
        hub.subscribe(listener, ["agent.1"])
    _publish(hub)
    assert len(encoded) == 1
    assert len({id(listener.frames[0]) for listener in listeners}) == 1


def test_data_that_json_cannot_hold_uses_up_no_number() -> None:
    """A gap would look like a lost event."""
    hub, listener = Hub(), Listener()
    hub.subscribe(listener, ["agent.1"])
    with pytest.raises(ValueError, match="JSON"):
        _publish(hub, data={"load": float("nan")})
    assert _publish(hub) == 1
    assert listener.numbers("agent.1") == [1]


def test_announcements_have_a_gapless_sequence_of_their_own_per_channel() -> None:
    """From 0, as any publisher's; the hub's number counts all events together."""
    hub, listener = Hub(), Listener()
    hub.subscribe(listener, ["agent.1", "agent.2"])
    hub.announce("agent.1", {"version": 2}, 100)
    _publish(hub, "agent.1")
    hub.announce("agent.1", {"version": 3}, 200)
    hub.announce("agent.2", {"version": 2}, 300)
    events = [json.loads(frame) for frame in listener.frames]
    assert [(e["channel"], e["seq"], e["publisher"], e["publisher_seq"], e["sent_ns"]) for e in events] == [
        ("agent.1", 1, "rest", 0, 100),
        ("agent.1", 2, "p1", 0, 12),
        ("agent.1", 3, "rest", 1, 200),
        ("agent.2", 1, "rest", 0, 300),
    ]


def test_channels_are_bounded_but_unused_ones_do_not_count() -> None:
    """A channel that never had an event is forgotten with its last subscriber."""
    hub, listener = Hub(max_channels=2), Listener()
    hub.subscribe(listener, ["a.1", "a.2"])
    with pytest.raises(HubFullError):
        _publish(hub, "a.3")
    hub.leave(listener)
    assert _publish(hub, "a.3") == 1
    assert _publish(hub, "a.4") == 1
    with pytest.raises(HubFullError):
        hub.subscribe(listener, ["a.5"])
    assert _publish(hub, "a.3") == 2
    assert hub.announce("agent.1", {}, 0) == 1  # a row has been changed already: this cannot be refused
