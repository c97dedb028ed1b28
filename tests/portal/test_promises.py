"""What the portal answers, against what it publishes of its answers."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from loadtests.graphqlcontract import GraphQLContract

BOARD = """query Board($first: Int!) {
  agents(first: $first) { pageInfo { hasNextPage endCursor } edges { cursor node { ...Agent } } }
  activity(first: 10) { atMs subject { __typename ... on Agent { name } ... on Task { title priority } } }
}
fragment Agent on Agent { id name kind status version tasks(first: 3) { edges { node { id title status } } } }"""


@pytest.mark.parametrize(
    ("query", "variables", "refused"),
    [
        (BOARD, {"first": 20}, False),
        ('{ agent(id: "1000000") { id } }', {}, False),
        ("{ agents(first: 100) { edges { node { tasks(first: 100) { edges { node { id } } } } } } }", {}, True),
        ("{ nobody }", {}, True),
    ],
)
def test_graphql(portal: TestClient, query: str, variables: dict[str, Any], refused: bool) -> None:
    """Answers, empty ones and refusals keep `/graphql/schema`; one that is spoilt does not."""
    contract = GraphQLContract(portal.get("/graphql/schema").text)
    answer = portal.post("/graphql", json={"query": query, "variables": variables})
    sent = json.dumps({"query": query, "variables": variables}).encode()
    kind = answer.headers["Content-Type"]
    assert ("errors" in answer.json()) is refused
    assert contract.covers(answer.status_code, kind, sent)
    assert contract.violation(answer.status_code, kind, sent, answer.content) is None
    spoilt = answer.json() | {"errors": []}
    assert contract.violation(answer.status_code, kind, sent, json.dumps(spoilt).encode()) is not None
