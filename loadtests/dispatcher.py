"""Which process has which users: each its part of every class, as each draws its arrivals over all classes."""

from __future__ import annotations

from typing import Any

from locust.dispatch import UsersDispatcher

from loadtests.mix import next_class

__all__ = ["Dispatcher"]


class Dispatcher(UsersDispatcher):
    """Deals the users of each class among Locust's workers by themselves.

    Locust deals all of them in one turn, whatever their class: of two classes of the same weight, one of two workers
    has all of the one and the other all of the other, and half of the arrivals that each draws wait for nobody.
    """

    def __init__(self, worker_nodes: list[Any], user_classes: list[type[Any]]) -> None:
        self._names = [cls.__name__ for cls in user_classes]
        self._weights = [float(cls.weight) for cls in user_classes]
        super().__init__(worker_nodes, user_classes)

    def _add_users_on_workers(self) -> dict[str, dict[str, int]]:
        """Each to the worker that has the fewest of its class and, among those, the fewest of all."""
        users, nodes = self._users_on_workers, self._worker_nodes
        more = min(self._user_count_per_dispatch_iteration, self._target_user_count - self._current_user_count)
        for _ in range(more):
            counts = [sum(each[name] for each in users.values()) for name in self._names]
            name = self._names[next_class(counts, self._weights)]
            node = min(nodes, key=lambda node: (users[node.id][name], sum(users[node.id].values())))
            users[node.id][name] += 1
            self._active_users.append((node, name))
        self._current_user_count += more
        return users
