"""Pages: every row exactly once, whatever happens meanwhile."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from portal.cursor import CursorError, decode_cursor, encode_cursor


def _walk(portal: TestClient, url: str, between: Callable[[], object] = lambda: None) -> list[int]:
    """Follow the cursors of `url` to the end and return the keys met."""
    key = "agent_id" if "agents" in url else "task_id"
    page = portal.get(url).json()
    keys = [row[key] for row in page["items"]]
    while page["next_cursor"] is not None:
        between()
        page = portal.get(f"{url}{'&' if '?' in url else '?'}cursor={page['next_cursor']}").json()
        keys += [row[key] for row in page["items"]]
    return keys


def test_a_walk_meets_every_seeded_row_once(open_portal: Callable[..., TestClient]) -> None:
    """Thirty agents and sixty tasks, in pages that do and do not divide them."""
    portal = open_portal()
    assert _walk(portal, "/api/v1/agents?limit=7") == list(range(1, 31))
    assert _walk(portal, "/api/v1/agents?limit=10") == list(range(1, 31))
    assert _walk(portal, "/api/v1/agents") == list(range(1, 31))
    assert _walk(portal, "/api/v1/tasks?limit=1") == list(range(1, 61))


def test_the_statuses_share_the_rows_among_them(open_portal: Callable[..., TestClient]) -> None:
    """Walks under each filter together are the walk without one."""
    portal = open_portal()
    parts = [_walk(portal, f"/api/v1/agents?limit=3&status={status}") for status in ("idle", "busy", "offline")]
    assert sorted(key for part in parts for key in part) == list(range(1, 31))


def test_rows_inserted_during_a_walk_disturb_nothing(open_portal: Callable[..., TestClient]) -> None:
    """Rows that were there are met once, new ones at most once, and all in order."""
    portal = open_portal()
    left = iter(range(5))

    def insert() -> None:
        if next(left, None) is not None:
            portal.post("/api/v1/agents", json={"name": "late"})

    assert _walk(portal, "/api/v1/agents?limit=4", insert) == list(range(1, 36))


def test_a_changed_row_keeps_its_place(open_portal: Callable[..., TestClient]) -> None:
    """The order is by key, which no change touches."""
    portal = open_portal()
    walk = _walk(
        portal, "/api/v1/agents?limit=10", lambda: portal.patch("/api/v1/agents/30", json={"name": "aaa"}).status_code
    )
    assert walk == list(range(1, 31))


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x"])
def test_a_limit_out_of_range_is_422(portal: TestClient, limit: str) -> None:
    """A page has 1 to 200 rows."""
    assert portal.get(f"/api/v1/agents?limit={limit}").status_code == 422


def test_the_largest_page_has_200_rows(portal: TestClient) -> None:
    """The bound itself is allowed."""
    assert len(portal.get("/api/v1/tasks?limit=200").json()["items"]) == 200


def test_a_cursor_is_good_for_its_own_collection_and_filter_only(portal: TestClient) -> None:
    """Carried elsewhere it is refused, not misread."""
    cursor = portal.get("/api/v1/agents?limit=1&status=idle").json()["next_cursor"]
    assert portal.get(f"/api/v1/agents?limit=1&status=idle&cursor={cursor}").status_code == 200
    assert portal.get(f"/api/v1/agents?limit=1&status=busy&cursor={cursor}").status_code == 400
    assert portal.get(f"/api/v1/tasks?limit=1&cursor={cursor}").status_code == 400


@pytest.mark.parametrize("cursor", ["", "x", "!!!", "e30", "WzEsMiwzXQ", "bnVsbA", "WyJhZ2VudHMiLG51bGwsMWUzMDBd", "é"])
def test_a_cursor_not_of_ours_is_400(portal: TestClient, cursor: str) -> None:
    """Nonsense is the client's fault, never a crash."""
    answer = portal.get("/api/v1/agents", params={"cursor": cursor})
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_cursor_says_where_it_was_made() -> None:
    """Encoding and decoding are inverse, and keys that no column holds are refused."""
    assert decode_cursor(encode_cursor("agents", "idle", 17), "agents", "idle") == 17
    with pytest.raises(CursorError):
        decode_cursor(encode_cursor("agents", None, 2**63), "agents", None)
    with pytest.raises(CursorError):
        decode_cursor(encode_cursor("agents", None, -1), "agents", None)
