"""Agents over REST: what each request does and answers."""

from collections.abc import Callable

from starlette.testclient import TestClient


def test_read_shows_the_seeded_row_with_its_version_as_etag(portal: TestClient) -> None:
    """An agent is read with an ETag that names its version."""
    answer = portal.get("/api/v1/agents/900")
    assert answer.status_code == 200
    body = answer.json()
    assert body["agent_id"] == 900
    assert body["name"] == f"{body['kind']}-0900"
    assert body["version"] == 1
    assert answer.headers["ETag"] == '"1"'


def test_create_answers_201_with_the_place_of_the_new_agent(portal: TestClient) -> None:
    """What Location names is what was created."""
    answer = portal.post("/api/v1/agents", json={"name": "  Ada  ", "kind": "planner"})
    assert answer.status_code == 201
    assert answer.json()["name"] == "Ada"
    assert answer.json()["status"] == "idle"
    assert answer.json()["last_heartbeat_at_ms"] is None
    assert portal.get(answer.headers["Location"]).json() == answer.json()


def test_patch_changes_only_what_it_names(open_portal: Callable[..., TestClient]) -> None:
    """Fields left out stay; version and time move on."""
    portal = open_portal(clock=lambda: 1_800_000_000.5)
    before = portal.get("/api/v1/agents/3").json()
    answer = portal.patch("/api/v1/agents/3", json={"status": "offline"})
    assert answer.status_code == 200
    expected = before | {"status": "offline", "version": 2, "updated_at_ms": 1_800_000_000_500}
    assert answer.json() == expected
    assert portal.get("/api/v1/agents/3").json() == expected


def test_heartbeat_notes_the_time_and_leaves_the_version(open_portal: Callable[..., TestClient]) -> None:
    """A heartbeat must not make every client's If-Match stale."""
    portal = open_portal(clock=lambda: 1_800_000_000.0)
    answer = portal.post("/api/v1/agents/4/heartbeat")
    assert answer.status_code == 204
    assert answer.content == b""
    agent = portal.get("/api/v1/agents/4").json()
    assert agent["last_heartbeat_at_ms"] == 1_800_000_000_000
    assert agent["version"] == 1


def test_an_unknown_agent_is_404_everywhere(portal: TestClient) -> None:
    """Read, change and heartbeat all say that there is none."""
    for answer in (
        portal.get("/api/v1/agents/999999"),
        portal.patch("/api/v1/agents/999999", json={"status": "idle"}),
        portal.post("/api/v1/agents/999999/heartbeat"),
    ):
        assert answer.status_code == 404
        assert answer.json()["detail"] == "there is no agent 999999"


def test_filter_by_status_shows_only_that_status(portal: TestClient) -> None:
    """The filter holds for every row."""
    agents = portal.get("/api/v1/agents?status=offline&limit=200").json()["items"]
    assert agents
    assert {agent["status"] for agent in agents} == {"offline"}
