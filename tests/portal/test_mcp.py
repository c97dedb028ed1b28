"""The portal as an MCP server: `/mcp`, over HTTP by hand and by the protocol's own client."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import jsonschema
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.testclient import TestClient

from portal.app import create_app
from portal.seed import PASSWORD
from portal.settings import Settings
from tests.portal.conftest import SMALL

ACCEPT = {"Host": "127.0.0.1:8000", "Accept": "application/json, text/event-stream"}
OPENING = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}


class Session:
    """One MCP session, spoken by hand."""

    def __init__(self, portal: TestClient) -> None:
        self._portal = portal
        opened = portal.post("/mcp", json=OPENING, headers=ACCEPT)
        assert opened.status_code == 200, opened.text
        self.headers = ACCEPT | {"Mcp-Session-Id": opened.headers["Mcp-Session-Id"]}
        told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert portal.post("/mcp", json=told, headers=self.headers).status_code == 202

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Return the whole JSON-RPC answer."""
        question = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        answer = self._portal.post("/mcp", json=question, headers=self.headers)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        assert (body["jsonrpc"], body["id"]) == ("2.0", 7)
        return body

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return the result of a tool, its error among them."""
        result: dict[str, Any] = self.ask("tools/call", name=tool, arguments=arguments)["result"]
        return result

    def end(self) -> None:
        """End the session."""
        assert self._portal.delete("/mcp", headers=self.headers).status_code == 200


@pytest.fixture
def session(portal: TestClient) -> Session:
    """A session of its own with the shared portal."""
    return Session(portal)


def sentence(result: dict[str, Any]) -> str:
    """Return what a tool error says."""
    assert result["isError"] is True
    (block,) = result["content"]
    text: str = block["text"]
    return text


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_without_a_token_nothing_is_read(anonymous: TestClient, method: str) -> None:
    """401 with the challenge (RFC 6750, section 3), though the body is no JSON-RPC and the host is a stranger's."""
    answer = anonymous.request(method, "/mcp", content=b"{", headers={"Host": "evil.example"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_refresh_token_opens_nothing(anonymous: TestClient) -> None:
    """The same tokens as over REST, for the same use."""
    pair = anonymous.post("/api/v1/auth/token", data={"username": "user000", "password": PASSWORD}).json()
    headers = ACCEPT | {"Authorization": f"Bearer {pair['refresh_token']}"}
    answer = anonymous.post("/mcp", json=OPENING, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Host": "[::1]:8000"}, 200),
    ],
)
def test_a_foreign_name_for_this_machine_is_refused(portal: TestClient, headers: dict[str, str], status: int) -> None:
    """Against DNS rebinding: Host and Origin name loopback, or nothing is answered."""
    answer = portal.post("/mcp", json=OPENING, headers=ACCEPT | headers)
    assert answer.status_code == status
    if status != 200:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["detail"].startswith(f"{next(iter(headers))} must be loopback")


def test_a_named_host_is_let_in(open_portal: Callable[..., TestClient]) -> None:
    """With a port and without, as host and as origin; another name is still a stranger."""
    portal = open_portal({"mcp_hosts": ("portal.test",)})
    for headers in ({"Host": "portal.test"}, {"Host": "portal.test:8000"}, {"Origin": "https://portal.test"}):
        assert portal.post("/mcp", json=OPENING, headers=ACCEPT | headers).status_code == 200
    assert portal.post("/mcp", json=OPENING, headers=ACCEPT | {"Host": "portal.test.evil.example"}).status_code == 421


def test_a_body_must_be_announced_as_json(portal: TestClient) -> None:
    """A form that a foreign page sends without asking is none."""
    answer = portal.post("/mcp", content=b"{}", headers=ACCEPT | {"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["detail"]) == (400, "Content-Type must be application/json")


def test_each_result_is_what_its_schema_says(portal: TestClient, session: Session) -> None:
    """Four tools with an output schema each; what they return fulfils it."""
    tools = {tool["name"]: tool for tool in session.ask("tools/list")["result"]["tools"]}
    assert sorted(tools) == ["assign_task", "get_agent", "list_agents", "run_command"]
    task_id = portal.post("/api/v1/tasks", json={"title": "Plan"}).json()["task_id"]
    calls: dict[str, dict[str, Any]] = {
        "list_agents": {"status": "idle", "limit": 3},
        "get_agent": {"agent_id": 17},
        "assign_task": {"task_id": task_id, "agent_id": 17},
        "run_command": {"command": "echo hello"},
    }
    for name, arguments in calls.items():
        jsonschema.validate(arguments, tools[name]["inputSchema"])
        result = session.call(name, **arguments)
        assert result["isError"] is False
        jsonschema.validate(result["structuredContent"], tools[name]["outputSchema"])
    hints = {name: tool["annotations"]["readOnlyHint"] for name, tool in tools.items()}
    assert hints == {"assign_task": False, "get_agent": True, "list_agents": True, "run_command": False}


def test_tools_show_what_rest_shows(portal: TestClient, session: Session) -> None:
    """The same agent, the same page and its cursor, the same task after it was assigned."""
    assert session.call("get_agent", agent_id=18)["structuredContent"] == portal.get("/api/v1/agents/18").json()
    page = portal.get("/api/v1/agents", params={"limit": 5}).json()
    assert session.call("list_agents", limit=5)["structuredContent"] == page
    task_id = portal.post("/api/v1/tasks", json={"title": "Plan"}).json()["task_id"]
    given = session.call("assign_task", task_id=task_id, agent_id=18)["structuredContent"]
    assert (given["agent_id"], given["status"], given["version"]) == (18, "assigned", 2)
    assert portal.get(f"/api/v1/tasks/{task_id}").json() == given


def test_a_refusal_is_a_tool_error_with_the_sentence_of_rest(portal: TestClient, session: Session) -> None:
    """The model can read it and correct itself."""
    assert sentence(session.call("get_agent", agent_id=999_999)).endswith("there is no agent 999999")
    task_id = portal.post("/api/v1/tasks", json={"title": "Plan"}).json()["task_id"]
    assert sentence(session.call("assign_task", task_id=task_id, agent_id=999_999)).endswith("no agent 999999")
    portal.patch(f"/api/v1/tasks/{task_id}", json={"status": "done"})
    over_rest = portal.post(f"/api/v1/tasks/{task_id}/assign", json={"agent_id": 1}).json()["detail"]
    assert sentence(session.call("assign_task", task_id=task_id, agent_id=1)).endswith(over_rest)
    assert "this command is not allowed" in sentence(session.call("run_command", command="rm -rf x"))
    for limit in (0, 201):
        assert "limit" in sentence(session.call("list_agents", limit=limit))
    assert "agent_id" in sentence(session.call("get_agent", agent_id=0))


def test_resources_are_read_by_their_templates(portal: TestClient, session: Session) -> None:
    """An agent and a task, as REST shows them."""
    templates = session.ask("resources/templates/list")["result"]["resourceTemplates"]
    assert {one["uriTemplate"] for one in templates} == {"portal://agents/{agent_id}", "portal://tasks/{task_id}"}
    for kind in ("agents", "tasks"):
        (content,) = session.ask("resources/read", uri=f"portal://{kind}/19")["result"]["contents"]
        assert content["mimeType"] == "application/json"
        assert content["text"] == portal.get(f"/api/v1/{kind}/19").text


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("resources/read", {"uri": "portal://agents/999999"}, -32602),
        ("resources/read", {"uri": "portal://agents/x"}, -32602),
        ("resources/read", {"uri": "portal://agents/0"}, -32602),
        ("prompts/get", {"name": "nothing"}, -32602),
        ("prompts/get", {"name": "triage"}, -32602),
        ("prompts/get", {"name": "triage", "arguments": {"task_id": "x"}}, -32602),
        ("no/method", {}, -32601),
    ],
)
def test_a_protocol_error_is_a_jsonrpc_error(session: Session, method: str, params: dict[str, Any], code: int) -> None:
    """Invalid params and unknown methods have their codes (JSON-RPC 2.0, section 5.1)."""
    answer = session.ask(method, **params)
    assert answer["error"]["code"] == code
    assert answer["error"]["message"]


def test_triage_names_the_task_and_the_tool(session: Session) -> None:
    """The prompt asks for one agent for one task."""
    (prompt,) = session.ask("prompts/list")["result"]["prompts"]
    assert (prompt["name"], [argument["name"] for argument in prompt["arguments"]]) == ("triage", ["task_id"])
    result = session.ask("prompts/get", name="triage", arguments={"task_id": "21"})["result"]
    (message,) = result["messages"]
    assert message["role"] == "user"
    assert "portal://tasks/21" in message["content"]["text"]
    assert "assign_task" in message["content"]["text"]


def test_a_session_belongs_to_who_opened_it(open_portal: Callable[..., TestClient]) -> None:
    """For another user it does not exist (404), and after its end for nobody."""
    portal = open_portal()
    session = Session(portal)
    pair = portal.post("/api/v1/auth/token", data={"username": "user001", "password": PASSWORD}).json()
    question = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    foreign = session.headers | {"Authorization": f"Bearer {pair['access_token']}"}
    assert portal.post("/mcp", json=question, headers=foreign).status_code == 404
    assert portal.post("/mcp", json=question, headers=session.headers).status_code == 200
    session.end()
    assert portal.post("/mcp", json=question, headers=session.headers).status_code == 404


def test_sessions_are_bounded(open_portal: Callable[..., TestClient]) -> None:
    """Two fit, the third is 503 until one of them ends."""
    portal = open_portal({"mcp_sessions": 2})
    first, _ = Session(portal), Session(portal)
    assert portal.post("/mcp", json=OPENING, headers=ACCEPT).status_code == 503
    first.end()
    Session(portal)
    assert portal.post("/mcp", json=OPENING, headers=ACCEPT).status_code == 503


def test_an_idle_session_makes_room(open_portal: Callable[..., TestClient]) -> None:
    """Nobody ends the only session; one is opened after it all the same."""
    portal = open_portal({"mcp_sessions": 1, "mcp_idle_s": 0.05})
    session = Session(portal)
    attempts = (portal.post("/mcp", json=OPENING, headers=ACCEPT).status_code for _ in range(5_000))
    assert 200 in attempts
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert portal.post("/mcp", json=ping, headers=session.headers).status_code == 404


def test_a_body_beyond_the_limit_is_413(portal: TestClient) -> None:
    """The portal's own limit holds here, too."""
    answer = portal.post("/mcp", content=b"x" * (64 * 1024 + 1), headers=ACCEPT | {"Content-Type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_protocols_own_client_understands_the_portal(mode: str) -> None:
    """With sessions, and by the later protocol that has none."""
    app = create_app(Settings(**SMALL))

    async def main() -> None:
        transport = httpx2.ASGITransport(app)
        base = "http://127.0.0.1"
        async with app.router.lifespan_context(app), httpx2.AsyncClient(transport=transport, base_url=base) as http:
            form = {"username": "user000", "password": PASSWORD}
            token = (await http.post("/api/v1/auth/token", data=form)).json()["access_token"]
            http.headers["Authorization"] = f"Bearer {token}"
            async with Client(streamable_http_client(f"{base}/mcp", http_client=http), mode=mode) as client:
                result = await client.call_tool("get_agent", {"agent_id": 7})
                assert (result.structured_content or {})["agent_id"] == 7
                assert (await client.call_tool("get_agent", {"agent_id": 31})).is_error
                assert {prompt.name for prompt in (await client.list_prompts()).prompts} == {"triage"}

    asyncio.run(main())
