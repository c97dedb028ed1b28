"""What the contract goes by, read before the load."""

import asyncio
import json
import socket

import pytest

from loadtests.errors import ScenarioError, TargetError
from loadtests.preflight import read_promises, require_answer
from loadtests.promises import NO_PROMISES, Promises
from loadtests.scenario import Scenario

SDL = "type Query { a: Int! }"


def _read(folder, **contract):
    scenario = Scenario.model_validate(
        {
            "name": "x",
            "target": {"url": "http://127.0.0.1:9"},
            "phases": [{"kind": "steady", "duration": "1s"}],
            "contract": {"openapi": ""} | contract,
        }
    )
    return asyncio.run(read_promises(scenario.model_copy(update={"folder": folder})))


def test_files(tmp_path):
    """Files beside the scenario are promises, and a target that has no document of its own is not asked for one."""
    (tmp_path / "s.graphql").write_text(SDL)
    (tmp_path / "m.json").write_text(json.dumps({"type": "object"}))
    read = _read(tmp_path, graphql="/graphql", graphql_schema="s.graphql", messages="m.json")
    assert read == Promises(None, SDL, {"type": "object"})
    assert _read(tmp_path) == NO_PROMISES


@pytest.mark.parametrize(
    ("contract", "text", "refusal", "said"),
    [
        ({"messages": "x"}, "{", ScenarioError, "x: "),
        ({"messages": "x"}, '{"type": "strnig"}', ScenarioError, "the message schema cannot be used as a contract: "),
        ({"graphql": "/g", "graphql_schema": "x"}, "type A {", TargetError, "x cannot be used as a contract: "),
        ({"graphql": "/g", "graphql_schema": "/x"}, "", TargetError, "http://127.0.0.1:9/x cannot be read: "),
        ({"openapi": "/o"}, "", TargetError, "http://127.0.0.1:9/o cannot be read: "),
    ],
)
def test_refused(tmp_path, contract, text, refusal, said):
    """What is not there, or is no such document, is named before any load."""
    (tmp_path / "x").write_text(text)
    with pytest.raises(refusal, match=said):
        _read(tmp_path, **contract)


def test_a_target_of_websockets_alone_need_not_speak_http():
    """Something that takes connections is enough for a swarm; for users it is not, and nothing is for nobody."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        swarm = _scenario(port, swarm={"members": [{"class": "m.py:M", "count": 1}]})
        asyncio.run(require_answer(swarm))
    with pytest.raises(TargetError, match=r"does not answer at .* refused"):
        asyncio.run(require_answer(swarm))


def _scenario(port, **tables):
    return Scenario.model_validate(
        {
            "name": "x",
            "target": {"url": f"http://127.0.0.1:{port}"},
            "phases": [{"kind": "steady", "duration": "1s"}],
            **tables,
        }
    )
