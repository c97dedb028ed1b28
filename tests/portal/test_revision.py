"""Versions: no change is lost, and a stale one is refused."""

import pytest
from starlette.testclient import TestClient

from portal.revision import matching_versions


def _agent(portal: TestClient) -> str:
    return str(portal.post("/api/v1/agents", json={"name": "Ada"}).headers["Location"])


@pytest.mark.parametrize("collection", ["agents", "tasks"])
def test_a_stale_if_match_is_412_and_changes_nothing(portal: TestClient, collection: str) -> None:
    """If-Match that names another version is a failed precondition."""
    field = {"agents": {"name": "x"}, "tasks": {"title": "x"}}[collection]
    place = portal.post(f"/api/v1/{collection}", json=field).headers["Location"]
    assert portal.patch(place, json=field, headers={"If-Match": '"1"'}).status_code == 200
    answer = portal.patch(place, json=field, headers={"If-Match": '"1"'})
    assert answer.status_code == 412
    assert portal.get(place).json()["version"] == 2


def test_a_stale_version_in_the_body_is_409_and_changes_nothing(portal: TestClient) -> None:
    """A version in the body that is not the row's is a conflict."""
    place = _agent(portal)
    assert portal.patch(place, json={"status": "busy", "version": 1}).status_code == 200
    answer = portal.patch(place, json={"status": "idle", "version": 1})
    assert answer.status_code == 409
    assert portal.get(place).json()["status"] == "busy"


def test_a_change_that_names_no_version_is_applied_to_any(portal: TestClient) -> None:
    """Each one moves the version by one."""
    place = _agent(portal)
    versions = [portal.patch(place, json={"status": "busy"}).json()["version"] for _ in range(3)]
    assert versions == [2, 3, 4]


def test_any_and_lists_are_understood(portal: TestClient) -> None:
    """`*` matches whatever exists, a list matches when one of it does."""
    place = _agent(portal)
    assert portal.patch(place, json={"name": "a"}, headers={"If-Match": "*"}).status_code == 200
    assert portal.patch(place, json={"name": "b"}, headers={"If-Match": '"7", "2"'}).status_code == 200
    assert portal.patch("/api/v1/agents/999999", json={"name": "a"}, headers={"If-Match": "*"}).status_code == 404


@pytest.mark.parametrize(
    ("if_match", "versions"),
    [
        ('"3"', [3]),
        ('"3", "14"', [3, 14]),
        ('W/"3"', []),  # weak tags never match
        ('W/"3", "4"', [4]),
        ("3", []),  # a tag is quoted
        ('"abc"', []),
        ('"9223372036854775807"', [2**63 - 1]),
        ('"9223372036854775808"', []),  # no column holds it
    ],
)
def test_which_versions_an_if_match_names(if_match: str, versions: list[int]) -> None:
    """Only strong tags that can be a version count."""
    assert matching_versions(if_match) == versions


def test_assigning_respects_versions_too(portal: TestClient) -> None:
    """An assignment is a change like any other."""
    place = portal.post("/api/v1/tasks", json={"title": "Plan"}).headers["Location"]
    assert portal.post(f"{place}/assign", json={"agent_id": 1, "version": 9}).status_code == 409
    assert portal.post(f"{place}/assign", json={"agent_id": 1}, headers={"If-Match": '"9"'}).status_code == 412
    assert portal.post(f"{place}/assign", json={"agent_id": 1, "version": 1}).status_code == 200
