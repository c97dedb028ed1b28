"""Answers against a document whose promises are known."""

import json

import pytest

from loadtests.contract import Contract
from loadtests.errors import TargetError

AGENT = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "name": {"type": "string"}, "seen": {"type": ["string", "null"]}},
    "required": ["id", "name"],
    "additionalProperties": False,
}
DOCUMENT = {
    "openapi": "3.1.0",
    "paths": {
        "/agents/{agent_id}": {
            "get": {
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Agent"}}}},
                    "304": {"description": "as it was"},
                    "4XX": {"$ref": "#/components/responses/Problem"},
                }
            }
        },
        "/agents/best": {"get": {"responses": {"default": {"content": {"text/plain": {"schema": {}}}}}}},
        "/agents": {
            "get": {
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {
                                "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Agent"}}
                            }
                        }
                    }
                }
            }
        },
    },
    "components": {
        "schemas": {"Agent": AGENT, "Problem": {"type": "object", "required": ["status"]}},
        "responses": {
            "Problem": {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        },
    },
}
GOOD = {"id": 1, "name": "a", "seen": None}
JSON = "application/json; charset=utf-8"


def _said(path="/agents/1", status=200, kind=JSON, value=GOOD, method="GET"):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Contract(DOCUMENT).violation(method, path, status, kind, body)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"value": {"id": 1, "name": "a"}},
        {"status": 304, "kind": "", "value": b""},
        {"status": 404, "kind": "application/problem+json", "value": {"status": 404}},
        {"path": "/agents/best", "kind": "text/plain", "value": b"one"},
        {"path": "/agents/best", "kind": "text/plain", "value": b"", "status": 503},
        {"path": "/agents", "value": [GOOD, GOOD]},
    ],
)
def test_kept(answer):
    """What the document promises is no violation."""
    assert _said(**answer) is None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"value": {"id": "17", "name": "a"}}, 'status 200 at id: the value is not of type "integer"'),
        ({"value": {"id": 1}}, 'status 200: "name" is a required property'),
        ({"path": "/agents", "value": [GOOD, {"id": 2.5, "name": "b"}]}, "status 200 at *.id: "),
        ({"value": {**GOOD, "secret": "hunter2"}}, "status 200: "),
        ({"value": b"{"}, "status 200: the body is not JSON"),
        ({"status": 500}, "status 500 is not documented"),
        ({"kind": "text/html", "value": b"<p>"}, "status 200 as text/html is not documented"),
        ({"kind": "", "value": b""}, "status 200 as nothing is not documented"),
        ({"status": 404, "value": {"status": 404}}, "status 404 as application/json is not documented"),
        ({"status": 404, "kind": "application/problem+json", "value": {}}, 'status 404: "status" is a required'),
        ({"path": "/tasks"}, "the operation is not documented"),
        ({"path": "/agents/1/tasks"}, "the operation is not documented"),
        ({"method": "DELETE"}, "the operation is not documented"),
    ],
)
def test_broken(answer, said):
    """What it does not promise is told by place and rule."""
    assert _said(**answer).startswith(said)


def test_no_values():
    """A value of the answer may be a secret: it is never repeated."""
    assert "hunter2" not in _said(value={"id": "hunter2", "name": "a"})
    assert "hunter2" not in _said(value={**GOOD, "name": ["hunter2"]})


@pytest.mark.parametrize(
    "schema", [{"$ref": "#/components/schemas/Nobody"}, {"type": "strnig"}, {"pattern": "("}, {"required": 7}]
)
def test_broken_schema(schema):
    """A schema that cannot be compiled is told before the load, not when the first answer needs it."""
    paths = {"/a": {"get": {"responses": {"200": {"content": {"application/json": {"schema": schema}}}}}}}
    with pytest.raises(TargetError, match="cannot be used as a contract"):
        Contract({"openapi": "3.1.0", "paths": paths})


def test_deep_body():
    """A body too deep to be read is no JSON of ours, and ends nothing."""
    assert _said(value=b"[" * 200_000) == "status 200: the body is not JSON"


@pytest.mark.parametrize("document", [{}, {"openapi": "3.0.3", "paths": {}}, {"openapi": "3.1.0"}, {"swagger": "2.0"}])
def test_no_contract(document):
    """Another kind of document is refused, with its version."""
    with pytest.raises(TargetError, match=r"OpenAPI 3\.1"):
        Contract(document)
