"""Data loaders: what many resolvers ask for one by one is read in one statement.

They remember nothing between two statements: a socket lives long, and a mutation may come in between.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, bindparam, func, select
from strawberry.dataloader import DataLoader

from portal.database import Database
from portal.models import agents, tasks

_agents_of_keys = select(agents).where(agents.c.agent_id.in_(bindparam("keys", expanding=True)))
_tasks_of_keys = select(tasks).where(tasks.c.task_id.in_(bindparam("keys", expanding=True)))


def _first_of(*conditions: ColumnElement[bool]) -> Any:
    """Select each agent's first tasks after a key."""
    place = func.row_number().over(partition_by=tasks.c.agent_id, order_by=tasks.c.task_id).label("place")
    of_agents = tasks.c.agent_id.in_(bindparam("agent_ids", expanding=True))
    placed = select(tasks, place).where(of_agents, tasks.c.task_id > bindparam("after"), *conditions).subquery()
    columns = [placed.c[column.name] for column in tasks.c]
    return select(*columns).where(placed.c.place <= bindparam("limit")).order_by(placed.c.task_id)


# Made once: to make a statement takes longer than to send it.
_first_tasks = _first_of()
_first_tasks_of_status = _first_of(tasks.c.status == bindparam("status"))


class TasksOf(NamedTuple):
    """Asks for the first tasks of one agent."""

    agent_id: int
    limit: int
    after: int
    status: str | None


class Loaders:
    """The loaders of one request."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.agent = DataLoader[int, Row[Any] | None](self._agents, cache=False)
        """Loads an agent by its key, None where there is none."""
        self.task = DataLoader[int, Row[Any] | None](self._tasks, cache=False)
        """Loads a task by its key, None where there is none."""
        self.tasks_of = DataLoader[TasksOf, Sequence[Row[Any]]](self._tasks_of, cache=False)
        """Loads the tasks of an agent, in the order of their keys."""

    async def _agents(self, keys: list[int]) -> list[Row[Any] | None]:
        return await self._by_key(_agents_of_keys, keys)

    async def _tasks(self, keys: list[int]) -> list[Row[Any] | None]:
        return await self._by_key(_tasks_of_keys, keys)

    async def _by_key(self, statement: Any, keys: list[int]) -> list[Row[Any] | None]:
        async with self._database.read() as connection:
            rows = (await connection.execute(statement, {"keys": sorted(set(keys))})).all()
        found = {row[0]: row for row in rows}
        return [found.get(key) for key in keys]

    async def _tasks_of(self, asked: list[TasksOf]) -> list[Sequence[Row[Any]]]:
        agents_by_page: dict[tuple[int, int, str | None], set[int]] = defaultdict(set)
        for one in asked:
            agents_by_page[one[1:]].add(one.agent_id)
        found: dict[TasksOf, list[Row[Any]]] = defaultdict(list)
        async with self._database.read() as connection:
            for (limit, after, status), agent_ids in agents_by_page.items():
                values: dict[str, Any] = {"agent_ids": sorted(agent_ids), "limit": limit, "after": after}
                statement = _first_tasks
                if status is not None:
                    statement, values = _first_tasks_of_status, values | {"status": status}
                for row in await connection.execute(statement, values):
                    found[TasksOf(row.agent_id, limit, after, status)].append(row)
        return [found[one] for one in asked]
