"""A front end that asks the portal over GraphQL."""

from __future__ import annotations

import random
from typing import Any

from locust import task
from people import SignedIn

AGENTS = 1_000

DASHBOARD = """query Dashboard($first: Int!) {
  agents(first: $first) { edges { node { id name status tasks(first: 3) { edges { node { id title } } } } } }
}"""
AGENT = "query Agent($id: ID!) { agent(id: $id) { id name kind status } }"
SET_STATUS = """mutation SetStatus($id: ID!, $status: AgentStatus!) {
  updateAgent(id: $id, changes: {status: $status}) { id status version }
}"""


class GraphQLUser(SignedIn):
    """Each request is a series by its operation; an answer of 200 that holds errors is a failure."""

    @task(2)
    def dashboard(self) -> None:
        """Eight agents, each with three of its tasks: one request where REST takes nine."""
        self.ask("Dashboard", DASHBOARD, first=8)

    @task(4)
    def agent(self) -> None:
        """One agent."""
        self.ask("Agent", AGENT, id=random.randint(1, AGENTS))

    @task(3)
    def set_status(self) -> None:
        """An agent changes its state; whoever watches it is told over the WebSocket."""
        self.ask("SetStatus", SET_STATUS, id=random.randint(1, AGENTS), status=random.choice(("IDLE", "BUSY")))

    def ask(self, operation: str, query: str, **variables: Any) -> None:
        """One operation."""
        body = {"operationName": operation, "query": query, "variables": variables}
        with self.client.post(
            "/graphql", json=body, headers=self.headers(), name=f"/graphql {operation}", catch_response=True
        ) as response:
            if response.status_code == 200 and (errors := response.json().get("errors")):
                response.failure(f"GraphQL: {errors[0]['message']}")
