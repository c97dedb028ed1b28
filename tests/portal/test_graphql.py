"""GraphQL over HTTP: what each operation does and answers."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, get_args

import pytest
from graphql import build_schema, parse, validate
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.testclient import TestClient

from portal import schemas
from portal.graphql import types
from portal.seed import PASSWORD

GRAPHQL = "application/graphql-response+json"


def _ask(portal: TestClient, query: str, **variables: Any) -> Any:
    """Ask, and return what was answered, errors and all."""
    answer = portal.post("/graphql", json={"query": query, "variables": variables})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json()


def _data(portal: TestClient, query: str, **variables: Any) -> Any:
    answer = _ask(portal, query, **variables)
    assert "errors" not in answer
    return answer["data"]


def _codes(portal: TestClient, query: str, **variables: Any) -> list[str]:
    return [error["extensions"]["code"] for error in _ask(portal, query, **variables)["errors"]]


def _rest_walk(portal: TestClient, url: str) -> list[dict[str, Any]]:
    page = portal.get(f"{url}?limit=200").json()
    rows: list[dict[str, Any]] = page["items"]
    while page["next_cursor"]:
        page = portal.get(f"{url}?limit=200&cursor={page['next_cursor']}").json()
        rows += page["items"]
    return rows


@contextmanager
def _statements() -> Iterator[list[str]]:
    """Collect the SQL statements that are sent meanwhile."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_an_agent_and_a_task_are_those_of_rest(portal: TestClient) -> None:
    """Names are in camel case, keys are IDs, words are enumerations; nothing else differs."""
    agent = _data(
        portal,
        "{agent(id: 900) {id name kind status lastHeartbeatAtMs version createdAtMs updatedAtMs}}",
    )["agent"]
    rest = portal.get("/api/v1/agents/900").json()
    assert agent == {
        "id": "900",
        "name": rest["name"],
        "kind": rest["kind"],
        "status": rest["status"].upper(),
        "lastHeartbeatAtMs": rest["last_heartbeat_at_ms"],
        "version": rest["version"],
        "createdAtMs": rest["created_at_ms"],
        "updatedAtMs": rest["updated_at_ms"],
    }
    task = _data(portal, "{task(id: 77) {id title status priority version createdAtMs updatedAtMs agent {id}}}")["task"]
    rest = portal.get("/api/v1/tasks/77").json()
    assert task == {
        "id": "77",
        "title": rest["title"],
        "status": rest["status"].upper(),
        "priority": rest["priority"],
        "version": rest["version"],
        "createdAtMs": rest["created_at_ms"],
        "updatedAtMs": rest["updated_at_ms"],
        "agent": {"id": str(rest["agent_id"])} if rest["agent_id"] else None,
    }


def test_what_is_not_there_is_null(portal: TestClient) -> None:
    """Asking for a row that does not exist is no error."""
    assert _data(portal, "{agent(id: 999999) {id} task(id: 999999) {id}}") == {"agent": None, "task": None}


@pytest.mark.parametrize("key", ["0", "-1", "x", "01", "1.0", "9223372036854775808", "٣"])
def test_a_key_that_no_row_can_have_is_refused(portal: TestClient, key: str) -> None:
    """Keys are whole numbers from 1 that a column holds."""
    assert _codes(portal, "query($id: ID!) {agent(id: $id) {id}}", id=key) == ["INVALID"]


def test_enumerations_hold_the_words_of_rest() -> None:
    """A word that REST learns must be learned here too."""
    assert [one.value for one in types.AgentStatus] == list(get_args(schemas.AgentStatus))
    assert [one.value for one in types.TaskStatus] == list(get_args(schemas.TaskStatus))


