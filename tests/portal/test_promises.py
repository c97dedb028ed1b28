"""What the portal answers, against what it publishes of its answers."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from loadtests.framesample import FrameSample
from loadtests.graphqlcontract import GraphQLContract

MESSAGES = json.loads((Path(__file__).parents[2] / "scenarios" / "portal" / "messages.schema.json").read_text())
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


def _violations(*frames: dict[str, Any]) -> list[str | None]:
    sample = FrameSample(MESSAGES, 1, 0)
    for frame in frames:
        sample.offer(json.dumps(frame), 0)
    return [violation for _, violation in sample.judged()]


def test_messages(portal: TestClient) -> None:
    """Every kind of frame of `/ws/agents` keeps the scenarios' message schema: no field is missing or unknown there."""
    publish = {"type": "publish", "channel": "agent.3", "publisher": "p", "seq": 0, "intended_ns": -5, "sent_ns": 6}
    with portal.websocket_connect("/ws/agents") as socket:
        for frame in (
            {"type": "subscribe", "id": "s", "channels": ["agent.3", "load.p3"]},
            publish | {"id": 1, "data": {"n": [1]}},
            publish,
            publish | {"seq": -1},
            {"type": "unsubscribe", "channels": ["load.p3"]},
        ):
            socket.send_json(frame)
        frames = [socket.receive_json() for _ in range(7)]
        portal.patch("/api/v1/agents/3", json={"name": "told"})
        frames.append(socket.receive_json())
    kinds = ["subscribed", "event", "published", "event", "published", "error", "unsubscribed", "event"]
    assert [frame["type"] for frame in frames] == kinds
    assert _violations(*frames) == [None] * 8
    for frame in frames:
        less = [{name: value for name, value in frame.items() if name != missing} for missing in frame]
        assert None not in _violations(*less)
        assert _violations(frame | {"secret": 1}) != [None]
        assert None not in _violations(*(frame | {name: [1]} for name in frame))
