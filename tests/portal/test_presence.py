"""Who is connected."""

from collections.abc import Callable

from starlette.testclient import TestClient

from portal.seed import PASSWORD


def _headers(portal: TestClient, username: str) -> dict[str, str]:
    form = {"username": username, "password": PASSWORD}
    return {"Authorization": f"Bearer {portal.post('/api/v1/auth/token', data=form).json()['access_token']}"}


def test_accounts_come_and_go_once_however_many_sockets_they_have(open_portal: Callable[..., TestClient]) -> None:
    """A snapshot first; then the first socket of an account is told, and the end of its last."""
    portal = open_portal()
    one, two = _headers(portal, "user001"), _headers(portal, "viewer")
    with (
        portal.websocket_connect("/ws/agents") as watcher,
        portal.websocket_connect("/ws/agents", headers=two),
        portal.websocket_connect("/ws/agents", headers=two),
    ):
        watcher.send_json({"type": "subscribe", "channels": ["presence.agents", "agent.1"], "id": 1})
        answer = watcher.receive_json()
        assert answer == {"type": "subscribed", "channels": {"agent.1": 0, "presence.agents": 2}, "id": 1}
        presence = {"type": "presence", "channel": "presence.agents"}
        assert watcher.receive_json() == presence | {"seq": 2, "present": ["user000", "viewer"], "count": 2}
        with portal.websocket_connect("/ws/agents", headers=one):
            assert watcher.receive_json() == presence | {"seq": 3, "joined": "user001", "count": 3}
            with portal.websocket_connect("/ws/agents", headers=one):
                pass
            with portal.websocket_connect("/ws/agents"):  # the watcher's own account
                pass
        assert watcher.receive_json() == presence | {"seq": 4, "left": "user001", "count": 2}
        watcher.send_json({"type": "unsubscribe", "channels": ["presence.agents"], "id": 2})
        assert watcher.receive_json() == {"type": "unsubscribed", "channels": {"presence.agents": 4}, "id": 2}
        with portal.websocket_connect("/ws/agents", headers=one):
            watcher.send_json({"type": "unsubscribe", "channels": ["presence.agents"]})
            assert watcher.receive_json()["channels"] == {"presence.agents": 5}  # the join was not told


def test_presence_is_the_portals_own(open_portal: Callable[..., TestClient]) -> None:
    """Nobody publishes there, nothing is kept, and there is one such channel."""
    portal = open_portal()
    publish = {"type": "publish", "publisher": "p", "seq": 0, "intended_ns": 1, "sent_ns": 2}
    with portal.websocket_connect("/ws/agents") as socket:
        for frame, detail in (
            (publish | {"channel": "presence.agents"}, "may not publish presence.agents"),
            ({"type": "subscribe", "channels": ["presence.others"]}, "only presence.agents"),
            ({"type": "subscribe", "channels": ["presence.agents"], "after": {"presence.agents": 0}}, "told anew"),
        ):
            socket.send_json(frame)
            refusal = socket.receive_json()
            assert refusal["type"] == "error"
            assert detail in refusal["detail"]
