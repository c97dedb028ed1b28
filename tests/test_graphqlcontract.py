"""GraphQL answers against a schema whose promises are known; section numbers are of GraphQL, October 2021."""

import json

import pytest
from graphql import build_schema, graphql_sync, introspection_from_schema

from loadtests.errors import TargetError
from loadtests.graphqlcontract import GraphQLContract

SDL = """
scalar Instant
enum Status { IDLE BUSY }
interface Node { id: ID! }
type Agent implements Node { id: ID!  name: String!  note: String  load: Float!  rank: Int  status: Status!
  live: Boolean!  seen: Instant!  tasks(first: Int): [Task!]!  grid: [[Int!]] }
type Task implements Node { id: ID!  title: String!  agent: Agent }
union Found = Agent | Task
type Query { agent: Agent  agents: [Agent!]!  found: [Found!]!  node: Node }
type Mutation { rename(name: String!): Agent! }
"""
CONTRACT = GraphQLContract(SDL)
JSON, GRAPHQL = "application/json; charset=utf-8", "application/graphql-response+json"


def _sent(query, **more):
    return json.dumps({"query": query, **more}).encode()


def _said(query, data=None, *, answer=None, kind=JSON, status=200, **more):
    answer = {"data": data} if answer is None else answer
    return CONTRACT.violation(status, kind, _sent(query, **more), json.dumps(answer).encode())


NAMES = "fragment Names on Agent { name: id ...on Node { id } }"
AGENT = {"id": "1", "name": "a"}


@pytest.mark.parametrize(
    ("query", "data", "more"),
    [
        ("{ agent { id name } }", {"agent": AGENT}, {}),
        ("{ agent { id } }", {"agent": None}, {}),
        ("{ agent { ...Names } } " + NAMES, {"agent": {"name": "1", "id": "1"}}, {}),
        (
            "{ one: agent { id } agents { note rank } }",
            {"one": {"id": "1"}, "agents": [{"note": None, "rank": -5}]},
            {},
        ),
        ("{ agent { load live } }", {"agent": {"load": 1, "live": False}}, {}),
        ("{ agent { seen status grid } }", {"agent": {"seen": [7], "status": "BUSY", "grid": [None, [1]]}}, {}),
        ("{ agent { rank @skip(if: true) id } }", {"agent": {"id": "1"}}, {}),
        ("query($no: Boolean!) { agent { rank @include(if: $no) id } }", {"agent": {"id": "1"}}, {"no": False}),
        ("query($no: Boolean = false) { agent { rank @include(if: $no) id } }", {"agent": {"id": "1"}}, {}),
        ("{ agent { tasks { id } } agent { tasks { title } } }", {"agent": {"tasks": [{"id": "1", "title": "t"}]}}, {}),
        (
            "{ found { __typename ... on Agent { id } ... on Task { title } } }",
            {"found": [{"__typename": "Agent", "id": "1"}, {"__typename": "Task", "title": "t"}]},
            {},
        ),
        ("{ found { ... on Agent { id } ... on Task { title } } }", {"found": [{"id": "1"}, {"title": "t"}]}, {}),
        ("{ node { id ... on Task { title } } }", {"node": {"id": "1"}}, {}),
        ('mutation { rename(name: "b") { __typename } }', {"rename": {"__typename": "Agent"}}, {}),
        ("{ __typename __type(name: 1) { name } }".replace("1", '"Task"'), {"__typename": "Query", "__type": None}, {}),
    ],
)
def test_kept(query, data, more):
    """What the schema promises of a selection is no violation."""
    assert _said(query, data, variables=more) is None


