"""Coming back to `/ws/agents` after a number."""

from collections.abc import Callable
from typing import Any

from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect


def _publish(socket: WebSocketTestSession, count: int, channel: str = "agent.7", **data: Any) -> None:
    for seq in range(count):
        frame = {"type": "publish", "channel": channel, "publisher": "p3", "seq": seq, "data": data}
        socket.send_json(frame | {"intended_ns": 5, "sent_ns": 6})
        assert socket.receive_json()["type"] == "published"


def _subscribe(socket: WebSocketTestSession, after: dict[str, int], **more: Any) -> dict[str, Any]:
    socket.send_json({"type": "subscribe", "id": 1, "channels": ["agent.7", "agent.8"], "after": after} | more)
    answer: dict[str, Any] = socket.receive_json()
    return answer


def _close_code(socket: WebSocketTestSession) -> int:
    """Read to the end and return the code of the close frame."""
    try:
        while True:
            socket.receive_json()
    except WebSocketDisconnect as closed:
        return closed.code


def test_what_was_missed_is_replayed_before_what_is_new(open_portal: Callable[..., TestClient]) -> None:
    """In order, once, each channel from the number that the client names; the answer says how many come."""
    portal = open_portal()
    with portal.websocket_connect("/ws/agents") as publisher, portal.websocket_connect("/ws/agents") as socket:
        _publish(publisher, 5)
        _publish(publisher, 2, "agent.8")
        answer = _subscribe(socket, {"agent.7": 2, "agent.8": 2})
        assert answer | {"epoch": None} == {
            "type": "subscribed",
            "id": 1,
            "channels": {"agent.7": 5, "agent.8": 2},
            "epoch": None,
            "replayed": {"agent.7": 3, "agent.8": 0},
            "lost": {},
        }
        _publish(publisher, 1, "agent.8")
        _publish(publisher, 1)
        events = [socket.receive_json() for _ in range(5)]
        assert [(event["channel"][-1], event["seq"]) for event in events] == [
            ("7", 3),
            ("7", 4),
            ("7", 5),
            ("8", 3),
            ("7", 6),
        ]


def test_what_is_no_longer_known_is_named(open_portal: Callable[..., TestClient]) -> None:
    """Of 1 to 10 the last four are kept; whoever saw 3 has lost 4 to 6."""
    portal = open_portal({"history_frames": 4})
    with portal.websocket_connect("/ws/agents") as socket:
        _publish(socket, 10)
        answer = _subscribe(socket, {"agent.7": 3})
        assert (answer["replayed"], answer["lost"]) == ({"agent.7": 4}, {"agent.7": {"from": 4, "to": 6}})
        assert [socket.receive_json()["seq"] for _ in range(4)] == [7, 8, 9, 10]


def test_numbers_of_another_epoch_mean_nothing(open_portal: Callable[..., TestClient]) -> None:
    """After a restart channels count from 1 again: the client is given all since then, and can see why."""
    portal = open_portal()
    with portal.websocket_connect("/ws/agents") as socket:
        _publish(socket, 2)
        epoch = _subscribe(socket, {}, channels=["agent.8"])["epoch"]
        for after, named, replayed in ((1, epoch, 1), (1, "another", 2), (9, None, 2)):
            with portal.websocket_connect("/ws/agents") as other:
                answer = _subscribe(other, {"agent.7": after}, epoch=named)
                assert (answer["epoch"], answer["replayed"]) == (epoch, {"agent.7": replayed})


def test_whoever_has_a_channel_cannot_come_back_to_it(open_portal: Callable[..., TestClient]) -> None:
    """It would hear events twice; nothing of the request is done."""
    portal = open_portal()
    with portal.websocket_connect("/ws/agents") as socket:
        _subscribe(socket, {}, channels=["agent.7"])
        refusal = _subscribe(socket, {"agent.7": 0})
        assert (refusal["type"], refusal["id"]) == ("error", 1)
        assert "agent.7" in refusal["detail"]
        _publish(socket, 1, "agent.8")  # only `published` comes back


def test_a_replay_that_does_not_fit_closes_with_1013(open_portal: Callable[..., TestClient]) -> None:
    """The queue is bounded for what is old as for what is new."""
    portal = open_portal({"queue_frames": 5})
    with portal.websocket_connect("/ws/agents") as socket:
        _publish(socket, 5)
        socket.send_json({"type": "subscribe", "channels": ["agent.7"], "after": {"agent.7": 0}})
        assert _close_code(socket) == 1013
