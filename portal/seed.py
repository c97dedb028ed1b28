"""The rows every portal starts with: the same ones each time, from one seed."""

import random
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from portal.models import accounts, agents, tasks

SEED = 20_260_101
"""The seed of all rows; change it and every seeded row changes."""
EPOCH_MS = 1_767_225_600_000
"""The seeded rows' last day ends here: 2026-01-01T00:00:00Z."""
PASSWORD = "agents-at-work"  # noqa: S105 (the documented password of accounts that exist for load tests only)
"""The one password of all seeded accounts."""
VIEWERS = 20
"""Accounts `viewer000` upwards."""

_DAY_MS = 86_400_000
_KINDS = ("planner", "coder", "reviewer", "tester", "researcher")
_AGENT_STATUSES = ("idle", "busy", "offline")
_TASK_STATUSES = ("open", "assigned", "running", "done", "failed")
_VERBS = ("Review", "Plan", "Test", "Deploy", "Measure", "Document", "Refactor", "Investigate")
_NOUNS = ("the gateway", "the scheduler", "the index", "the importer", "the billing job", "the mobile client")


def agent_rows(count: int) -> list[dict[str, Any]]:
    """Make the first `count` seeded agents."""
    dice = random.Random(f"{SEED}:agents")  # noqa: S311 (repeatable rows, no secrets)
    rows = []
    for agent_id in range(1, count + 1):
        kind = dice.choice(_KINDS)
        created_at_ms = EPOCH_MS - dice.randrange(30 * _DAY_MS, 60 * _DAY_MS)
        rows.append(
            {
                "agent_id": agent_id,
                "name": f"{kind}-{agent_id:04d}",
                "kind": kind,
                "status": dice.choice(_AGENT_STATUSES),
                "last_heartbeat_at_ms": EPOCH_MS - dice.randrange(_DAY_MS),
                "version": 1,
                "created_at_ms": created_at_ms,
                "updated_at_ms": created_at_ms,
            }
        )
    return rows


def task_rows(count: int, agent_count: int) -> list[dict[str, Any]]:
    """Make the first `count` seeded tasks; all but the open ones belong to one of `agent_count` agents."""
    dice = random.Random(f"{SEED}:tasks")  # noqa: S311 (repeatable rows, no secrets)
    rows = []
    for task_id in range(1, count + 1):
        status = dice.choice(_TASK_STATUSES) if agent_count else "open"
        created_at_ms = EPOCH_MS - dice.randrange(30 * _DAY_MS)
        rows.append(
            {
                "task_id": task_id,
                "title": f"{dice.choice(_VERBS)} {dice.choice(_NOUNS)} ({task_id})",
                "status": status,
                "priority": dice.randrange(10),
                "agent_id": None if status == "open" else dice.randrange(1, agent_count + 1),
                "version": 1,
                "created_at_ms": created_at_ms,
                "updated_at_ms": created_at_ms,
            }
        )
    return rows


def account_rows(count: int, password_hash: str) -> list[dict[str, Any]]:
    """Make `count` operators, `user000` upwards, then one `viewer`, one `admin` and some more viewers.

    All have one password hash: hashing each would take seconds.
    """
    people = [(f"user{number:03d}", "operator") for number in range(count)]
    people += [("viewer", "viewer"), ("admin", "admin")]
    people += [(f"viewer{number:03d}", "viewer") for number in range(VIEWERS)]
    return [
        {"account_id": number, "username": username, "password_hash": password_hash, "role": role}
        for number, (username, role) in enumerate(people, start=1)
    ]


async def seed(
    connection: AsyncConnection, *, agent_count: int, task_count: int, account_count: int, password_hash: str
) -> bool:
    """Fill a database whose tables are empty; say whether rows were written.

    A database that already has accounts is left exactly as it is.
    """
    if await connection.scalar(select(func.count()).select_from(accounts)):
        return False
    for table, rows in (
        (agents, agent_rows(agent_count)),
        (tasks, task_rows(task_count, agent_count)),
        (accounts, account_rows(account_count, password_hash)),
    ):
        if rows:
            await connection.execute(table.insert(), rows)
    if connection.dialect.name == "postgresql":  # its sequences do not see numbers that were given with the rows
        for table in (agents, tasks, accounts):
            (key,) = table.primary_key.columns
            await connection.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', '{key.name}'), MAX({key.name}))"  # noqa: S608 (names of our own tables)
                    f" FROM {table.name}"
                )
            )
    return True
