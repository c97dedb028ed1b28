"""How much a GraphQL operation may ask for; the expected numbers are counted by hand."""

from collections.abc import Callable
from typing import Any

import pytest
from graphql import get_introspection_query, parse, validate
from starlette.testclient import TestClient

from portal.graphql.errors import RefusedError
from portal.graphql.limits import Measure, Size
from portal.graphql.schema import schema

GRAPHQL = "application/graphql-response+json"


def _size(query: str, **variables: Any) -> Size:
    document = parse(query)
    assert validate(schema._schema, document) == []
    return Measure(schema._schema, document, variables).size(None)


def _refusal(portal: TestClient, query: str, **variables: Any) -> tuple[str, str]:
    answer = portal.post("/graphql", json={"query": query, "variables": variables}, headers={"Accept": GRAPHQL})
    assert answer.status_code == 400
    assert list(answer.json()) == ["errors"]
    (error,) = answer.json()["errors"]
    return error["extensions"]["code"], error["message"]


@pytest.mark.parametrize(
    ("query", "depth", "cost"),
    [
        ("{agent(id: 1) {id name}}", 2, 1 + 2),
        ("{agent(id: 1) {id} task(id: 1) {id}}", 2, 2 + 2),
        ("{agents {edges {cursor}}}", 3, 1 + 1 + 20 * 1),
        ("{agents(first: 3) {edges {cursor node {id}} pageInfo {endCursor}}}", 4, 1 + (1 + 3 * 3) + 2),
        ("{agents(first: 3) {edges {node {tasks(first: 2) {edges {cursor}}}}}}", 6, 1 + 1 + 3 * (1 + 1 + 1 + 2)),
        ("{activity(first: 5) {atMs subject {__typename ... on Task {id}}}}", 3, 1 + 5 * (1 + 1 + 2)),
        ("{agents(first: 3) {...A}} fragment A on AgentConnection {edges {cursor}}", 3, 1 + 1 + 3),
        ("query($n: Int! = 4) {agents(first: $n) {edges {cursor}}}", 3, 1 + 1 + 4),
        ('mutation {createTask(title: "x") {id}}', 2, 100 + 2),
        ("{__typename}", 1, 1),
        ("{__schema {queryType {name}}}", 1, 500 + 3),
        ("subscription {agentChanged(id: 1) {id}}", 2, 2),
    ],
)
def test_depth_and_cost_are_what_a_hand_counts(query: str, depth: int, cost: int) -> None:
    """One for each field, times the rows above it."""
    size = _size(query)
    assert (size.depth, size.cost) == (depth, cost)


def test_a_variable_counts_by_its_value() -> None:
    """A number in a variable is the number it is worth; 7.0 is an Int there."""
    query = "query($n: Int! = 4) {agents(first: $n) {edges {cursor}}}"
    assert [_size(query, n=n).cost for n in (7, 7.0)] == [1 + 1 + 7] * 2


@pytest.mark.parametrize("first", [0, -1, 101, 10**9, 101.0])
def test_no_list_has_more_than_a_hundred_rows(portal: TestClient, first: float) -> None:
    """Neither as a literal nor in a variable, at no depth."""
    by_variable = "query($n: Int!) {agent(id: 1) {tasks(first: $n) {edges {cursor}}}}"
    expected = ("INVALID", f"first: 1 to 100 was expected, not {int(first)}")
    assert _refusal(portal, by_variable, n=first) == expected
    assert _refusal(portal, f"{{activity(first: {int(first)}) {{atMs}}}}") == expected


def test_eight_fields_are_deep_enough(portal: TestClient) -> None:
    """From agents over their tasks to those tasks' agents; one more is refused, also through a fragment."""
    query = "{agents(first: 2) {edges {node {tasks(first: 2) {edges {node {agent {%s}}}}}}}}"
    assert "errors" not in portal.post("/graphql", json={"query": query % "id"}).json()
    expected = ("TOO_DEEP", "the operation is 9 fields deep, and 8 are allowed")
    assert _refusal(portal, query.replace("2)", "1)") % "tasks(first: 1) {__typename}") == expected
    fragment = " fragment T on Agent {tasks(first: 1) {__typename}}"
    assert _refusal(portal, query % "... on Agent {...T}" + fragment) == expected


def test_the_cost_is_bounded_to_the_last_field(open_portal: Callable[..., TestClient]) -> None:
    """1 + 1 + 4 fields of 3 rows are 14: allowed at 14, refused at 13."""
    query = "{agents(first: 3) {edges {cursor node {id name}}}}"
    allowed, refused = open_portal({"graphql_cost": 14}), open_portal({"graphql_cost": 13})
    assert "errors" not in allowed.post("/graphql", json={"query": query}).json()
    message = "the operation may cost 14, and 13 are allowed: ask for less"
    assert _refusal(refused, query) == ("TOO_COSTLY", message)


def test_mutations_and_introspection_cost_what_they_do(portal: TestClient) -> None:
    """Twenty mutations in one request are too many; so is more than the one introspection that tools ask for."""
    many = " ".join(f'a{n}: createTask(title: "x") {{id}}' for n in range(20))
    assert _refusal(portal, f"mutation {{{many}}}")[0] == "TOO_COSTLY"
    assert "errors" not in portal.post("/graphql", json={"query": get_introspection_query()}).json()
    many = " ".join(f"a{n}: __schema {{queryType {{name}}}}" for n in range(4))
    assert _refusal(portal, f"{{{many}}}")[0] == "TOO_COSTLY"


def test_twenty_aliases_are_enough(portal: TestClient) -> None:
    """Counted wherever they stand, and as often as a fragment brings them."""

    def aliased(count: int) -> str:
        return "{" + " ".join(f"a{n}: agent(id: {n}) {{id}}" for n in range(1, count + 1)) + "}"

    assert "errors" not in portal.post("/graphql", json={"query": aliased(20)}).json()
    assert _refusal(portal, aliased(21)) == ("TOO_COSTLY", "the operation has 21 aliases, and 20 are allowed")
    twice = "{a: agent(id: 1) {...F} b: agent(id: 2) {...F}} fragment F on Agent {c: id d: name}"
    assert _size(twice).aliases == 2 + 2 * 2


def test_fragments_that_double_each_other_are_measured_at_once() -> None:
    """Thirty of them spread 2^30 times; each is measured once."""
    fragments = [f"fragment F{n} on Agent {{...F{n + 1} ...F{n + 1}}}" for n in range(30)]
    size = _size(f"{{agent(id: 1) {{...F0}}}} {' '.join(fragments)} fragment F30 on Agent {{id}}")
    assert (size.depth, size.cost) == (2, 1 + 2**30)


@pytest.mark.parametrize(
    "query",
    [
        "{" + "a " * 1_000 + "}",
        "{" + "a {" * 400 + "b" + "}" * 401,
        "query($x: [[[Int]]]) {agent(id: " + "[" * 400 + "]" * 400 + ") {id}}",
    ],
)
def test_a_document_is_neither_too_long_nor_too_nested_to_be_read(portal: TestClient, query: str) -> None:
    """The parser stops; nothing overflows."""
    assert _refusal(portal, query)[0] == "INVALID"


def test_one_of_several_operations_must_be_named() -> None:
    """GraphQL, section 6.1: no operation is taken by chance."""
    document = parse("query a {agent(id: 1) {id}} query b {agent(id: 1) {id name}}")
    assert Measure(schema._schema, document, {}).size("b").cost == 3
    with pytest.raises(RefusedError, match="several operations"):
        Measure(schema._schema, document, {}).size(None)
