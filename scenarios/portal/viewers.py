"""Those who only look, with both versions of the API and with what they already know."""

from __future__ import annotations

import random

from locust import task
from people import SignedIn

AGENTS, TASKS = 1_000, 5_000


class Viewer(SignedIn):
    """Looks at a few agents and tasks again and again, so that much of it has not changed since."""

    def on_start(self) -> None:
        """Sign in, with nothing known yet."""
        super().on_start()
        self.etags: dict[str, str] = {}

    @task(3)
    def read_agent(self) -> None:
        """One of a handful of agents: 200 at first, 304 as long as it stays the same."""
        self.look(f"/api/v2/agents/{random.randint(1, 20)}", "/api/v2/agents/{agent_id}")

    @task(3)
    def read_agent_v1(self) -> None:
        """The same in version 1, as a client that has not moved on yet."""
        self.look(f"/api/v1/agents/{random.randint(1, 20)}", "/api/v1/agents/{agent_id}")

    @task(3)
    def read_task(self) -> None:
        """One task."""
        self.look(f"/api/v2/tasks/{random.randint(1, TASKS)}", "/api/v2/tasks/{task_id}")

    @task(3)
    def list_tasks(self) -> None:
        """The most urgent open tasks."""
        self.look("/api/v2/tasks?status=open&priority_ge=7&limit=20", "/api/v2/tasks")

    @task(3)
    def list_agents(self) -> None:
        """One page of idle agents."""
        self.look("/api/v2/agents?status=idle&limit=20", "/api/v2/agents")

    def look(self, path: str, name: str) -> None:
        """Ask whether something has changed, and for what it is now."""
        known = {"If-None-Match": self.etags[path]} if path in self.etags else {}
        with self.client.get(path, headers=self.headers() | known, name=name, catch_response=True) as response:
            if response.status_code == 200 and len(self.etags) < 100 and "etag" in response.headers:
                self.etags[path] = response.headers["etag"]