@pytest.mark.parametrize("first", [1, 7, 10, 100])
def test_a_walk_meets_every_row_once(open_portal: Callable[..., TestClient], first: int) -> None:
    """Thirty agents and sixty tasks, in pages that do and do not divide them."""
    portal = open_portal()
    for name, count in (("agents", 30), ("tasks", 60)):
        query = f"""query($first: Int!, $after: String) {{
            page: {name}(first: $first, after: $after) {{
                edges {{cursor node {{id}}}}
                pageInfo {{hasNextPage hasPreviousPage startCursor endCursor}}
            }}
        }}"""
        met: list[str] = []
        after = None
        while True:
            page = _data(portal, query, first=first, after=after)["page"]
            cursors = [edge["cursor"] for edge in page["edges"]]
            met += [edge["node"]["id"] for edge in page["edges"]]
            assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
            assert (page["pageInfo"]["startCursor"], page["pageInfo"]["endCursor"]) == (cursors[0], cursors[-1])
            assert page["pageInfo"]["hasNextPage"] is (len(met) < count)
            if len(met) >= count:
                break
            after = page["pageInfo"]["endCursor"]
        assert met == [str(key) for key in range(1, count + 1)]


def test_a_page_filtered_by_status_shows_only_that_status(portal: TestClient) -> None:
    """And its cursor goes on under this filter only."""
    query = """query($after: String, $of: TaskStatus) {
        tasks(first: 5, after: $after, status: $of) {edges {cursor node {status}}}
    }"""
    edges = _data(portal, query, of="DONE")["tasks"]["edges"]
    assert [edge["node"]["status"] for edge in edges] == ["DONE"] * 5
    assert len(_data(portal, query, of="DONE", after=edges[0]["cursor"])["tasks"]["edges"]) == 5
    assert _codes(portal, query, of="FAILED", after=edges[0]["cursor"]) == ["INVALID"]
    assert _codes(portal, query, after="nonsense") == ["INVALID"]


BOARD = """query($agents: Int!) {
    agents(first: $agents) {edges {node {id tasks(first: 10) {edges {node {id agent {id}}}}}}}
}"""


@pytest.mark.parametrize("agents", [5, 50])
def test_three_statements_read_a_board_of_any_size(open_portal: Callable[..., TestClient], agents: int) -> None:
    """A page of agents, all of their tasks, all of those tasks' agents; and the answer is what REST says row by row."""
    portal = open_portal({"agents": 60, "tasks": 900, "graphql_cost": 5_000})
    tasks = _rest_walk(portal, "/api/v1/tasks")
    with _statements() as sent:
        board = _data(portal, BOARD, agents=agents)["agents"]["edges"]
    assert len(sent) == 3
    assert {
        edge["node"]["id"]: [(one["node"]["id"], one["node"]["agent"]["id"]) for one in edge["node"]["tasks"]["edges"]]
        for edge in board
    } == {
        str(key): [(str(task["task_id"]), str(key)) for task in tasks if task["agent_id"] == key][:10]
        for key in range(1, agents + 1)
    }
    assert max(len(edge["node"]["tasks"]["edges"]) for edge in board) == 10


def test_an_agents_tasks_are_walked_too(open_portal: Callable[..., TestClient]) -> None:
    """Each agent's tasks have their own cursors, and filters hold."""
    portal = open_portal({"agents": 3, "tasks": 90})
    tasks = _rest_walk(portal, "/api/v1/tasks")
    query = """query($after: String, $of: TaskStatus) {agent(id: 2) {
        tasks(first: 4, after: $after, status: $of) {edges {node {id}} pageInfo {endCursor hasNextPage}}
    }}"""
    for status in (None, "DONE"):
        met: list[str] = []
        page = _data(portal, query, of=status)["agent"]["tasks"]
        met += [edge["node"]["id"] for edge in page["edges"]]
        while page["pageInfo"]["hasNextPage"]:
            page = _data(portal, query, of=status, after=page["pageInfo"]["endCursor"])["agent"]["tasks"]
            met += [edge["node"]["id"] for edge in page["edges"]]
        assert met == [
            str(task["task_id"]) for task in tasks if task["agent_id"] == 2 and status in (None, task["status"].upper())
        ]
    other = "query($after: String) {agent(id: 1) {tasks(after: $after) {edges {node {id}}}}}"
    assert _codes(portal, other, after=page["pageInfo"]["endCursor"]) == ["INVALID"]