@pytest.mark.parametrize(
    ("query", "data", "said"),
    [
        ("{ agent { id } }", {"agent": {"id": None}}, "data.agent.id: null, where ID! is promised"),
        ("{ agent { id } }", {"agent": {"id": 1}}, "data.agent.id: the value is no ID"),
        ("{ agent { name } }", {"agent": {"name": 7}}, "data.agent.name: the value is no String"),
        ("{ agent { rank } }", {"agent": {"rank": 2**31}}, "data.agent.rank: the value is no Int"),
        ("{ agent { rank } }", {"agent": {"rank": 1.5}}, "data.agent.rank: the value is no Int"),
        ("{ agent { rank } }", {"agent": {"rank": True}}, "data.agent.rank: the value is no Int"),
        ("{ agent { load } }", {"agent": {"load": "1.0"}}, "data.agent.load: the value is no Float"),
        ("{ agent { live } }", {"agent": {"live": 0}}, "data.agent.live: the value is no Boolean"),
        ("{ agent { status } }", {"agent": {"status": "hunter2"}}, "data.agent.status: the value is no Status"),
        ("{ agent { seen } }", {"agent": {"seen": None}}, "data.agent.seen: null, where Instant! is promised"),
        ("{ agent { id name } }", {"agent": {"id": "1"}}, "data.agent.name is missing"),
        ("{ agent { id } }", {"agent": AGENT}, "data.agent holds a field that was not asked for"),
        ("{ agent { a: id } }", {"agent": {"id": "1"}}, "data.agent.a is missing"),
        ("{ agents { id } }", {"agents": None}, "data.agents: null, where [Agent!]! is promised"),
        ("{ agents { id } }", {"agents": [None]}, "data.agents.*: null, where Agent! is promised"),
        ("{ agents { id } }", {"agents": {"id": "1"}}, "data.agents: the value is no list"),
        ("{ agents { id } }", {"agents": [{"id": "1"}, "hunter2"]}, "data.agents.*: the value is no object"),
        ("{ agent { grid } }", {"agent": {"grid": [[1], [None]]}}, "data.agent.grid.*.*: null, where Int! is promised"),
        ("{ agent { ...Names } } " + NAMES, {"agent": {"name": "1"}}, "data.agent.id is missing"),
        (
            "{ found { __typename ... on Task { title } } }",
            {"found": [{"__typename": "Task"}]},
            "data.found.*.title is missing",
        ),
        ("{ found { __typename } }", {"found": [{"__typename": "Query"}]}, "data.found.*: the value is no Found"),
        (
            "{ agent { __typename } }",
            {"agent": {"__typename": "Task"}},
            "data.agent.__typename: the value is not Agent",
        ),
        ("{ found { ... on Task { title } } }", {"found": [{"id": "1"}]}, "data.found.*: the value is no Found"),
        ("{ agent { rank @skip(if: true) } }", {"agent": {"rank": 1}}, "data.agent holds a field that was not asked"),
        (
            "{ agent {\n  wage } }",
            {"agent": {"wage": 1}},
            "data for an operation that the schema does not know: line 2",
        ),
        ("{ agent {", {"agent": None}, "data for an operation that the schema does not know: it cannot be parsed"),
        (
            "query A { agent { id } } query B { agent { id } }",
            {"agent": None},
            "data, though the document does not say",
        ),
    ],
)
def test_broken(query, data, said):
    """What it does not promise is told by place and type, and never by value."""
    found = _said(query, data)
    assert found is not None
    assert found.startswith(said)
    assert "hunter2" not in found


def test_chosen_by_name():
    """Of several operations the one counts that the request names (section 6.1)."""
    query = "query A { agent { id } } query B { agents { id } }"
    assert _said(query, {"agents": []}, operationName="B") is None
    assert _said(query, {"agents": []}, operationName="A") == "data.agent is missing"


