"""The seeded rows: the same ones, every time."""

import hashlib
import json
from collections import Counter

from starlette.testclient import TestClient

from portal.app import create_app
from portal.seed import PASSWORD, account_rows, agent_rows, task_rows
from portal.settings import Settings


def _digest(rows: list[dict[str, object]]) -> str:
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()


def test_the_rows_are_those_of_every_other_day() -> None:
    """Runs of different days are compared: a change of these digests makes all earlier runs incomparable."""
    assert _digest(agent_rows(1000)) == "b7653d366885096c079f341a1527f3b709b0c48e1e5cd722b6bc51130af982a2"
    assert _digest(task_rows(5000, 1000)) == "e356e759743866b493612ce57c4b26619bdb2930f2fe4977ec654f19015b3a05"


def test_the_database_holds_exactly_these_rows() -> None:
    """What is served is what was made."""
    with TestClient(create_app(Settings(agents=20, tasks=40, accounts=1))) as client:
        token = client.post("/api/v1/auth/token", data={"username": "user000", "password": PASSWORD}).json()
        client.headers["Authorization"] = f"Bearer {token['access_token']}"
        assert client.get("/api/v1/agents?limit=200").json()["items"] == agent_rows(20)
        assert client.get("/api/v1/tasks?limit=200").json()["items"] == task_rows(40, 20)


def test_rows_make_sense() -> None:
    """Open tasks belong to nobody, all others to an agent that exists; every status occurs."""
    tasks = task_rows(5000, 1000)
    assert all((task["agent_id"] is None) == (task["status"] == "open") for task in tasks)
    assert {task["agent_id"] for task in tasks} - {None} <= set(range(1, 1001))
    assert set(Counter(task["status"] for task in tasks)) == {"open", "assigned", "running", "done", "failed"}
    assert set(Counter(agent["status"] for agent in agent_rows(1000))) == {"idle", "busy", "offline"}


def test_accounts_share_one_hash() -> None:
    """Two hundred hashes would take seconds at every start."""
    accounts = account_rows(200, "the-hash")
    assert [accounts[0]["username"], accounts[199]["username"]] == ["user000", "user199"]
    assert {account["password_hash"] for account in accounts} == {"the-hash"}


def test_accounts_have_roles() -> None:
    """Those that load scenarios sign in as are operators, under the numbers they always had; the others come after."""
    accounts = account_rows(200, "the-hash")
    assert [account["account_id"] for account in accounts] == list(range(1, 223))
    assert {account["role"] for account in accounts[:200]} == {"operator"}
    assert [(account["username"], account["role"]) for account in accounts[200:203]] == [
        ("viewer", "viewer"),
        ("admin", "admin"),
        ("viewer000", "viewer"),
    ]
    assert accounts[-1]["username"] == "viewer019"
    assert Counter(account["role"] for account in accounts) == {"operator": 200, "viewer": 21, "admin": 1}


def test_a_portal_ships_with_a_thousand_agents_and_five_thousand_tasks(portal: TestClient) -> None:
    """The last rows are there."""
    assert portal.get("/api/v1/agents/1000").json() == agent_rows(1000)[-1]
    assert portal.get("/api/v1/tasks/5000").json() == task_rows(5000, 1000)[-1]