def test_activity_is_what_changed_last(open_portal: Callable[..., TestClient]) -> None:
    """Two changes come first, the newer one before the older; the rest is the newest of the seeded rows."""
    now = iter(range(1_800_000_000, 1_900_000_000))
    portal = open_portal(clock=lambda: next(now))
    portal.patch("/api/v1/tasks/9", json={"priority": 1})
    portal.patch("/api/v1/agents/5", json={"status": "busy"})
    times = [row["updated_at_ms"] for url in ("/api/v1/agents", "/api/v1/tasks") for row in _rest_walk(portal, url)]
    answer = _data(
        portal,
        "{activity(first: 40) {atMs subject {__typename ... on Agent {id} ... on Task {id}}}}",
    )["activity"]
    assert [one["subject"] for one in answer[:2]] == [
        {"__typename": "Agent", "id": "5"},
        {"__typename": "Task", "id": "9"},
    ]
    assert [one["atMs"] for one in answer] == sorted(times, reverse=True)[:40]


UPDATE = """mutation($id: ID!, $changes: AgentChanges!, $version: Int) {
    updateAgent(id: $id, changes: $changes, version: $version) {id name status version updatedAtMs}
}"""


def test_an_update_changes_only_what_it_names_and_is_announced_as_over_rest(
    open_portal: Callable[..., TestClient],
) -> None:
    """Those who watch the channel are told the agent as REST shows it, numbered by REST's own publisher."""
    portal = open_portal(clock=lambda: 1_800_000_000.5)
    before = portal.get("/api/v1/agents/3").json()
    with portal.websocket_connect("/ws/agents") as watcher:
        watcher.send_json({"type": "subscribe", "channels": ["agent.3"]})
        watcher.receive_json()
        agent = _data(portal, UPDATE, id=3, changes={"status": "OFFLINE"}, version=1)["updateAgent"]
        heard = watcher.receive_json()
    expected = before | {"status": "offline", "version": 2, "updated_at_ms": 1_800_000_000_500}
    assert agent == {
        "id": "3",
        "name": before["name"],
        "status": "OFFLINE",
        "version": 2,
        "updatedAtMs": 1_800_000_000_500,
    }
    assert portal.get("/api/v1/agents/3").json() == expected
    assert (heard["publisher"], heard["publisher_seq"], heard["data"]) == ("rest", 0, expected)


def test_updates_that_cannot_be_are_refused_with_a_code(open_portal: Callable[..., TestClient]) -> None:
    """Each leaves the row as it was."""
    portal = open_portal()
    before = portal.get("/api/v1/agents/3").json()
    for code, variables in (
        ("CONFLICT", {"id": 3, "changes": {"status": "IDLE"}, "version": 2}),
        ("NOT_FOUND", {"id": 999, "changes": {"status": "IDLE"}}),
        ("INVALID", {"id": 3, "changes": {}}),
        ("INVALID", {"id": 3, "changes": {"name": None}}),
        ("INVALID", {"id": 3, "changes": {"name": "   "}}),
        ("INVALID", {"id": 3, "changes": {"kind": "No Kind"}}),
        ("INVALID", {"id": 3, "changes": {"status": "idle"}}),
        ("INVALID", {"id": 3, "changes": {"status": "IDLE"}, "version": 0}),
        ("INVALID", {"id": "x", "changes": {"status": "IDLE"}}),
    ):
        assert _codes(portal, UPDATE, **variables) == [code], variables
    assert portal.get("/api/v1/agents/3").json() == before


