"""Version 2 of the REST routes, beside version 1."""

from collections.abc import Callable

import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from portal.seed import agent_rows, task_rows

V1_AT_MS = 1_767_225_600_123
"""2026-01-01T00:00:00.123Z."""


def _walk(portal: TestClient, url: str) -> list[int]:
    """Follow the cursors of `url` to the end and return the keys met."""
    keys: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = portal.get(url + (f"&cursor={cursor}" if cursor else "")).json()
        keys += [row["id"] for row in page["data"]]
        cursor = page["page"]["next"]
    return keys


@pytest.mark.parametrize(
    ("path", "successor"),
    [
        ("/api/v1/agents", "</api/v2/agents>"),
        ("/api/v1/tasks/1", "</api/v2/tasks>"),
        ("/api/v1/agents/999999", "</api/v2/agents>"),  # an error is an answer too
    ],
)
def test_version_1_names_its_end_and_its_successor(portal: TestClient, path: str, successor: str) -> None:
    """RFC 9745: a structured date; RFC 8594: an HTTP date; RFC 5829: successor-version."""
    headers = portal.get(path).headers
    assert headers["Deprecation"] == "@1795392000"
    assert headers["Sunset"] == "Sat, 01 Jan 2028 00:00:00 GMT"
    assert headers["Link"] == f'{successor}; rel="successor-version"'


@pytest.mark.parametrize("path", ["/api/v2/agents", "/api/v2/tasks/1", "/healthz", "/api/v1/auth/token"])
def test_nothing_else_is_deprecated(portal: TestClient, path: str) -> None:
    """Version 2 stays, and login has no successor."""
    assert not {"Deprecation", "Sunset", "Link"} & {name.title() for name in portal.get(path).headers}


def test_version_2_needs_a_token(anonymous: TestClient) -> None:
    """Its routes are guarded like those of version 1."""
    for path in ("/api/v2/agents", "/api/v2/tasks/1"):
        assert anonymous.get(path).status_code == 401


def test_how_version_2_shows_an_agent(open_portal: Callable[..., TestClient]) -> None:
    """The key is `id`, and moments are RFC 3339 in UTC to the millisecond."""
    portal = open_portal(clock=lambda: V1_AT_MS / 1000)
    answer = portal.post("/api/v2/agents", json={"name": "Ada"})
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/api/v2/agents/31"
    moment = "2026-01-01T00:00:00.123000Z"
    assert answer.json() == {
        "id": 31,
        "name": "Ada",
        "kind": "coder",
        "status": "idle",
        "last_heartbeat_at": None,
        "version": 1,
        "created_at": moment,
        "updated_at": moment,
    }
    assert portal.post("/api/v2/agents/31/heartbeat").status_code == 204
    assert portal.get("/api/v2/agents/31").json()["last_heartbeat_at"] == moment
    assert portal.get("/api/v1/agents/31").json()["created_at_ms"] == V1_AT_MS


def test_a_task_links_to_its_agent(portal: TestClient) -> None:
    """Null before it is assigned, a link after."""
    task = portal.post("/api/v2/tasks", json={"title": "Plan"})
    assert task.json()["agent"] is None
    place = task.headers["Location"]
    link = portal.post(f"{place}/assign", json={"agent_id": 7}).json()["agent"]
    assert link == {"id": 7, "href": "/api/v2/agents/7"}
    assert portal.get(link["href"]).json()["id"] == 7
    assert portal.patch(place, json={"priority": 9}, headers={"If-Match": '"2"'}).json()["version"] == 3
    assert portal.patch(place, json={"priority": 1}, headers={"If-Match": '"2"'}).status_code == 412


def test_filters_agree_with_a_scan_of_the_seeded_rows(open_portal: Callable[..., TestClient]) -> None:
    """Each filter, and all together, up and down, against a plain loop over the rows."""
    portal = open_portal()
    agents, tasks = agent_rows(30), task_rows(60, 30)
    busy = [row["agent_id"] for row in agents if row["status"] == "busy"]
    testers = [row["agent_id"] for row in agents if row["name"].startswith("tester-00")]
    of_7 = [row["task_id"] for row in tasks if row["agent_id"] == 7]
    urgent = [row["task_id"] for row in tasks if 3 <= row["priority"] <= 6 and row["status"] == "open"]
    assert busy and testers and of_7 and urgent  # noqa: PT018 (the oracle found something)
    assert _walk(portal, "/api/v2/agents?limit=3&status=busy") == busy
    assert _walk(portal, "/api/v2/agents?limit=3&kind=tester") == testers
    assert _walk(portal, "/api/v2/agents?limit=3&name_prefix=tester-00") == testers
    assert _walk(portal, "/api/v2/agents?limit=3&name_prefix=Tester") == []
    assert _walk(portal, "/api/v2/agents?limit=3&name_prefix=%25") == []
    assert _walk(portal, "/api/v2/agents?limit=7&order=-id") == list(range(30, 0, -1))
    assert _walk(portal, "/api/v2/tasks?limit=1&agent=7") == of_7
    assert _walk(portal, "/api/v2/tasks?limit=2&priority_ge=3&priority_le=6&status=open&order=-id") == urgent[::-1]


def test_a_cursor_belongs_to_its_filter(portal: TestClient) -> None:
    """Any other filter, order or version refuses it."""
    cursor = portal.get("/api/v2/tasks?limit=1&priority_ge=3").json()["page"]["next"]
    assert portal.get(f"/api/v2/tasks?limit=5&priority_ge=3&cursor={cursor}").status_code == 200
    for other in ("v2/tasks?priority_ge=4", "v2/tasks?priority_ge=3&order=-id", "v2/tasks?", "v2/agents?", "v1/tasks?"):
        assert portal.get(f"/api/{other}&cursor={cursor}").status_code == 400


@pytest.mark.parametrize(("count", "status"), [(0, 422), (1, 201), (500, 201), (501, 422)])
def test_bulk_takes_1_to_500_tasks(portal: TestClient, count: int, status: int) -> None:
    """The bounds themselves are allowed."""
    items = [{"title": f"t{number}", "priority": number % 10} for number in range(count)]
    answer = portal.post("/api/v2/tasks/bulk", json={"items": items})
    assert answer.status_code == status
    if status == 201:
        assert [{"title": row["title"], "priority": row["priority"]} for row in answer.json()["data"]] == items


def test_bulk_is_one_statement_and_all_or_nothing(open_portal: Callable[..., TestClient]) -> None:
    """One INSERT for 500 rows; one bad item and none is there."""
    portal = open_portal()
    sent: list[str] = []
    engine = portal.app.state.services.database._writer.sync_engine  # type: ignore[attr-defined]
    event.listen(engine, "before_cursor_execute", lambda *call: sent.append(call[2]))
    items: list[dict[str, object]] = [{"title": "t"}] * 500
    assert portal.post("/api/v2/tasks/bulk", json={"items": items}).status_code == 201
    assert [text[:17] for text in sent] == ["INSERT INTO tasks"]
    assert portal.post("/api/v2/tasks/bulk", json={"items": [*items[:9], {"title": ""}]}).status_code == 422
    assert len(sent) == 1
