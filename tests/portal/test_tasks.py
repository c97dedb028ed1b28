"""Tasks over REST, and giving them to agents."""

from collections.abc import Callable

from starlette.testclient import TestClient


def test_a_new_task_is_open_and_belongs_to_nobody(portal: TestClient) -> None:
    """What Location names is what was created."""
    answer = portal.post("/api/v1/tasks", json={"title": "Measure the gateway", "priority": 9})
    assert answer.status_code == 201
    task = answer.json()
    assert (task["status"], task["agent_id"], task["priority"], task["version"]) == ("open", None, 9, 1)
    assert portal.get(answer.headers["Location"]).json() == task


def test_assigning_gives_the_task_to_the_agent(portal: TestClient) -> None:
    """The task is assigned, once more than before its version says."""
    task_id = portal.post("/api/v1/tasks", json={"title": "Plan"}).json()["task_id"]
    answer = portal.post(f"/api/v1/tasks/{task_id}/assign", json={"agent_id": 17})
    assert answer.status_code == 200
    task = answer.json()
    assert (task["agent_id"], task["status"], task["version"]) == (17, "assigned", 2)
    again = portal.post(f"/api/v1/tasks/{task_id}/assign", json={"agent_id": 18, "version": 2})
    assert again.json()["agent_id"] == 18


def test_a_task_that_has_ended_is_assigned_to_nobody(open_portal: Callable[..., TestClient]) -> None:
    """A finished task answers 409 and stays as it is."""
    portal = open_portal()
    for status in ("done", "failed"):
        before = portal.patch("/api/v1/tasks/5", json={"status": status}).json()
        answer = portal.post("/api/v1/tasks/5/assign", json={"agent_id": 1})
        assert answer.status_code == 409
        assert answer.json()["detail"] == "task 5 has ended"
        assert portal.get("/api/v1/tasks/5").json() == before


def test_assigning_to_an_agent_that_does_not_exist_is_422(portal: TestClient) -> None:
    """The body is at fault, not the path; nothing is written."""
    task = portal.post("/api/v1/tasks", json={"title": "Plan"}).json()
    answer = portal.post(f"/api/v1/tasks/{task['task_id']}/assign", json={"agent_id": 999_999})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "there is no agent 999999"
    assert portal.get(f"/api/v1/tasks/{task['task_id']}").json() == task


def test_an_unknown_task_is_404_everywhere(portal: TestClient) -> None:
    """Read, change and assign all say that there is none."""
    for answer in (
        portal.get("/api/v1/tasks/999999"),
        portal.patch("/api/v1/tasks/999999", json={"priority": 1}),
        portal.post("/api/v1/tasks/999999/assign", json={"agent_id": 1}),
    ):
        assert answer.status_code == 404
        assert answer.json()["detail"] == "there is no task 999999"