def test_a_task_is_created_and_given_to_an_agent(open_portal: Callable[..., TestClient]) -> None:
    """And a task that has ended, an agent that is not there, or a stale version are refused."""
    portal = open_portal()
    create = 'mutation {createTask(title: " Rest ", priority: 9) {id title priority status version agent {id}}}'
    task = _data(portal, create)["createTask"]
    assert task == {"id": "61", "title": "Rest", "priority": 9, "status": "OPEN", "version": 1, "agent": None}
    assign = """mutation($task: ID!, $agent: ID!, $version: Int) {
        assignTask(taskId: $task, agentId: $agent, version: $version) {id status version agent {id name}}
    }"""
    assert _data(portal, assign, task=61, agent=4, version=1)["assignTask"] == {
        "id": "61",
        "status": "ASSIGNED",
        "version": 2,
        "agent": {"id": "4", "name": portal.get("/api/v1/agents/4").json()["name"]},
    }
    assert _codes(portal, assign, task=61, agent=4, version=1) == ["CONFLICT"]
    assert _codes(portal, assign, task=61, agent=999) == ["INVALID"]
    assert _codes(portal, assign, task=999, agent=4) == ["NOT_FOUND"]
    portal.patch("/api/v1/tasks/61", json={"status": "done"})
    assert _ask(portal, assign, task=61, agent=5)["errors"][0]["message"] == "task 61 has ended"
    assert _codes(portal, 'mutation {createTask(title: "x", priority: 10) {id}}') == ["INVALID"]


def test_mutations_see_each_others_changes_in_order(open_portal: Callable[..., TestClient]) -> None:
    """Root fields of a mutation run one after the other (GraphQL, section 6.2.2)."""
    portal = open_portal()
    answer = _data(
        portal,
        """mutation {
            one: updateAgent(id: 3, changes: {status: BUSY}, version: 1) {version}
            two: updateAgent(id: 3, changes: {status: IDLE}, version: 2) {version}
        }""",
    )
    assert answer == {"one": {"version": 2}, "two": {"version": 3}}


def test_a_token_is_asked_for_as_everywhere(anonymous: TestClient) -> None:
    """Without a valid one: 401, as a problem, with the challenge of RFC 6750."""
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}):
        answer = anonymous.post("/graphql", json={"query": "{agent(id: 1) {id}}"}, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_requests_that_are_not_well_formed_are_problems(portal: TestClient) -> None:
    """GraphQL over HTTP, section 6: the method, the media types, the parameters of the body."""
    headers = {"Content-Type": "application/json"}
    for body in (b"", b"{", b'"x"', b"{}", b'{"query": 1}', b'{"query": "{a}", "variables": []}', b'{"query": null}'):
        answer = portal.post("/graphql", content=body, headers=headers)
        assert answer.status_code == 400, body
        assert answer.headers["Content-Type"] == "application/problem+json"
    batch = portal.post("/graphql", json=[{"query": "{agent(id: 1) {id}}"}])
    assert (batch.status_code, batch.json()["detail"]) == (400, "one operation in one request: batches are not taken")
    assert portal.post("/graphql", content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415
    assert portal.get("/graphql?query={agent(id:1){id}}").status_code == 405
    assert portal.get("/graphql").headers["Allow"] == "POST"
    assert portal.post("/graphql", content=b" " * 70_000, headers=headers).status_code == 413


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("application/graphql-response+json", GRAPHQL),
        ("application/graphql-response+json, application/json;q=0.9", GRAPHQL),
        ("application/json, application/graphql-response+json", GRAPHQL),
        ("application/graphql-response+json;q=0.5, application/json", "application/json"),
        ("application/graphql-response+json;q=0, */*;q=0.1", "application/json"),
        ("text/html", None),
        ("application/json;q=0", None),
        ("application/json;q=nan", None),
    ],
)
def test_the_answer_comes_in_a_media_type_that_was_asked_for(
    portal: TestClient, accept: str, answered: str | None
) -> None:
    """RFC 9110, section 12.5.1; the newer media type answers 400 to what was not begun, the older one 200."""
    good, bad = (
        portal.post("/graphql", json={"query": query}, headers={"Accept": accept})
        for query in ("{agent(id: 1) {id}}", "{nothing}")
    )
    if answered is None:
        assert good.status_code == 406
        return
    assert (good.status_code, good.headers["Content-Type"]) == (200, answered)
    assert (bad.status_code, bad.headers["Content-Type"]) == (400 if answered == GRAPHQL else 200, answered)
    assert "data" not in bad.json()


