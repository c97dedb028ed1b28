"""Who may do what on which channel."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from portal.principal import SCOPES_OF, Principal
from portal.rights import Action, may
from portal.seed import PASSWORD

PRINCIPALS = {
    "viewer": Principal("viewer", SCOPES_OF["viewer"], "viewer"),
    "ann": Principal("ann", SCOPES_OF["operator"], "operator"),
    "admin": Principal("admin", SCOPES_OF["admin"], "admin"),
    "key:1": Principal("key:1", frozenset({"agents:write"})),
}
BOTH = {"subscribe", "publish"}


@pytest.mark.parametrize(
    ("channel", "allowed"),
    [
        ("agent.17", {"viewer": {"subscribe"}, "ann": BOTH, "admin": BOTH, "key:1": {"publish"}}),
        ("load.p3", {"viewer": {"subscribe"}, "ann": BOTH, "admin": BOTH, "key:1": {"publish"}}),
        ("private.ann.notes", {"ann": BOTH}),
        ("private.ann", {"ann": BOTH}),
        ("private.viewer.x", {"viewer": {"subscribe"}}),
        ("private.an", {}),
        ("private.annie.notes", {}),
        ("admin.audit", {"admin": BOTH}),
        ("administration.1", {"viewer": {"subscribe"}, "ann": BOTH, "admin": BOTH, "key:1": {"publish"}}),
        ("presence.agents", {"viewer": {"subscribe"}, "ann": {"subscribe"}, "admin": {"subscribe"}}),
    ],
)
def test_the_table_of_rights(channel: str, allowed: dict[str, set[Action]]) -> None:
    """As the page on the portal has it: what is not named there is refused."""
    for name, principal in PRINCIPALS.items():
        assert {action for action in BOTH if may(principal, channel, action)} == allowed.get(name, set()), name


def test_a_refusal_is_an_error_frame_and_is_noted(open_portal: Callable[..., TestClient]) -> None:
    """With the id of the request; nothing of it is done, not even for the other channels it names."""
    portal = open_portal()
    publish: dict[str, Any] = {"type": "publish", "publisher": "p", "seq": 0, "intended_ns": 1, "sent_ns": 2}
    with portal.websocket_connect("/ws/agents", headers={"X-Request-ID": "r1"}) as socket:
        for frame, detail in (
            (
                {"type": "subscribe", "channels": ["agent.1", "private.viewer.x"]},
                "user000 may not subscribe private.vie",
            ),
            ({"type": "subscribe", "channels": ["agent.1", "admin.1"]}, "scope admin is needed"),
            (publish | {"channel": "private.viewer.x"}, "user000 may not publish private.viewer.x"),
        ):
            socket.send_json(frame | {"id": 7})
            refusal = socket.receive_json()
            assert (refusal["type"], refusal["id"]) == ("error", 7)
            assert refusal["detail"].startswith(detail)
        socket.send_json(publish | {"channel": "agent.1"})
        assert socket.receive_json()["type"] == "published"  # and no event before it
        socket.send_json({"type": "subscribe", "channels": ["private.user000.x"]})
        assert socket.receive_json()["channels"] == {"private.user000.x": 0}
    form = {"username": "admin", "password": PASSWORD}
    token = portal.post("/api/v1/auth/token", data=form).json()["access_token"]
    rows = portal.get("/api/v1/audit", headers={"Authorization": f"Bearer {token}"}).json()["items"]
    refused = [(row["who"], row["what"], row["request_id"]) for row in rows if row["outcome"] == "refused"]
    assert sorted(refused) == [
        ("user000", "publish private.viewer.x", "r1"),
        ("user000", "scope admin", "r1"),
        ("user000", "subscribe private.viewer.x", "r1"),
    ]
