"""`/ws/agents`, frame by frame."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from portal.rate import Rate


def _publish(seq: int, channel: str = "agent.7", **more: Any) -> dict[str, Any]:
    frame = {"type": "publish", "id": seq, "channel": channel, "publisher": "p3", "seq": seq}
    return frame | {"intended_ns": 5, "sent_ns": 6, "data": {"n": seq}} | more


def _close_code(socket: WebSocketTestSession) -> int:
    """Read to the end and return the code of the close frame."""
    try:
        while True:
            socket.receive_json()
    except WebSocketDisconnect as closed:
        return closed.code


def test_a_token_is_asked_for_before_the_handshake(anonymous: TestClient) -> None:
    """Without a valid one: 403, as a problem. A refresh token is not one."""
    pair = anonymous.post("/api/v1/auth/token", data={"username": "user000", "password": "agents-at-work"}).json()
    for url, headers in (
        ("/ws/agents", {}),
        ("/ws/agents?token=", {}),
        ("/ws/agents?token=nonsense", {}),
        ("/ws/agents", {"Authorization": "Bearer nonsense"}),
        (f"/ws/agents?token={pair['refresh_token']}", {}),
    ):
        with pytest.raises(WebSocketDenialResponse) as caught, anonymous.websocket_connect(url, headers=headers):
            pass
        assert caught.value.status_code == 403
        assert caught.value.json()["status"] == 403
    for url, headers in (
        (f"/ws/agents?token={pair['access_token']}", {}),
        ("/ws/agents", {"Authorization": f"Bearer {pair['access_token']}"}),
    ):
        with anonymous.websocket_connect(url, headers=headers) as socket:
            socket.send_json({"type": "subscribe", "channels": ["agent.1"]})
            assert socket.receive_json()["type"] == "subscribed"


def test_publishing_reaches_every_subscriber_and_is_acknowledged(open_portal: Callable[..., TestClient]) -> None:
    """The numbers of the hub are gapless, and the acknowledgement names the same one."""
    portal = open_portal()
    with (
        portal.websocket_connect("/ws/agents") as publisher,
        portal.websocket_connect("/ws/agents") as one,
        portal.websocket_connect("/ws/agents") as two,
    ):
        for socket in (one, two):
            socket.send_json({"type": "subscribe", "channels": ["agent.7", "agent.8"], "id": "s"})
            assert socket.receive_json() == {"type": "subscribed", "channels": {"agent.7": 0, "agent.8": 0}, "id": "s"}
        for seq in range(5):
            publisher.send_json(_publish(seq))
        publisher.send_json(_publish(5, "agent.9"))
        acks = [publisher.receive_json() for _ in range(6)]
        assert acks[:5] == [{"type": "published", "id": n, "channel": "agent.7", "seq": n + 1} for n in range(5)]
        assert acks[5] == {"type": "published", "id": 5, "channel": "agent.9", "seq": 1}
        for socket in (one, two):
            assert [socket.receive_json() for _ in range(5)] == [
                {
                    "type": "event",
                    "channel": "agent.7",
                    "seq": n + 1,
                    "publisher": "p3",
                    "publisher_seq": n,
                    "intended_ns": 5,
                    "sent_ns": 6,
                    "data": {"n": n},
                }
                for n in range(5)
            ]


def test_a_late_subscriber_learns_where_the_channel_stands(open_portal: Callable[..., TestClient]) -> None:
    """The next event it gets is the one after."""
    portal = open_portal()
    with portal.websocket_connect("/ws/agents") as socket:
        socket.send_json(_publish(0))
        assert socket.receive_json()["seq"] == 1
        socket.send_json({"type": "subscribe", "channels": ["agent.7"]})
        assert socket.receive_json()["channels"] == {"agent.7": 1}
        socket.send_json(_publish(1))
        assert [socket.receive_json() for _ in range(2)] == [
            {
                "type": "event",
                "channel": "agent.7",
                "seq": 2,
                "publisher": "p3",
                "publisher_seq": 1,
                "intended_ns": 5,
                "sent_ns": 6,
                "data": {"n": 1},
            },
            {"type": "published", "id": 1, "channel": "agent.7", "seq": 2},
        ]
        socket.send_json({"type": "unsubscribe", "channels": ["agent.7"], "id": 3})
        assert socket.receive_json() == {"type": "unsubscribed", "channels": {"agent.7": 2}, "id": 3}
        socket.send_json(_publish(2))
        assert socket.receive_json()["type"] == "published"


def test_a_rest_patch_publishes_the_changed_agent(open_portal: Callable[..., TestClient]) -> None:
    """By publisher `rest`, at the server's own monotonic time; what changed nothing says nothing."""
    portal = open_portal(monotonic_ns=lambda: 123_456_789)
    with portal.websocket_connect("/ws/agents") as socket:
        socket.send_json({"type": "subscribe", "channels": ["agent.7"]})
        socket.receive_json()
        assert portal.patch("/api/v1/agents/8", json={"name": "x"}).status_code == 200  # another agent
        assert portal.patch("/api/v1/agents/7", json={"name": "x", "version": 9}).status_code == 409
        bodies = [portal.patch("/api/v1/agents/7", json={"name": f"n{i}"}).json() for i in range(3)]
        for number, body in enumerate(bodies):
            assert socket.receive_json() == {
                "type": "event",
                "channel": "agent.7",
                "seq": number + 1,
                "publisher": "rest",
                "publisher_seq": number,
                "intended_ns": 123_456_789,
                "sent_ns": 123_456_789,
                "data": body,
            }


