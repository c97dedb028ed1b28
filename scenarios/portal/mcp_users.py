"""A model's client that calls the portal's tools over MCP (streamable HTTP)."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

from locust import task
from people import SignedIn

AGENTS = 1_000
_ACCEPT = {"Accept": "application/json, text/event-stream"}


class McpUser(SignedIn):
    """Keeps one session; a JSON-RPC error and a tool's error are failures."""

    def on_start(self) -> None:
        """Sign in and open the session."""
        super().on_start()
        self.task_ids = self.open_tasks()
        self._ids = itertools.count(1)
        self._session: dict[str, str] = {}
        self.initialize()

    def open_tasks(self) -> list[int]:
        """Tasks that may be given to agents, as REST lists them."""
        path, name = "/api/v2/tasks?status=open&limit=50", "/api/v2/tasks"
        with self.client.get(path, headers=self.headers(), name=name, catch_response=True) as response:
            return [row["id"] for row in response.json()["data"]] if response.status_code == 200 else []

    def initialize(self) -> None:
        """Open a session, and say that it is open."""
        self._session = {}
        parameters = {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "nexus-loadtests", "version": "1"},
        }
        self.call("initialize", parameters, name="initialize")
        if self._session:
            body = {"jsonrpc": "2.0", "method": "notifications/initialized"}
            headers = self.headers() | _ACCEPT | self._session
            self.client.post("/mcp", json=body, headers=headers, name="/mcp notifications/initialized")

    @task(2)
    def list_tools(self) -> None:
        """What there is to call."""
        self.call("tools/list", {}, name="tools/list")

    @task(4)
    def get_agent(self) -> None:
        """One agent."""
        self.tool("get_agent", agent_id=random.randint(1, AGENTS))

    @task(4)
    def list_agents(self) -> None:
        """Some agents."""
        self.tool("list_agents", limit=10)

    @task(3)
    def assign_task(self) -> None:
        """A task goes to an agent."""
        if self.task_ids:
            self.tool("assign_task", task_id=random.choice(self.task_ids), agent_id=random.randint(1, AGENTS))

    def tool(self, tool: str, **arguments: Any) -> None:
        """Call a tool; each is a series."""
        self.call("tools/call", {"name": tool, "arguments": arguments}, name=f"tools/call {tool}")

    def call(self, method: str, parameters: dict[str, Any], name: str) -> None:
        """One JSON-RPC request."""
        if method != "initialize" and not self._session:
            self.initialize()
        body = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": parameters}
        headers = self.headers() | _ACCEPT | self._session
        with self.client.post("/mcp", json=body, headers=headers, name=f"/mcp {name}", catch_response=True) as response:
            if response.status_code == 404:
                self._session = {}  # the portal has forgotten it
            if response.status_code != 200:
                return
            if method == "initialize":
                self._session = {"Mcp-Session-Id": response.headers["mcp-session-id"]}
            answer = _message(response.text)
            if "error" in answer:
                response.failure(f"JSON-RPC: {answer['error']['message']}")
            elif answer["result"].get("isError"):
                response.failure("the tool failed")


def _message(text: str) -> dict[str, Any]:
    """The answer, which may come as an event stream of one event."""
    lines = [line.removeprefix("data:") for line in text.splitlines() if line.startswith("data:")]
    found: dict[str, Any] = json.loads(lines[-1] if lines else text)
    return found
