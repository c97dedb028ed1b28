"""What the contract goes by, read before the load."""

import asyncio
import json
import resource
import socket

import pytest

from loadtests.errors import ScenarioError, TargetError, UsageError
from loadtests.preflight import read_promises, require_answer, require_room
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


def _swarm_of(count):
    return Scenario.model_validate(
        {
            "name": "x",
            "target": {"url": "http://127.0.0.1:9"},
            "phases": [{"kind": "steady", "duration": "1s"}],
            "swarm": {"members": [{"class": "loadtests.nullmember:NullListener", "count": count}] if count else []},
        }
    )


def test_room_for_connections():
    """The soft limit is raised as far as the hard one allows; beyond it the refusal names limit and remedy."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    ports = 60_000  # fewer than there can be
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
        require_room(_swarm_of(0), 1)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 256
        require_room(_swarm_of(100), 1)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (limits[1], limits[1])
        over = 10 * limits[1] if limits[1] < 1 << 40 else 1 << 50
        with pytest.raises(
            UsageError, match=r"connections do not fit this machine: open files of a process: .*prlimit"
        ):
            require_room(_swarm_of(over), 1)
        with pytest.raises(UsageError, match=r"ports to connect from: .*sysctl -w net.ipv4.ip_local_port_range"):
            require_room(_swarm_of(ports + 10_000), 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