ERROR = {"message": "no", "locations": [{"line": 1, "column": 3}], "path": ["agents", 0, "id"]}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"errors": [ERROR]}, None),
        ({"errors": [{"message": "no", "extensions": {"code": "X"}}], "data": {"agent": None}}, None),
        ({"errors": [ERROR], "data": {"agent": {"id": None}}}, "data.agent.id: null, where ID! is promised"),
        ({}, "neither data nor errors"),
        ({"data": None}, "neither data nor errors"),
        ({"errors": []}, "errors: the value is no list that holds something"),
        ({"errors": "hunter2"}, "errors: the value is no list that holds something"),
        ({"errors": [{}]}, "errors.*: an error has no message"),
        ({"errors": [{"message": "no", "path": "a.b"}]}, "errors.*.path: the value is no list of names and numbers"),
        ({"errors": [{"message": "no", "locations": [{"line": 0, "column": 1}]}]}, "errors.*.locations: "),
        ({"data": {"agent": None}, "result": 1}, "the answer is not an object of data, errors and extensions"),
        ([1], "the answer is not an object of data, errors and extensions"),
    ],
)
def test_errors(answer, said):
    """The frame of an answer is as sections 7.1 and 7.1.2 have it; null where nothing may be null is no excuse."""
    found = _said("{ agent { id } }", answer=answer)
    assert found == said or (said and found.startswith(said))


def test_media_type():
    """Another media type, and what is not JSON, is no answer."""
    assert _said("{ agent { id } }", {"agent": None}, kind=GRAPHQL) is None
    assert _said("{ agent { id } }", kind="text/html") == "status 200 as text/html is no GraphQL answer"
    for body in (b"{", b"[" * 200_000):
        assert CONTRACT.violation(200, JSON, _sent("{ agent { load } }"), body) == "the body is not JSON"
    for number in (b"NaN", b"1e999"):  # no numbers of JSON, or beyond what a Float holds (section 3.5.2)
        body = b'{"data": {"agent": {"load": %b}}}' % number
        assert (
            CONTRACT.violation(200, JSON, _sent("{ agent { load } }"), body) == "data.agent.load: the value is no Float"
        )


@pytest.mark.parametrize(
    ("status", "kind", "sent", "covered"),
    [
        (200, JSON, _sent("{ agent { id } }"), True),
        (200, "text/html", _sent("{ agent { id } }"), True),
        (400, GRAPHQL, _sent("{ agent { id } }"), True),
        (502, JSON, _sent("{ agent { id } }"), False),
        (401, "application/problem+json", _sent("{ agent { id } }"), False),
        (200, "text/event-stream", _sent("subscription { x }"), False),
        (200, "multipart/mixed; boundary=-", _sent("{ agent { id } }"), False),
        (200, JSON, b"[" + _sent("{ agent { id } }") + b"]", False),
        (200, JSON, b'{"extensions": {"persistedQuery": {}}}', False),
        (200, JSON, b"", False),
    ],
)
def test_covers(status, kind, sent, covered):
    """Judged is what answers one operation whose text is known; what stands before the API speaks for itself."""
    assert CONTRACT.covers(status, kind, sent) is covered


def test_real_answers():
    """What graphql-core itself executes keeps the schema, and its introspection is as good as the text."""
    schema = build_schema(SDL)
    root = {"agent": AGENT | {"load": 0.5, "tasks": [{"id": "2", "title": "t"}]}, "agents": []}
    query = "{ agent { ...A tasks(first: 1) { id title agent { id } } } agents { id } } fragment A on Agent { load id }"
    answer = json.dumps(graphql_sync(schema, query, root).formatted).encode()
    for text in (SDL, json.dumps({"data": introspection_from_schema(schema)})):
        assert GraphQLContract(text).violation(200, JSON, _sent(query), answer) is None
        less = answer.replace(b'"title": "t"', b'"title": null')
        assert less != answer
        assert "data.agent.tasks.*.title: null" in str(GraphQLContract(text).violation(200, JSON, _sent(query), less))


@pytest.mark.parametrize(
    "text", ["", "<html>", "{}", '{"data": {"__schema": 7}}', "type A { b: Nobody }", "type A { a:"]
)
def test_no_schema(text):
    """Another kind of text is refused before the load."""
    with pytest.raises(TargetError, match="no GraphQL schema"):
        GraphQLContract(text)