@pytest.mark.parametrize(
    "body",
    [
        {"query": ""},
        {"query": "{"},
        {"query": "{agent(id: 1) {nothing}}"},
        {"query": "query($n: Int!) {agents(first: $n) {edges {cursor}}}", "variables": {"n": "x"}},
        {"query": "query a {agent(id: 1) {id}}", "operationName": "b"},
        {"query": "query a {agent(id: 1) {id}} query b {agent(id: 1) {id}}"},
        {"query": "subscription {agentChanged(id: 1) {id}}"},
    ],
)
def test_an_operation_that_was_not_begun_has_no_data(portal: TestClient, body: dict[str, Any]) -> None:
    """GraphQL, section 7.1: a request error has errors and no data; each of ours has a code."""
    answer = portal.post("/graphql", json=body, headers={"Accept": GRAPHQL})
    assert answer.status_code == 400
    assert list(answer.json()) == ["errors"]
    assert {error["extensions"]["code"] for error in answer.json()["errors"]} == {"INVALID"}


def test_an_operation_that_failed_midway_is_200_with_what_there_is(portal: TestClient) -> None:
    """GraphQL over HTTP: there is data, so the status is 2xx; the failed field is null and has its path."""
    query = '{good: agent(id: 1) {id} bad: agent(id: "x") {id}}'
    answer = portal.post("/graphql", json={"query": query}, headers={"Accept": GRAPHQL})
    assert answer.status_code == 200
    assert answer.json()["data"] == {"good": {"id": "1"}, "bad": None}
    assert [error["path"] for error in answer.json()["errors"]] == [["bad"]]


def test_what_nobody_expected_is_masked_and_logged(
    portal: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The client learns where, the log learns what."""

    def broken(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(types.Agent, "of", broken)
    with caplog.at_level(logging.ERROR, logger="portal"):
        answer = _ask(portal, "{agent(id: 1) {id}}")
    assert answer["data"] == {"agent": None}
    (error,) = answer["errors"]
    assert error["message"] == "the portal failed; the cause is in its log"
    assert (error["path"], error["extensions"]) == (["agent"], {"code": "INTERNAL"})
    assert "a secret" in caplog.text


def test_a_busy_database_is_no_fault(portal: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """What REST answers with 503 has a code of its own."""

    def busy(*_: object) -> None:
        raise PoolTimeout

    monkeypatch.setattr(types.Agent, "of", busy)
    (error,) = _ask(portal, "{agent(id: 1) {id}}")["errors"]
    assert error["message"] == "too many requests wait for the database"
    assert error["extensions"] == {"code": "UNAVAILABLE"}


def test_the_schema_is_text_that_queries_can_be_checked_against(anonymous: TestClient, portal: TestClient) -> None:
    """It is SDL, and what it says is what is served."""
    answer = anonymous.get("/graphql/schema")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    schema = build_schema(answer.text)
    assert validate(schema, parse(BOARD)) == []
    assert validate(schema, parse("{agents {nothing}}")) != []
    names = _data(portal, "{__schema {types {name}}}")["__schema"]["types"]
    assert {one["name"] for one in names} == set(schema.type_map)


def test_scopes(portal: TestClient) -> None:
    """A viewer reads and changes nothing; the refusal is the field's, so what else was asked for is answered."""
    form = {"username": "viewer", "password": PASSWORD}
    token = portal.post("/api/v1/auth/token", data=form).json()["access_token"]
    viewer = TestClient(portal.app, headers={"Authorization": f"Bearer {token}"})
    assert _data(viewer, "{ agent(id: 1) { id tasks(first: 1) { edges { node { id } } } } }")["agent"]["id"] == "1"
    for mutation in (
        'createTask(title: "x") { id }',
        "assignTask(taskId: 1, agentId: 1) { id }",
        'updateAgent(id: 1, changes: {name: "x"}) { id }',
    ):
        assert _codes(viewer, f"mutation {{ {mutation} }}") == ["FORBIDDEN"]