def test_malformed_frames_are_answered_and_abuse_closes_with_1008(open_portal: Callable[..., TestClient]) -> None:
    """Text that is no frame, binary, and NaN are errors; the fourth closes where four are too many."""
    portal = open_portal({"malformed_frames": 4})
    with portal.websocket_connect("/ws/agents") as socket:
        socket.send_text("hello")
        error = socket.receive_json()
        assert (error["type"], error["id"]) == ("error", None)
        socket.send_bytes(b'{"type":"subscribe","channels":["agent.1"]}')
        assert socket.receive_json() == {"type": "error", "id": None, "detail": "frames are text"}
        socket.send_text(json.dumps(_publish(3, data={"x": float("nan")})))
        assert socket.receive_json()["id"] == 3
        socket.send_json({"type": "subscribe", "channels": ["agent.7"]})  # a good frame between is still understood
        assert socket.receive_json()["channels"] == {"agent.7": 0}
        socket.send_text("{}")
        assert _close_code(socket) == 1008


def test_a_frame_that_is_too_long_closes_with_1009(open_portal: Callable[..., TestClient]) -> None:
    """Nothing of it is read."""
    portal = open_portal({"frame_bytes": 100})
    with portal.websocket_connect("/ws/agents") as socket:
        socket.send_text(" " * 101)
        assert _close_code(socket) == 1009


def test_frames_are_limited_per_principal(open_portal: Callable[..., TestClient]) -> None:
    """Over all of its sockets, by a bucket of its own beside that of requests; a refused frame is not obeyed."""
    now_ns = [0]
    portal = open_portal({"rate_limit": Rate(3, 60)}, monotonic_ns=lambda: now_ns[0])
    with portal.websocket_connect("/ws/agents") as socket, portal.websocket_connect("/ws/agents") as other:
        for seq in range(3):
            socket.send_json(_publish(seq))
            assert socket.receive_json()["seq"] == seq + 1
        other.send_json(_publish(3))
        refusal = other.receive_json()
        assert (refusal["type"], refusal["id"]) == ("error", 3)
        assert "try again in 20 s" in refusal["detail"]  # 60 s / 3
        now_ns[0] += 20 * 10**9
        other.send_json(_publish(3))
        assert other.receive_json()["seq"] == 4
